"""Where a run happens: its folder, its logins, its name on this machine."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from populate_jobs import DatabaseSettings

from populate_operator.database.login import Login

from .process import Process
from .runs import Run


@dataclass(frozen=True)
class Place:
    """`path` are the folders where the pipeline's code is looked for, before those that Python knows."""

    run: Run
    data: Path
    scratch: Path
    """For files that mean nothing once the run is over."""
    path: tuple[Path, ...]
    verbose: bool
    wake: Callable[[], None]
    runs_folder: Path
    logins: dict[DatabaseSettings, Login] = field(default_factory=dict)

    def login(self, settings: DatabaseSettings) -> Login:
        if settings not in self.logins:
            self.logins[settings] = Login(settings, self.wake)
        return self.logins[settings]

    def file(self, job: str, name: str) -> Path:
        return self.scratch / f"{job}-{name}"

    def log(self, name: str, slot: int) -> Path:
        self.logs.mkdir(parents=True, exist_ok=True)
        return self.logs / f"{name}-{slot}.log"

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    def start(self, settings: DatabaseSettings, command: list[str], output: Path | None) -> Process:
        return Process(command, environment(settings, self.path), output, self.run.lock)

    def starter(self, settings: DatabaseSettings) -> Callable[[list[str], Path], Process]:
        return functools.partial(self.start, settings)


def folder(data: Path, name: str) -> Path:
    """Where a PopulateJob's files are kept."""
    found = data / "populatejobs" / name
    found.mkdir(parents=True, exist_ok=True)
    return found


def environment(settings: DatabaseSettings, path: tuple[Path, ...]) -> Mapping[str, str]:
    """Ours, with this login in place of any other, and the pipeline's code in reach."""
    ours = {name: value for name, value in os.environ.items() if name not in _login_variables()}
    known = [*map(str, path), *filter(None, [ours.get("PYTHONPATH")])]
    return {**ours, "PYTHONPATH": os.pathsep.join(known), "PYTHONUNBUFFERED": "1", **settings.to_environment()}


@functools.cache
def _login_variables() -> frozenset[str]:
    every = DatabaseSettings("h", "u", "p", "mysql", 1, "d", "required", "ca").to_environment()
    return frozenset(every)
