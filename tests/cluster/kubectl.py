"""kubectl, of the version that the project builds."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import golang

Manifest = Mapping[str, Any]


class Refused(Exception):
    """kubectl failed; the message is what it said."""


class Kubectl:
    """Runs kubectl against one cluster."""

    def __init__(self, kubeconfig: Path) -> None:
        self._program = golang.program("kubectl")
        self._environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}

    def __call__(self, *arguments: str, stdin: str | None = None) -> str:
        """What kubectl printed. Raises Refused."""
        done = subprocess.run(
            [self._program, *arguments], env=self._environment, input=stdin, capture_output=True, text=True
        )
        if done.returncode:
            raise Refused(done.stderr.strip())
        return done.stdout

    def apply(self, *manifests: Manifest, options: Sequence[str] = ()) -> str:
        """Apply manifests or, as names of files would be read, their documents. Raises Refused."""
        documents = "\n---\n".join(json.dumps(manifest) for manifest in manifests)
        return self("apply", "--filename=-", *options, stdin=documents)

    def get(self, *arguments: str) -> Any:
        """The object, or the list of objects. Raises Refused."""
        return json.loads(self("get", *arguments, "--output=json"))
