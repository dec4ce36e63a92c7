"""What was seen of one PopulateJob: the plan's only input besides the spec, the memory and the clock.

Times are aware datetimes, durations are seconds. None stands for "not looked at yet" or "could not be seen".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from populate_jobs import Counts, ErrorGroup, Progress, ResolveDocument


@dataclass(frozen=True)
class Problem:
    """Something that stands in the way, seen `times` in a row, last `at`."""

    reason: str
    """A CamelCase word for a condition."""
    message: str
    at: datetime
    times: int = 1
    lasting: bool = False
    """Somebody has to change something: trying again alone will not help."""


@dataclass(frozen=True)
class Resolved:
    """The image's answer to what the spec of this generation means."""

    document: ResolveDocument
    generation: int
    at: datetime


@dataclass(frozen=True)
class Queue:
    """The cheap look at the jobs table, as often as the plan is made."""

    ready: int
    """Due pending rows, counted no further than could change the plan."""
    held: Mapping[str, int] = field(default_factory=dict)
    """Reserved rows under the restriction by host, foreign ones too."""
    outside: Mapping[str, int] = field(default_factory=dict)
    """Other rows that hosts of this installation hold: begun under an earlier restriction, or for others."""

    @property
    def holders(self) -> frozenset[str]:
        return frozenset(self.held) | frozenset(self.outside)


@dataclass(frozen=True)
class Tally:
    """The full count, under the restriction."""

    counts: Counts
    at: datetime
    """Nothing that was changed before is missing in it."""
    seconds: float = 0.0
    """What counting took."""
    errors: tuple[ErrorGroup, ...] = ()


@dataclass(frozen=True)
class Refresh:
    """The last finished refresh, or the last check that found nothing to refresh, and the standing measured then."""

    started: datetime
    ended: datetime
    added: int
    progress: Progress
    counts: Counts
    """Counted right after `progress`: what changed since is told by later counts."""
    seconds: float = 0.0
    """What it took; of a statement for many tables, its share."""
    errors: tuple[ErrorGroup, ...] = ()
    """The most frequent ones among `counts`."""


@dataclass(frozen=True)
class Worker:
    """A worker that lives, by the host it reserves under."""

    host: str
    ready: bool = True
    draining: bool = False


@dataclass(frozen=True)
class Recovery:
    """Hosts that are gone, whose rows are to be given back."""

    hosts: tuple[str, ...]
    suspect: str | None = None
    """Why the rows become suspects; None gives them back without a mark."""
    dead_since: Mapping[str, float] = field(default_factory=dict)
    """Hosts that may have a new worker by now, and when, by the monotonic clock, the old one was dead: what was
    reserved later is the new one's."""


@dataclass(frozen=True)
class Rollout:
    """Workers of an earlier image or template that still run."""

    older: int
    """Of those that stay."""
    leaving: int
    """Told to end: they finish what they hold."""
    hindrance: Problem | None = None
    """What keeps one of those that stay from coming up."""


@dataclass(frozen=True)
class Upstream:
    """What the PopulateJobs that make the tables read by this key_source are at."""

    busy: bool = False
    """One of them still has keys to make."""
    made_at: datetime | None = None
    """When one of them was last seen to have made rows."""


@dataclass(frozen=True)
class Observation:
    ours: str
    """How the hosts of this installation's workers end."""
    generation: int = 1
    resolved: Resolved | None = None
    refusal: Problem | None = None
    database: Problem | None = None
    queue: Queue | None = None
    tally: Tally | None = None
    refresh: Refresh | None = None
    refresh_problem: Problem | None = None
    replicas: int = 0
    """How many workers were asked for last."""
    workers: tuple[Worker, ...] = ()
    worker_problem: Problem | None = None
    rollout: Rollout | None = None
    alive: frozenset[str] = frozenset()
    """Hosts of all of this installation's workers that live, those of other PopulateJobs too."""
    deaths: Mapping[str, str | None] = field(default_factory=dict)
    """Hosts proved gone: the reason where the worker may be to blame (`OOMKilled`), None where it was sent away."""
    given_back: tuple[Recovery, ...] = ()
    """Whose rows were given back since the last plan."""
    upstream: Upstream = Upstream()
    is_read: bool = False
    """Another PopulateJob reads what this one makes."""
    applied_priority: int | None = None
    """Written to pending rows last."""
    orphans_at: datetime | None = None
    """When foreign rows were last looked through."""
    curing: bool = False
    """Errors are to be tried again or ignored, as was asked for, and are not yet."""

    @property
    def has_answer(self) -> bool:
        """Whether the spec of this generation is resolved; a passing refusal since then changes nothing."""
        return self.is_answered and not self.is_refused

    @property
    def is_answered(self) -> bool:
        """Whether the answer there is was given to the spec of this generation, whatever was refused since."""
        return self.resolved is not None and self.resolved.generation == self.generation

    @property
    def is_refused(self) -> bool:
        """Whether somebody has to mend something before the spec can be resolved, or resolved again."""
        return self.refusal is not None and self.refusal.lasting

    @property
    def is_overruled(self) -> bool:
        """Whether the only answer is to another spec, and the one there is now was refused."""
        return self.resolved is not None and not self.is_answered and self.is_refused

    @property
    def outstanding(self) -> int | None:
        """Keys still to be made, as far as the last full count knows."""
        return None if self.tally is None else outstanding(self.tally.counts)


def outstanding(counts: Counts) -> int:
    return counts.pending + counts.scheduled + counts.reserved
