"""A Git repository, and an Application of it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.cluster.kubectl import Kubectl
from tests.servers.host import wait_until

from .server import IN_CLUSTER, ArgoCD, Object

_AUTHOR = ("-c", "user.name=lab", "-c", "user.email=lab@lab.example")


class Repository:
    def __init__(self, folder: Path) -> None:
        self.url = f"file://{folder}"
        self.folder = folder
        self._git("init", "--quiet", "--initial-branch=main")

    def commit(self, **manifests: Object | None) -> str:
        """Has these, by the names of their files, and no longer those that are None; the revision."""
        for name, manifest in manifests.items():
            file = self.folder / f"{name}.yaml"
            file.unlink(missing_ok=True)
            if manifest is not None:
                file.write_text(json.dumps(manifest))
        self._git("add", "--all")
        self._git("commit", "--quiet", "--allow-empty", "--message=Change it")
        return self._git("rev-parse", "HEAD").strip()

    def _git(self, *arguments: str) -> str:
        alone = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        command = ["git", *_AUTHOR, *arguments]
        done = subprocess.run(command, cwd=self.folder, env=alone, capture_output=True, text=True, check=True)
        return done.stdout


def of(repository: Repository, name: str, namespace: str) -> Object:
    """Synced by itself, with pruning and self-heal, on the server's side; what fails is not tried again."""
    source = {"repoURL": repository.url, "path": ".", "targetRevision": "main"}
    automated = {"automated": {"prune": True, "selfHeal": True}}
    policy = {**automated, "syncOptions": ["ServerSideApply=true"], "retry": {"limit": 0}}
    destination = {"server": IN_CLUSTER, "namespace": namespace}
    spec = {"project": "default", "source": source, "destination": destination, "syncPolicy": policy}
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": name}, "spec": spec}


class Application:
    def __init__(self, kubectl: Kubectl, argocd: ArgoCD, manifest: Object) -> None:
        self.name = manifest["metadata"]["name"]
        self._argocd = argocd
        self._kubectl = kubectl
        kubectl.apply({**manifest, "metadata": {**manifest["metadata"], "namespace": argocd.namespace}})

    @property
    def seen(self) -> Object:
        found: Object = self._kubectl.get("application", self.name, self._here)
        return found

    @property
    def status(self) -> Object:
        return dict(self.seen.get("status", {}))

    @property
    def state(self) -> tuple[str | None, str | None]:
        """Whether it is Synced, and its health."""
        status = self.status
        return status.get("sync", {}).get("status"), status.get("health", {}).get("status")

    @property
    def operation(self) -> Object:
        """The sync that is going on, or the last one."""
        return dict(self.status.get("operationState", {}))

    def syncs(self) -> int:
        """How many succeeded."""
        return len(self.status.get("history", []))

    def health(self, name: str) -> tuple[str, str]:
        """Status and message of a resource; empty where there is none of that name."""
        found: Object = next((found for found in self.status.get("resources", []) if found["name"] == name), {})
        health = found.get("health", {})
        return health.get("status", ""), health.get("message", "")

    def result(self, name: str) -> Object:
        """What became of a resource in the last sync; empty where it had no part in it."""
        results = self.operation.get("syncResult", {}).get("resources", [])
        return next((result for result in results if result["name"] == name), {})

    def refresh(self) -> None:
        """Compares with Git as it is now, and returns when that was done."""
        mark = "argocd.argoproj.io/refresh"
        self._ask("annotate", "--overwrite", f"{mark}=hard")
        wait_until(lambda: mark not in self.seen["metadata"].get("annotations", {}), "compared")

    def until(self, sync: str, health: str, revision: str = "") -> None:
        """Until it is so, of this revision, with no sync going on."""
        self.refresh()
        wait_until(lambda: self._is(sync, health, revision), f"{self.name} {sync}, {health}")

    def until_health(self, name: str, status: str) -> str:
        """The message with which the resource has this health."""
        wait_until(lambda: self.health(name)[0] == status, f"{name} {status}")
        return self.health(name)[1]

    def until_operation(self, phase: str, revision: str, message: str = "") -> None:
        """Until the sync of this revision is so far, and its message begins so."""

        def reached() -> bool:
            found = self.operation
            of = found.get("operation", {}).get("sync", {}).get("revision")
            begins = str(found.get("message", "")).startswith(message)
            return bool(of == revision and found["phase"] == phase and begins)

        wait_until(reached, f"a sync of {revision} {phase}")

    def act(self, action: str, name: str) -> None:
        """Presses the button of a PopulateJob."""
        self._argocd("app", "actions", "run", self.name, action, "--kind=PopulateJob", f"--resource-name={name}")

    def actions(self, name: str) -> dict[str, bool]:
        """Whether each button of a PopulateJob can be pressed."""
        which = ("--kind=PopulateJob", f"--resource-name={name}", "--out=json")
        found = json.loads(self._argocd("app", "actions", "list", self.name, *which))
        return {action["Action"]: not action["Disabled"] for action in found}

    def delete(self, *options: str) -> None:
        self._ask("delete", *options)

    def _is(self, sync: str, health: str, revision: str) -> bool:
        seen = self.seen
        status: Any = seen.get("status", {})
        going = "operation" in seen or status.get("operationState", {}).get("phase") == "Running"
        compared = status.get("sync", {})
        of = compared.get("revision", "")
        found = (compared.get("status"), status.get("health", {}).get("status"))
        return found == (sync, health) and of.startswith(revision) and not going

    @property
    def _here(self) -> str:
        return f"--namespace={self._argocd.namespace}"

    def _ask(self, action: str, *options: str) -> None:
        self._kubectl(action, f"application/{self.name}", self._here, *options)
