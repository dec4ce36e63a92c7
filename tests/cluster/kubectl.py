"""kubectl and helm, of the versions that the project builds."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from tests.servers.host import wait_until

from . import golang

Manifest = Mapping[str, Any]


class Refused(Exception):
    """The program failed; the message is what it said."""


class Program:
    """Runs one of golang's programs against one cluster."""

    def __init__(self, name: str, kubeconfig: Path) -> None:
        self._program = golang.program(name)
        self._environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}

    def __call__(self, *arguments: str, stdin: str | None = None) -> str:
        """What it printed. Raises Refused."""
        done = subprocess.run(
            [self._program, *arguments], env=self._environment, input=stdin, capture_output=True, text=True
        )
        if done.returncode:
            raise Refused(done.stderr.strip())
        return done.stdout

    def start(self, *arguments: str, output: IO[str]) -> "subprocess.Popen[bytes]":
        """Leaves it running."""
        return subprocess.Popen([self._program, *arguments], env=self._environment, stdout=output, stderr=output)


class Kubectl(Program):
    def __init__(self, kubeconfig: Path) -> None:
        super().__init__("kubectl", kubeconfig)

    def apply(self, *manifests: Manifest, options: Sequence[str] = ()) -> str:
        """Apply manifests or, as names of files would be read, their documents. Raises Refused."""
        documents = "\n---\n".join(json.dumps(manifest) for manifest in manifests)
        return self("apply", "--filename=-", *options, stdin=documents)

    def define(self, *files: Path) -> None:
        """Apply the definitions in these files, as many processes may at once, and wait until each is served."""
        names = [f"--filename={file}" for file in files]
        self("apply", "--server-side", "--force-conflicts", *names)

        def served() -> bool:
            # Not `kubectl wait`, which fails where a definition has no conditions yet.
            found = self.get(*names)
            return all(map(_is_established, found.get("items", [found])))

        wait_until(served, f"{[file.name for file in files]} served")

    def get(self, *arguments: str) -> Any:
        """The object, or the list of objects. Raises Refused."""
        return json.loads(self("get", *arguments, "--output=json"))


def _is_established(definition: Manifest) -> bool:
    conditions = definition.get("status", {}).get("conditions") or []
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)
