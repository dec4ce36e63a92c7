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
        """What one busy worker gets done a second."""
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


def follow(pace: Pace, seen: Observation, busy: int, now: datetime) -> Pace:
    """The pace after this observation; there is a new sample where there was a new count."""
    elapsed = (now - pace.planned_at).total_seconds() if pace.planned_at else 0.0
    pace = replace(pace, worker_seconds=pace.worker_seconds + busy * elapsed, planned_at=now)
    at = standing(seen.refresh, seen.tally.counts if seen.tally else None)
    if at is None or seen.tally is None:
        return pace
    settled = at.done + seen.tally.counts.error + seen.tally.counts.ignore
    last = pace.samples[-1] if pace.samples else None
    if last is None:
        return replace(pace, samples=(Sample(seen.tally.at, at.done, settled, pace.worker_seconds),))
    if seen.tally.at <= last.at:
        return pace
    sample = Sample(seen.tally.at, max(at.done, last.done), settled, pace.worker_seconds)
    settled_at = now if settled > last.settled else pace.settled_at
    return replace(pace, samples=_thinned(pace.samples, sample), settled_at=settled_at)


def estimated_completion(seen: Observation, pace: Pace, now: datetime) -> datetime | None:
    left, rate = seen.outstanding, pace.settled_per_second
    return now + timedelta(seconds=left / rate) if left and rate else None


def _unmade(counts: Counts) -> int:
    return outstanding(counts) + counts.error + counts.ignore


def _thinned(samples: tuple[Sample, ...], new: Sample) -> tuple[Sample, ...]:
    """Those of the window, SPACING apart, and always the one before: where counting is slow the window is long."""
    *earlier, last = samples
    recent = [sample for sample in earlier if (new.at - sample.at).total_seconds() <= WINDOW]
    if not recent or (last.at - recent[-1].at).total_seconds() >= SPACING:
        recent.append(last)
    return (*recent, new)


def _rate(values: list[int], time: list[float]) -> float | None:
    elapsed = time[-1] - time[0] if len(time) > 1 else 0.0
    return max(0, values[-1] - values[0]) / elapsed if elapsed > 0 else None
