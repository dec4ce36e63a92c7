"""Which workers have died, and of what. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from populate_operator.text import one_line

from .api import Object
from .containers import container, last_end
from .manifests.pod import CONTAINER
from .pods import host, is_over

RAISE = "raise resources.limits.memory of the container `worker` in spec.worker.template"

RAISE_DISK = "raise resources.limits of ephemeral-storage, or the volume's sizeLimit, in spec.worker.template"
_WROTE_TOO_MUCH = re.compile(
    r"ephemeral local storage usage exceeds|exceeded its local ephemeral storage limit|EmptyDir volume .* exceeds"
)

_IN_ORDER = frozenset({0, 2, 3, 4, 5})
"""Exit statuses of a worker that left by itself: no key of its is to blame."""
_WITH_THE_NODE = frozenset({"Unknown", "ContainerStatusUnknown"})
"""What a container is said to have ended of that the node has lost sight of, such as at its restart."""


def deaths(pods: Iterable[Object], ours: str) -> dict[str, str | None]:
    """Of pods that are over, or whose worker has fallen: None where no key of its may be to blame, such as evicted."""
    return {host(pod, ours): _cause(pod) for pod in pods if is_over(pod) or fallen(pod) is not None}


def fallen(pod: Object) -> int | None:
    """Of a pod whose worker has ended and does not run again yet: how often it had been started again before."""
    state, restarts = container(pod).get("state", {}), int(container(pod).get("restartCount", 0))
    has_run = restarts > 0 or bool(last_end(container(pod)))
    return restarts if has_run and state and "running" not in state else None


def _cause(pod: Object) -> str | None:
    ended = last_end(container(pod))
    reason, code = ended.get("reason"), ended.get("exitCode")
    if pod["status"].get("reason"):  # Evicted, Preempting, NodeShutdown, ...: sent away by the cluster
        return _own_limit(pod["status"])
    if reason == "OOMKilled":
        return f"its worker was OOMKilled: {_memory(pod)}; {RAISE}"
    if is_over(pod) or reason in _WITH_THE_NODE or code is None or code in _IN_ORDER:
        return None
    return f"its worker ended with status {code}"


def _own_limit(status: Mapping[str, Any]) -> str | None:
    """A pod is evicted for what it has written beyond its own limit, too: not for the node's sake."""
    message = one_line(status.get("message", ""))
    if status["reason"] != "Evicted" or not _WROTE_TOO_MUCH.search(message):
        return None
    return f"its worker was evicted for what it wrote: {message}; {RAISE_DISK}"


def _memory(pod: Object) -> str:
    containers = [item for item in pod.get("spec", {}).get("containers", []) if item["name"] == CONTAINER]
    limit = next((item.get("resources", {}).get("limits", {}).get("memory") for item in containers), None)
    return f"a limit of {limit}" if limit else "no limit but the node's memory"
