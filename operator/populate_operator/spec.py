"""The PopulateJob as typed values.

The CustomResourceDefinition describes each field; the defaults here are the same, and a test holds them to it.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class SecretRef:
    """A Secret in the PopulateJob's own namespace."""

    name: str = "datajoint"


@dataclass(frozen=True)
class Database:
    secret_ref: SecretRef = SecretRef()


@dataclass(frozen=True)
class Refresh:
    """Durations in seconds; None for the interval is adaptive, for resolving only when the spec changes."""

    interval_seconds: int | None = None
    delay_seconds: int = 0
    stale_timeout_seconds: int = 3600
    resolve_interval_seconds: int | None = None


@dataclass(frozen=True)
class Scaling:
    """How many workers run: max_workers 0 wins over min_workers, target_drain_seconds over keys_per_worker."""

    min_workers: int = 0
    max_workers: int = 10
    keys_per_worker: int = 1
    target_drain_seconds: int | None = None
    scale_down_delay_seconds: int = 5


@dataclass(frozen=True)
class Retry:
    """`limit` retries after the first attempt, for what retry_on and the transient database errors match."""

    limit: int = 3
    backoff_seconds: int = 10
    max_backoff_seconds: int = 600
    retry_on: tuple[str, ...] = ()
    fail_on: tuple[str, ...] = ()


@dataclass(frozen=True)
class Worker:
    image: str
    concurrency: int = 1
    drain_seconds: int = 30
    make_kwargs: Mapping[str, Any] = field(default_factory=dict)
    template: Mapping[str, Any] = field(default_factory=dict)
    """A Kubernetes PodTemplateSpec, as it was written."""


@dataclass(frozen=True)
class Spec:
    """What to make, with which database and workers. None is the absence of a limit or of an automatism."""

    table: str
    worker: Worker
    restriction: str | None = None
    restrict_by: tuple[Mapping[str, Any], ...] = ()
    """The terms as they were written; resolve, which knows the attributes, reads them."""
    priority: int = 5
    mode: Literal["Continuous", "Once"] = "Continuous"
    suspend: bool = False
    database: Database = Database()
    refresh: Refresh = Refresh()
    scaling: Scaling = Scaling()
    retry: Retry = Retry()
    timeout_seconds: int | None = None
    on_empty: Literal["Ignore", "Error"] = "Ignore"
    keep_completed: bool = False
    orphan_timeout_seconds: int | None = None
    deletion_policy: Literal["Retain", "RemovePending"] = "Retain"
    ttl_seconds_after_finished: int | None = None


@dataclass(frozen=True)
class PopulateJob:
    name: str
    namespace: str
    spec: Spec
    generation: int = 1
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_object(cls, value: Mapping[str, Any]) -> PopulateJob:
        """From an object that the CustomResourceDefinition's schema has passed, on a server or here.

        Fields that this version does not know are passed over: a newer definition may have added them.
        """
        metadata = value["metadata"]
        return cls(
            name=metadata["name"],
            namespace=metadata.get("namespace", "default"),
            spec=_typed(Spec, value["spec"]),
            generation=metadata.get("generation", 1),
            labels=metadata.get("labels", {}),
            annotations=metadata.get("annotations", {}),
        )


def _typed(cls: type[T], values: Mapping[str, Any]) -> T:
    types = _types(typing.cast(Any, cls))
    given = {name: values[_camel(name)] for name in types if _camel(name) in values}
    return cls(**{name: _value(types[name], value) for name, value in given.items()})


@functools.cache
def _types(cls: Any) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _value(kind: Any, value: Any) -> Any:
    if dataclasses.is_dataclass(kind):
        return _typed(typing.cast(type, kind), value)
    return tuple(value) if isinstance(value, list) else value


def _camel(name: str) -> str:
    return re.sub("_(.)", lambda letter: letter[1].upper(), name)
