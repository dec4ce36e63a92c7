"""`populate run --once` with many workers, as the storm finds it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil
import yaml

MODULE = "tests.chaos.pipeline"


class Populate:
    def __init__(self, folder: Path, environment: Mapping[str, str], workers: int) -> None:
        self._folder = folder
        self._environment = environment
        self._workers = workers
        self._manifest = folder / "populate.yaml"
        self._manifest.write_text(yaml.safe_dump(_manifest(workers)))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self._folder / "output").open("ab") as output:
            # While the storm lasts it may be cut off again and again: that is no reason to give up.
            words = ["run", "-f", str(self._manifest), "--once", f"--max-workers={self._workers}"]
            words += ["--database-timeout=600"]
            self._process = subprocess.Popen(
                [sys.executable, "-m", "populate_operator", *words],
                env=self._environment, cwd=self._folder, stdout=output, stderr=output, stdin=subprocess.DEVNULL,
            )  # fmt: skip

    @property
    def exit_code(self) -> int | None:
        assert self._process
        return self._process.poll()

    def kill(self) -> None:
        assert self._process
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        """With all that it started."""
        ours = self.supervisors() + self.runners()
        self.kill()
        for process in ours:
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def supervisors(self) -> list[psutil.Process]:
        return self._running("populate_worker", "run")

    def runners(self) -> list[psutil.Process]:
        return self._running("populate_worker.runner")

    def output(self) -> str:
        return (self._folder / "output").read_text()

    def _running(self, *words: str) -> list[psutil.Process]:
        """Ours, and those of one that was killed: they work in our folder."""
        return [process for process in psutil.process_iter(["cmdline"]) if self._is_ours(process, set(words))]

    def _is_ours(self, process: psutil.Process, words: set[str]) -> bool:
        with suppress(psutil.Error):
            return words <= set(process.info["cmdline"] or ()) and process.cwd() == str(self._folder)
        return False


def _manifest(workers: int) -> dict[str, object]:
    """Every failure here is one of ours: a make is tried until it is made."""
    return {
        "apiVersion": "datajoint.io/v1alpha1",
        "kind": "PopulateJob",
        "metadata": {"name": "chaos"},
        "spec": {
            "table": f"{MODULE}.Made",
            "mode": "Once",
            "scaling": {"minWorkers": workers, "maxWorkers": workers},
            "retry": {"limit": 20, "backoffSeconds": 1, "maxBackoffSeconds": 5, "retryOn": ["*"]},
            "worker": {"image": "chaos", "drainSeconds": 5},
        },
    }
