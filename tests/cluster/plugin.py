"""`kubectl populate` as it is installed, called by kubectl, as somebody who has a kubeconfig types it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.servers.host import PATIENCE
from tests.terminal import Screen, screen

from . import golang

ASKING = ("retry", "ignore", "refresh", "suspend", "resume")
"""Those that wait until the operator has done it."""


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    def rows(self) -> list[list[str]]:
        """Of a table without its head: words."""
        return [line.split() for line in self.out.splitlines()[2:]]


class Plugin:
    def __init__(self, kubeconfig: Path) -> None:
        self.environment = {**os.environ, "PATH": path(), "KUBECONFIG": str(kubeconfig)}

    def __call__(self, line: str) -> Done:
        """What became of `kubectl populate`, followed by this."""
        words = self._words(line)
        done = subprocess.run(
            words, env=self.environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=PATIENCE
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def data(self, line: str) -> Any:
        """What it says to programs."""
        done = self(f"{line} -o json")
        assert done.code == 0, done
        return json.loads(done.out)

    def on_a_screen(self, line: str) -> AbstractContextManager[Screen]:
        return screen(self._words(line), self.environment)

    def _words(self, line: str) -> list[str]:
        words = shlex.split(line)
        # Ten seconds, which they have by themselves, are a short time on a busy machine.
        patient = [] if words[0] not in ASKING or "--timeout" in words else ["--timeout=150"]
        return [str(golang.program("kubectl")), "populate", *words, *patient]


def path() -> str:
    """PATH with what the project installs, kubectl and helm."""
    folders = [Path(sys.executable).parent, *(golang.program(name).parent for name in ("kubectl", "helm"))]
    return os.pathsep.join([*map(str, folders), os.environ["PATH"]])


def write_kubeconfig(kubeconfig: Path, to: Path, namespace: str, **tokens: str) -> None:
    """One with the contexts `here`, as in `kubeconfig`, and one for each of these users, all in the namespace."""
    found = yaml.safe_load(kubeconfig.read_text())
    now = next(entry["context"] for entry in found["contexts"] if entry["name"] == found["current-context"])
    users = {"here": now["user"], **{name: name for name in tokens}}
    contexts = [
        {"name": name, "context": {"cluster": now["cluster"], "user": user, "namespace": namespace}}
        for name, user in users.items()
    ]
    others = [{"name": name, "user": {"token": token}} for name, token in tokens.items()]
    written = {**found, "contexts": contexts, "current-context": "here", "users": [*found["users"], *others]}
    to.touch(mode=0o600)
    to.write_text(json.dumps(written))
