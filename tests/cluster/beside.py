"""Operators as processes of this machine, beside the cluster: they can be killed and stopped at any moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from urllib.error import URLError
from urllib.request import urlopen

from tests.servers.host import PATIENCE, free_port, wait_until

ENDED_SECONDS = 60.0


class Operator:
    """For one namespace; its log is the file `log`."""

    def __init__(self, kubeconfig: Path, namespace: str, log: Path, *words: str) -> None:
        self.log = log
        self._url = f"http://127.0.0.1:{free_port()}/healthz"
        words = (f"--namespace={namespace}", f"--installation={namespace}", f"--liveness={self._url}", *words)
        environment = {name: value for name, value in os.environ.items() if name != "POD_NAME"}
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "populate_operator.kube", *words],
                env={**environment, "KUBECONFIG": str(kubeconfig)}, stdout=output, stderr=output,
            )  # fmt: skip

    def __enter__(self) -> Operator:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_well(self) -> bool:
        """As its liveness tells."""
        try:
            with urlopen(self._url, timeout=5) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def until_well(self) -> Operator:
        wait_until(lambda: self.is_well, "the operator is up")
        return self

    def kill(self) -> None:
        if not self.has_ended:
            self._process.kill()
        self._process.wait(ENDED_SECONDS)

    def end(self) -> int:
        """Tells it to, and waits for that."""
        self._process.terminate()
        return self.exit_code()

    def exit_code(self) -> int:
        return self._process.wait(PATIENCE)

    def stand_still(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)


class Beside:
    """All operators of one test."""

    def __init__(self, kubeconfig: Path, namespace: str, folder: Path) -> None:
        self._kubeconfig = kubeconfig
        self._namespace = namespace
        self._folder = folder
        self._started: list[Operator] = []

    def start(self, *words: str, kubeconfig: Path | None = None) -> Operator:
        log = self._folder / f"operator-{len(self._started)}.log"
        started = Operator(kubeconfig or self._kubeconfig, self._namespace, log, *words)
        self._started.append(started)
        return started

    def kill(self) -> None:
        for operator in self._started:
            operator.kill()

    def log(self, lines: int = -1) -> str:
        told = (operator.log.read_text().splitlines() for operator in self._started)
        return "\n".join("\n".join(said[-lines:] if lines > 0 else said) + "\n--" for said in told)
