"""A strategic merge of pod templates: mappings merge, lists of named things merge by name, all else is replaced.

What has another shape than a pod template's is passed on as it is: the API server says best what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

KEYS = {
    "containers": "name",
    "initContainers": "name",
    "volumes": "name",
    "env": "name",
    "volumeMounts": "mountPath",
    "ports": "containerPort",
    "imagePullSecrets": "name",
}
"""What the elements of these lists are told apart by, as in the API server's own merge."""


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` wins; null in it takes away what `under` has."""
    result = dict(under)
    for name, value in over.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = _value(name, result.get(name), value)
    return result


def _value(name: str, under: Any, over: Any) -> Any:
    if isinstance(over, Mapping):
        return merged(under if isinstance(under, Mapping) else {}, over)
    key = KEYS.get(name)
    if key and isinstance(under, list) and _all_have(key, over):
        return _by_key(key, under, over) if _all_have(key, under) else [*under, *over]
    return over


def _by_key(key: str, under: Sequence[Mapping[str, Any]], over: Sequence[Mapping[str, Any]]) -> list[Any]:
    result = {item[key]: item for item in under}
    for item in over:
        result[item[key]] = merged(result.get(item[key], {}), item)
    return list(result.values())


def _all_have(key: str, items: Any) -> bool:
    return isinstance(items, list) and all(
        isinstance(item, Mapping) and isinstance(item.get(key), str | int) for item in items
    )
