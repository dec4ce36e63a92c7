"""A program on a terminal of its own: what it draws, and the keys that somebody presses."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from tests.servers.host import wait_until

HEIGHT, WIDTH = 30, 140
INTERRUPT = "\x03"
"""Ctrl-C, of which the terminal makes a SIGINT to all that runs in front."""


class Screen:
    def __init__(self, process: subprocess.Popen[bytes], terminal: int) -> None:
        self.process = process
        self._terminal = terminal
        self._seen = b""

    def shows(self, text: str) -> bool:
        """Whether it was ever drawn."""
        with suppress(BlockingIOError):
            self._seen += os.read(self._terminal, 65536)
        return text in self.text

    @property
    def text(self) -> str:
        """All that was drawn so far, without colours."""
        return re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", self._seen.decode(errors="replace"))

    def until(self, text: str) -> None:
        """Until it has been drawn."""
        try:
            wait_until(lambda: self.shows(text), text)
        except TimeoutError as error:
            raise AssertionError(f"{error}\n{self.text[-3000:]}") from error

    def press(self, key: str) -> None:
        os.write(self._terminal, key.encode())

    def echoes(self) -> bool:
        return bool(termios.tcgetattr(self._terminal)[3] & termios.ECHO)

    def exit_code(self) -> int:
        """Once it has ended, which it must do by itself."""
        wait_until(lambda: self.shows("") and self.process.poll() is not None, "the end")
        return int(self.process.returncode)


@contextmanager
def screen(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Screen]:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
    os.set_blocking(ours, False)
    process = subprocess.Popen(
        command, env={**environment, "TERM": "xterm"}, stdin=theirs, stdout=theirs, stderr=theirs,
        start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )  # fmt: skip
    try:
        yield Screen(process, ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)
