"""All that the plugin knows of a cluster and wants of it goes through kubectl, which has called it: that knows every
kubeconfig, login helper and proxy, and needs no library here."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from populate_jobs.errors import PopulateError

from populate_operator.kube.manifests.names import GROUP

Object = Mapping[str, Any]
"""As the API server has it."""

RESOURCE = f"populatejobs.{GROUP}"

_MANAGER = "--field-manager=populate"
"""Flux takes back what managers have set whose names begin with kubectl, also where Git does not have it."""
_OWN_LOG = re.compile(r"[EWI]\d{4} \d\d:")
"""Begins lines that kubectl logs by the way, again and again where a cluster is away; what it says comes after."""


class Refused(PopulateError):
    """kubectl could not do it, in its own words."""


@dataclass(frozen=True)
class Kubectl:
    context: str | None = None
    namespace: str | None = None
    """None is the context's."""
    everywhere: bool = False
    """In all namespaces."""
    patience: float = 30.0
    """Seconds that kubectl may take. Its own --request-timeout is one of seven where the cluster does not answer."""

    @property
    def where(self) -> str:
        here = f"namespace {self.namespace}" if self.namespace else "this namespace"
        return "any namespace" if self.everywhere else here

    def command(self, *words: str) -> list[str]:
        context = ["--context", self.context] if self.context else []
        where = ["--all-namespaces"] if self.everywhere else ["--namespace", self.namespace] if self.namespace else []
        return ["kubectl", *context, *words, *where]

    def __call__(self, *words: str) -> str:
        """What it printed. Raises Refused."""
        command, nobody = self.command(*words), subprocess.DEVNULL
        try:
            done = subprocess.run(command, stdin=nobody, capture_output=True, text=True, timeout=self.patience)
        except FileNotFoundError as error:
            raise Refused("kubectl is not on the PATH") from error
        except subprocess.TimeoutExpired as error:
            raise Refused(f"kubectl has had no answer within {self.patience:g} s: is the cluster there?") from error
        if done.returncode:
            said = [line for line in done.stderr.splitlines() if not _OWN_LOG.match(line)]
            raise Refused("\n".join(said) or f"kubectl ended with status {done.returncode}")
        return done.stdout

    def populatejobs(self) -> list[Object]:
        found: list[Object] = json.loads(self("get", RESOURCE, "--output=json"))["items"]
        return found

    def merge(self, job: Object, patch: Object) -> None:
        """Raises Refused."""
        there = replace(self, namespace=job["metadata"]["namespace"], everywhere=False)
        options = ("--type=merge", _MANAGER, f"--patch={json.dumps(patch)}")
        there("patch", RESOURCE, job["metadata"]["name"], *options)
