"""The operator's own objects in the cluster, as they were last seen: fed by watching, set right by listing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .api import EVERYWHERE, Object
from .manifests.names import COMPONENT, POPULATEJOB

Key = tuple[str, str, str]
"""Kind, namespace, name."""
ENDED = frozenset({"Succeeded", "Failed"})
"""Phases of a pod of which nothing runs any more."""
Owner = tuple[str, str]
"""Namespace and name of a PopulateJob."""


class Store:
    def __init__(self) -> None:
        self._objects: dict[Key, Object] = {}
        self._families: dict[Owner, dict[Key, Object]] = {}
        self._touched: set[Key] = set()
        """Since the last listing of its namespace began."""
        self._gone: dict[str, str] = {}
        """Namespaces by the uids of what was deleted since then: an answer to a request may come later than that."""

    def put(self, seen: Object) -> None:
        """Nothing happens where a later version of it was seen already."""
        seen = slim(seen)
        if seen["metadata"]["uid"] in self._gone:
            return
        key = key_of(seen)
        known = self._objects.get(key)
        self._touched.add(key)
        if known is None or version_of(known) <= version_of(seen):
            self._keep(seen)

    def drop(self, seen: Object) -> None:
        self._touched.add(key_of(seen))
        self._gone[seen["metadata"]["uid"]] = seen["metadata"]["namespace"]
        self._forget(seen)

    def begin_listing(self, namespace: str = EVERYWHERE) -> None:
        self._touched = {key for key in self._touched if not is_in(key[1], namespace)}
        self._gone = {uid: where for uid, where in self._gone.items() if not is_in(where, namespace)}

    def replace(self, kind: str, listed: Iterable[Object], namespace: str = EVERYWHERE) -> list[Object]:
        """What changed by it. What was seen since begin_listing() is newer than the list."""
        found = {key_of(item): slim(item) for item in listed}
        known = {key: item for key, item in self._objects.items() if key[0] == kind and is_in(key[1], namespace)}
        gone = [item for key, item in known.items() if key not in found and key not in self._touched]
        new = [item for key, item in found.items() if key not in self._touched and known.get(key) != item]
        for item in gone:
            self._forget(item)
        for item in new:
            self._keep(item)
        return gone + new

    def get(self, kind: str, namespace: str, name: str) -> Object | None:
        return self._objects.get((kind, namespace, name))

    def of(self, owner: Owner, kind: str, component: str) -> list[Object]:
        family = self._families.get(owner, {})
        return [item for key, item in family.items() if key[0] == kind and _label(item, COMPONENT) == component]

    def _keep(self, item: Object) -> None:
        self._objects[key_of(item)] = item
        self._families.setdefault(owner_of(item), {})[key_of(item)] = item

    def _forget(self, item: Object) -> None:
        known = self._objects.pop(key_of(item), item)
        family = self._families.get(owner_of(known), {})
        family.pop(key_of(known), None)
        if not family:
            self._families.pop(owner_of(known), None)


def is_in(namespace: str, listed: str) -> bool:
    """Whether it is the one that is listed, or all are."""
    return listed in (namespace, EVERYWHERE)


def slim(seen: Object) -> Object:
    """Without what nobody here reads, which is most of it where there are thousands."""
    metadata = {name: value for name, value in seen["metadata"].items() if name != "managedFields"}
    if seen["kind"] == "Deployment":
        spec = {"replicas": seen["spec"].get("replicas", 0), "strategy": seen["spec"].get("strategy", {})}
        return {**seen, "metadata": metadata, "spec": spec}
    if seen["kind"] == "Pod" and seen.get("status", {}).get("phase") in ENDED:
        containers = [_slim_container(found) for found in seen.get("spec", {}).get("containers", [])]
        return {**seen, "metadata": metadata, "spec": {"containers": containers}}
    return {**seen, "metadata": metadata}


def _slim_container(found: Object) -> Object:
    return {name: found[name] for name in ("name", "command", "resources") if name in found}


def key_of(seen: Object) -> Key:
    return seen["kind"], seen["metadata"]["namespace"], seen["metadata"]["name"]


def owner_of(seen: Object) -> Owner:
    return seen["metadata"]["namespace"], str(_label(seen, POPULATEJOB))


def _label(item: Object, name: str) -> Any:
    return item["metadata"].get("labels", {}).get(name)


def version_of(item: Object) -> int:
    # Comparable as numbers: promised from Kubernetes 1.35 on, and so in every server before it.
    return int(item["metadata"].get("resourceVersion", 0))
