"""How far the keys are and how fast they are made, from full counts between two refreshes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from populate_jobs import Counts

from .observation import Observation, Refresh, outstanding

WINDOW = 60.0
"""Seconds over which throughput is measured."""
SPACING = 2.0
"""Seconds between two samples kept."""
LEAST_SECONDS = 10.0
"""Between milestones that tell a pace: the first counts of short makes are off by as much as one of them takes."""
MOST_MILESTONES = 1000


@dataclass(frozen=True)
class Standing:
    total: int
    done: int


@dataclass(frozen=True)
class Sample:
    at: datetime
    done: int
    settled: int
    """Done, failed or ignored: what nobody waits for any more."""
    worker_seconds: float
    """Of Pace, then."""


@dataclass(frozen=True)
class Pace:
    """What is remembered of how `done` grew: one sample a count, at the time of the count."""

    samples: tuple[Sample, ...] = ()
    milestones: tuple[Sample, ...] = ()
    """Counts by which keys were settled, as many as are made at once: where makes are long the window has fewer."""
    measured: float | None = None
    """Keys that one busy worker got done a second, between milestones."""
    worker_rate: float | None = None
    """The same now: less, where makes have taken longer since."""
    worker_seconds: float = 0.0
    """Seconds that busy workers have worked since the first plan, summed over them."""
    planned_at: datetime | None = None
    settled_at: datetime | None = None
    """When keys were last seen to have been made, or given up: time for those who read them to look."""

    @property
    def done_per_second(self) -> float | None:
        """Keys made a second, over the window; None before two samples."""
        return _rate([sample.done for sample in self.samples], self._times)

    @property
    def settled_per_second(self) -> float | None:
        return _rate([sample.settled for sample in self.samples], self._times)

    @property
    def settled_per_worker_second(self) -> float | None:
        """What one busy worker gets done a second, over the window."""
        return _rate([sample.settled for sample in self.samples], [sample.worker_seconds for sample in self.samples])

    @property
    def _times(self) -> list[float]:
        return [sample.at.timestamp() for sample in self.samples]


def standing(refresh: Refresh | None, now: Counts | None) -> Standing | None:
    """Total and done under the restriction: measured at the refresh, moved on by what left the queue since.

    A key is made a little before it leaves the queue: what was in both at the refresh is not counted twice.
    """
    if refresh is None:
        return None
    total, done = refresh.progress.total, refresh.progress.done
    if now is not None:
        done = max(done, min(total, done + _unmade(refresh.counts)) - _unmade(now))
    return Standing(total, min(done, total))


def follow(pace: Pace, seen: Observation, busy: int, now: datetime, concurrency: int = 1) -> Pace:
    """The pace after this observation; there is a new sample where there was a new count.

    Each of the `busy` workers makes `concurrency` keys at once.
    """
    elapsed = (now - pace.planned_at).total_seconds() if pace.planned_at else 0.0
    pace = replace(pace, worker_seconds=pace.worker_seconds + busy * elapsed, planned_at=now)
    counted = _counted(pace, seen, busy * concurrency, now)
    rate = _worker_rate(counted, busy * concurrency)
    if rate and pace.worker_rate and counted.milestones is pace.milestones:
        rate = min(rate, pace.worker_rate)  # that others have begun says nothing of how long it takes
    return replace(counted, worker_rate=rate)


def _counted(pace: Pace, seen: Observation, makes: int, now: datetime) -> Pace:
    at = standing(seen.refresh, seen.tally.counts if seen.tally else None)
    if at is None or seen.tally is None:
        return pace
    settled = at.done + seen.tally.counts.error + seen.tally.counts.ignore
    last = pace.samples[-1] if pace.samples else None
    if last is None:
        first = Sample(seen.tally.at, at.done, settled, pace.worker_seconds)
        return replace(pace, samples=(first,), milestones=(first,))
    if seen.tally.at <= last.at:
        return pace
    sample = Sample(seen.tally.at, max(at.done, last.done), settled, pace.worker_seconds)
    pace = replace(pace, samples=_thinned(pace.samples, sample))
    if settled < last.settled:  # they were queued again
        return replace(pace, milestones=(sample,))
    if settled == last.settled:
        return pace
    milestones = _enough((*pace.milestones, sample), makes)
    return replace(pace, settled_at=now, milestones=milestones, measured=_measured(milestones, makes) or pace.measured)


def _enough(milestones: tuple[Sample, ...], makes: int) -> tuple[Sample, ...]:
    """The last of them, for as many keys as are made at once: those that began together end together."""
    last, kept = milestones[-1], list(milestones)
    if len(kept) > MOST_MILESTONES:
        kept[1:-1] = kept[1:-1:2]
    while len(kept) > 2 and last.settled - kept[1].settled >= makes and _seconds(kept[1], last) >= WINDOW:
        del kept[0]
    return tuple(kept)


def _measured(milestones: tuple[Sample, ...], makes: int) -> float | None:
    first, last = milestones[0], milestones[-1]
    settled, worked = last.settled - first.settled, last.worker_seconds - first.worker_seconds
    is_enough = settled >= makes and _seconds(first, last) >= LEAST_SECONDS
    return settled / worked if is_enough and worked > 0 else None


def _worker_rate(pace: Pace, makes: int) -> float | None:
    """What was measured, but no more than if all that is being made were done now."""
    if not pace.milestones or not makes:
        return pace.worker_rate
    first, last = pace.milestones[0], pace.milestones[-1]
    worked = max(1.0, pace.worker_seconds - first.worker_seconds)
    most = (last.settled - first.settled + makes) / worked
    return min(most, pace.measured or most)


def estimated_completion(seen: Observation, pace: Pace, now: datetime) -> datetime | None:
    left, rate = seen.outstanding, pace.settled_per_second
    return now + timedelta(seconds=left / rate) if left and rate else None


def _unmade(counts: Counts) -> int:
    return outstanding(counts) + counts.error + counts.ignore


def _thinned(samples: tuple[Sample, ...], new: Sample) -> tuple[Sample, ...]:
    """Those of the window, SPACING apart, and always the one before: where counting is slow the window is long."""
    *earlier, last = samples
    recent = [sample for sample in earlier if _seconds(sample, new) <= WINDOW]
    if not recent or _seconds(recent[-1], last) >= SPACING:
        recent.append(last)
    return (*recent, new)


def _seconds(one: Sample, other: Sample) -> float:
    return (other.at - one.at).total_seconds()


def _rate(values: list[int], time: list[float]) -> float | None:
    elapsed = time[-1] - time[0] if len(time) > 1 else 0.0
    return max(0, values[-1] - values[0]) / elapsed if elapsed > 0 else None
