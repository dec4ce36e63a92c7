"""What is broken, at random, while keys are made."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import psutil

from tests.servers import Server

from .populate import Populate
from .proxy import Moment, Proxy

PAUSES = (0.3, 1.2)
"""Seconds between two blows, from and to."""


@dataclass
class Storm:
    populate: Populate
    proxy: Proxy
    server: Server
    rng: random.Random
    kills: int = 0
    restarts: int = 0
    _stopped: list[psutil.Process] = field(default_factory=list)

    def blow(self) -> None:
        """One thing that goes wrong; what was stopped at the last one goes on."""
        self.calm()
        blows: dict[Callable[[], None], int] = {
            self._kill_runner: 6,
            self._kill_supervisor: 3,
            self._end_supervisor: 3,
            self._stop_runner: 2,
            self._stop_supervisor: 2,
            self._cut_some: 2,
            self._cut_all: 1,
            self._cut_a_commit: 8,
            self._restart_server: 1,
            self._kill_populate: 1,
        }
        (blow,) = self.rng.choices(list(blows), list(blows.values()))
        with suppress(psutil.NoSuchProcess):
            blow()

    def calm(self) -> None:
        for process in self._stopped:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGCONT)
        self._stopped.clear()

    @property
    def pause(self) -> float:
        return self.rng.uniform(*PAUSES)

    def _kill_runner(self) -> None:
        self._signal(self.populate.runners(), signal.SIGKILL)

    def _kill_supervisor(self) -> None:
        self._signal(self.populate.supervisors(), signal.SIGKILL)

    def _end_supervisor(self) -> None:
        self._signal(self.populate.supervisors(), signal.SIGTERM)

    def _stop_runner(self) -> None:
        self._stopped += self._signal(self.populate.runners(), signal.SIGSTOP)

    def _stop_supervisor(self) -> None:
        self._stopped += self._signal(self.populate.supervisors(), signal.SIGSTOP)

    def _signal(self, processes: list[psutil.Process], number: signal.Signals) -> list[psutil.Process]:
        """To one of them."""
        if not processes:
            return []
        chosen = self.rng.choice(processes)
        chosen.send_signal(number)
        self.kills += number in (signal.SIGKILL, signal.SIGTERM)
        return [chosen]

    def _cut_some(self) -> None:
        self.proxy.cut(0.3)

    def _cut_all(self) -> None:
        self.proxy.cut(1.0)

    def _cut_a_commit(self) -> None:
        self.proxy.arm(self.rng.choice(list(Moment)))

    def _restart_server(self) -> None:
        self.restarts += 1
        self.server.kill()
        self.server.start()

    def _kill_populate(self) -> None:
        """And begin it again, at once: the workers it had still run."""
        self.kills += 1
        self.populate.kill()
        self.populate.start()
