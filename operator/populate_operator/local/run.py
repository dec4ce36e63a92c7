"""The loop of `populate run`: see, plan, share, act, show; until all is made or somebody says stop."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import enum
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from populate_jobs.errors import TableMissing

from populate_operator.database import tasks
from populate_operator.manifest import load
from populate_operator.plan import Problem
from populate_operator.plan.completion import Outcome
from populate_operator.plan.lineage import Lineage
from populate_operator.plan.share import share
from populate_operator.question import OF_THE_DATABASE
from populate_operator.spec import PopulateJob

from . import logins, runs
from .interrupts import Interrupts
from .naming import named_apart
from .place import Place
from .populating import Populating

TICK = 0.25
"""Seconds between two rounds where nothing happens."""
MOST_FAILED_STARTS = 5
CLOSE_SECONDS = 2.0
GIVE_BACK_SECONDS = 15.0
LEFT = "the database is away: what workers held is given back by the next populate run on this machine"


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    manifests: tuple[Path, ...]
    data: Path
    secret_file: Path | None = None
    embedded: bool = False
    once: bool = False
    max_workers: int | None = None
    verbose: bool = False
    database_timeout: float = 60.0


class Ending(enum.Enum):
    """Why a run is over."""

    FINISHED = "finished"
    REFUSED = "refused"
    GAVE_UP = "gave up"
    INTERRUPTED = "interrupted"


class Screen(Protocol):
    """Who shows a run to people."""

    def begin(self, jobs: Sequence[Populating], databases: Sequence[str], notes: Sequence[str]) -> None: ...
    def show(self, jobs: Sequence[Populating], now: datetime) -> None: ...
    def say(self, text: str) -> None: ...
    def end(self, jobs: Sequence[Populating], ending: Ending, left: str) -> None: ...


class Running:
    """The PopulateJobs of one run."""

    def __init__(self, jobs: Sequence[Populating], options: Options, interrupts: Interrupts, screen: Screen) -> None:
        self._jobs = jobs
        self._options = options
        self._interrupts = interrupts
        self._screen = screen
        self._capacity = options.max_workers or os.cpu_count() or 1
        self._troubled_since: float | None = None
        self._lineage: Lineage[Populating] = Lineage()

    def work(self) -> Ending:
        """Goes round until the run is over; workers may still live then."""
        while True:
            now = tasks.now()
            self._round(now)
            self._screen.show(self._jobs, now)
            ending = self._ending()
            if ending is not None:
                return ending
            self._interrupts.wait(TICK)

    def _round(self, now: datetime) -> None:
        logins = {job.keeper.login for job in self._jobs}
        for login in logins:
            login.rounds.collect()
        for job in self._jobs:
            job.collect(now)
        alive = frozenset(worker.host for job in self._jobs for worker in job.crew.workers)
        deaths = {host: reason for job in self._jobs for host, reason in job.crew.deaths.items()}
        for job in self._jobs:
            self._lineage.put(job, job.relative)
        for job in self._jobs:
            job.decide(alive, deaths, self._lineage.upstream(job), now)
            self._lineage.put(job, job.relative)
        given = share(self._capacity, [job.claim for job in self._jobs])
        for job, replicas in zip(self._jobs, given, strict=True):
            resolving = any(other.is_resolving for other in self._jobs)
            job.act(replicas, not resolving, now)
        for login in logins:
            login.go(time.monotonic())

    def _ending(self) -> Ending | None:
        if self._interrupts.count:
            return Ending.INTERRUPTED
        refused = [job for job in self._jobs if job.refusal and job.refusal.reason not in OF_THE_DATABASE]
        if any(job.resolved is None for job in refused):
            return Ending.REFUSED
        if all(job.is_over for job in self._jobs):
            return Ending.FINISHED
        return Ending.GAVE_UP if self._options.once and self._is_hopeless() else None

    def _is_hopeless(self) -> bool:
        """Where the database stays away, or workers do not come up: with --once somebody waits for an end."""
        failing = [job.crew.problem for job in self._jobs]
        if any(problem is not None and problem.times >= MOST_FAILED_STARTS for problem in failing):
            return True
        if not any(map(trouble, self._jobs)):
            self._troubled_since = None
            return False
        since = self._troubled_since = self._troubled_since or time.monotonic()
        return time.monotonic() - since > self._options.database_timeout

    def stop(self) -> None:
        """Drains the workers; told again it hurries them, told a third time it kills them."""
        told = self._interrupts.count
        for job in self._jobs:
            job.wind_down(tasks.now())
        if told and any(job.crew.workers for job in self._jobs):
            self._screen.say("draining: running keys may end; Ctrl-C again gives them back at once")
        while any(job.crew.workers for job in self._jobs):
            if self._interrupts.count > told:
                told += 1
                self._press(told)
            self._screen.show(self._jobs, tasks.now())
            self._interrupts.wait(TICK)
            for job in self._jobs:
                job.collect(tasks.now())

    def _press(self, told: int) -> None:
        if told == 1:
            return
        self._screen.say("giving back the running keys" if told == 2 else "killing the workers")
        for job in self._jobs:
            if told == 2:
                job.crew.hurry(time.monotonic())
            else:
                job.crew.kill()


def trouble(job: Populating) -> Problem | None:
    """What keeps a PopulateJob from its database, or from its tables."""
    return job.refusal or job.keeper.database or job.keeper.refresh_problem


def run(options: Options, screen: Screen) -> tuple[Ending, list[Populating]]:
    """Raises ManifestError, SettingsError or EmbeddedFailed before anything is begun."""
    manifest = load(*options.manifests)
    wanted = [_as_wanted(job, options) for job in named_apart(manifest.jobs)]
    interrupts = Interrupts()
    with contextlib.ExitStack() as stack:
        stack.enter_context(interrupts.listening())
        source = logins.Source.here(options.secret_file, options.data, options.embedded)
        settings = logins.settings_of(wanted, manifest, source, stack)
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="populate-")))
        place = _place(options, scratch, interrupts)
        jobs = [Populating(job, login, place) for job, login in zip(wanted, settings, strict=True)]
        databases = dict.fromkeys(logins.describe(login, place.data) for login in settings)
        screen.begin(jobs, tuple(databases), manifest.notes)
        return _until_over(Running(jobs, options, interrupts, screen), jobs, place, screen), jobs


def _until_over(running: Running, jobs: Sequence[Populating], place: Place, screen: Screen) -> Ending:
    try:
        ending = running.work()
    finally:
        running.stop()
    left = "" if _nothing_left(jobs) else LEFT
    for login in place.logins.values():
        login.close(CLOSE_SECONDS)
    screen.end(jobs, ending, left)
    if not left:
        place.run.end()
    return ending


def _nothing_left(jobs: Sequence[Populating]) -> bool:
    """Gives back what is still reserved; whether that is certain. A table that is gone holds nothing."""
    asked = [future for job in jobs if (future := job.give_back()) is not None]
    answered, waiting = concurrent.futures.wait(asked, GIVE_BACK_SECONDS)
    errors = [future.exception() for future in answered]
    return not waiting and all(error is None or isinstance(error, TableMissing) for error in errors)


def _as_wanted(job: PopulateJob, options: Options) -> PopulateJob:
    return dataclasses.replace(job, spec=dataclasses.replace(job.spec, mode="Once")) if options.once else job


def _place(options: Options, scratch: Path, interrupts: Interrupts) -> Place:
    data = options.data.absolute()
    data.mkdir(parents=True, exist_ok=True)
    (data / ".gitignore").write_text("*\n")
    folder = runs.state_folder()
    beside = dict.fromkeys(manifest.absolute().parent for manifest in options.manifests if str(manifest) != "-")
    return Place(runs.begin(folder), data, scratch, tuple(beside), options.verbose, interrupts.wake.set, folder)


def exit_code(ending: Ending, jobs: Sequence[Populating]) -> int:
    """0 all made, 1 errors remain or given up, 2 refused, 130 interrupted."""
    if ending is Ending.FINISHED:
        return 1 if any(job.plan and job.plan.outcome is Outcome.FAILED for job in jobs) else 0
    return {Ending.REFUSED: 2, Ending.GAVE_UP: 1}.get(ending, 130)
