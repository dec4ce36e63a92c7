"""The programs that make up a running node."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.servers.host import Unavailable, wait_until

from .commands import COMMANDS
from .namespaces import Namespaces


class Parts:
    """Started in the node's namespaces, each with a log of its name in `logs`; they end with the namespaces."""

    def __init__(self, namespaces: Namespaces, logs: Path) -> None:
        self._namespaces = namespaces
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, *names: str) -> None:
        for name in names:
            self._running[name] = self._namespaces.start(self._logs / name, *COMMANDS[name])

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Raise Unavailable with the end of its log when a part ends before the condition holds."""
        wait_until(lambda: condition() or bool(self._ended()), what)
        for name in self._ended():
            raise Unavailable(f"{name} ended; its log ends:\n{(self._logs / name).read_text()[-1500:]}")

    def _ended(self) -> list[str]:
        return [name for name, process in self._running.items() if process.poll() is not None]
