"""Processes, mounts and a network of their own, which all end with the first process."""

import os
import signal
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.servers.host import Unavailable, wait_until


@dataclass(frozen=True)
class Namespaces:
    """`first` is the machine's id of the first process, `born` tells it from a later process with that id."""

    first: int
    born: float

    @classmethod
    def create(cls, init: Path) -> "Namespaces":
        """Start the program `init` as the first process. Raises Unavailable."""
        command = ["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc", str(init)]
        outer = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        wait_until(lambda: _first(outer.pid, init) is not None or outer.poll() is not None, "namespaces made")
        first = _first(outer.pid, init)
        if first is None:
            assert outer.stderr
            raise Unavailable(f"no namespaces can be made here: {outer.stderr.read().decode().strip()}")
        return cls(first.pid, first.create_time())

    def alive(self) -> bool:
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.first)
            return bool(process.create_time() == self.born and process.status() != psutil.STATUS_ZOMBIE)
        return False

    def end(self) -> None:
        """End every process; mounts and network go with them."""
        if self.alive():
            os.kill(self.first, signal.SIGKILL)
            wait_until(lambda: not self.alive(), "node ended")

    def run(self, *command: str) -> str:
        """Run a command in there; its output. Raises Unavailable when it fails."""
        done = subprocess.run(self._entering(command), stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            raise Unavailable(f"{command[0]} failed: {(done.stderr or done.stdout)[-1500:]}")
        return done.stdout

    def feed(self, chunks: Iterable[bytes], *command: str) -> None:
        """Run a command in there that reads the chunks. Raises Unavailable when it fails."""
        process = subprocess.Popen(
            self._entering(command), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        assert process.stdin
        with suppress(BrokenPipeError):
            process.stdin.writelines(chunks)
        _, errors = process.communicate()
        if process.returncode:
            raise Unavailable(f"{command[0]} failed: {errors.decode()[-1500:]}")

    def start(self, log: Path, *command: str) -> "subprocess.Popen[bytes]":
        """Leave a command running in there."""
        with log.open("ab") as output:
            return subprocess.Popen(
                self._entering(command), stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )

    def _entering(self, command: Iterable[str]) -> list[str]:
        return ["nsenter", f"--target={self.first}", "--mount", "--net", "--pid", "--", *command]


def _first(outer: int, init: Path) -> psutil.Process | None:
    """The child of `unshare` once it has become `init`."""
    with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        for child in psutil.Process(outer).children():
            if Path(child.exe()) == init:
                return child
    return None
