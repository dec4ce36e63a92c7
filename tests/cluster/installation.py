"""The operator in a cluster, from the chart and its image."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.servers.host import wait_until

from .kubectl import Kubectl, Program

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "populate-operator"
DEFINITION = ROOT / "crds" / "populatejobs.yaml"
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


class Installation:
    """A release of the chart in a namespace of its own, which has the release's name."""

    def __init__(self, kubectl: Kubectl, helm: Program, name: str, image: str, **values: Any) -> None:
        repository, _, tag = image.rpartition(":")
        self.name = name
        self._kubectl = kubectl
        self._helm = helm
        own = {"image": {"repository": repository, "tag": tag}, "verbose": True}
        self._values = {**own, "crds": {"install": False}, **values}  # the definition is every release's

    def __enter__(self) -> "Installation":
        create_namespace(self._kubectl, self.name)
        try:
            self.configure()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._helm("uninstall", self.name, *self._here)
        self._kubectl("delete", "namespace", self.name, "--wait=false")

    def configure(self, **values: Any) -> None:
        """Returns when an operator with these values, besides the first ones, runs."""
        self._helm(
            *("upgrade", "--install", self.name, str(CHART), f"--namespace={self.name}", "--values=-"),
            stdin=json.dumps(self._values | values),
        )
        self._kubectl("rollout", "status", f"deployment/{self.name}", *self._here, "--timeout=240s")

    def replace(self) -> None:
        """Ends the operator's pod at once, as a lost node does, and returns when there is another."""
        (pod,) = self.pods()
        self._kubectl("delete", f"pod/{pod}", *self._here, "--grace-period=0", "--force")
        wait_until(lambda: pod not in self.pods(), "the operator's pod gone")
        self._kubectl("rollout", "status", f"deployment/{self.name}", *self._here, "--timeout=240s")

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """While the block runs there is none."""
        self._kubectl("scale", f"deployment/{self.name}", *self._here, "--replicas=0")
        wait_until(lambda: not self._every_pod(), "the operator gone")
        try:
            yield
        finally:
            self._kubectl("scale", f"deployment/{self.name}", *self._here, "--replicas=1")
            self._kubectl("rollout", "status", f"deployment/{self.name}", *self._here, "--timeout=240s")

    def check(self) -> str:
        """What `helm test` says. Raises Refused where it fails."""
        return self._helm("test", self.name, *self._here, "--timeout=240s")

    def pods(self) -> list[str]:
        """But for those that were told to go."""
        return [pod["metadata"]["name"] for pod in self._every_pod() if "deletionTimestamp" not in pod["metadata"]]

    def _every_pod(self) -> list[Any]:
        ours = "--selector=app.kubernetes.io/name=populate-operator"  # not those of a check
        found: list[Any] = self._kubectl.get("pods", *self._here, ours)["items"]
        return found

    def metrics(self) -> str:
        """As the only operator serves them."""
        (pod,) = self.pods()
        return self._kubectl("get", "--raw", f"/api/v1/namespaces/{self.name}/pods/{pod}:8081/proxy/metrics")

    def log(self, lines: int = -1) -> str:
        return self._kubectl("logs", f"deployment/{self.name}", *self._here, f"--tail={lines}")

    @property
    def _here(self) -> tuple[str]:
        return (f"--namespace={self.name}",)


def create_namespace(kubectl: Kubectl, name: str) -> None:
    """One that admits restricted pods only."""
    kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}})
    kubectl("wait", "--for=create", "serviceaccount/default", f"--namespace={name}", "--timeout=240s")
