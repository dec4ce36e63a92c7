"""Conditions as the Kubernetes API writes them (metav1.Condition)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from populate_operator.text import printable

from .conditions import Condition

LONGEST_MESSAGE = 1024
_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def timestamp(at: datetime) -> str:
    return at.astimezone(timezone.utc).strftime(_FORMAT)


def moment(text: str) -> datetime:
    """A timestamp of ours, read back."""
    return datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=timezone.utc)


def written(
    conditions: Iterable[Condition], previous: Sequence[Mapping[str, Any]], generation: int, now: datetime
) -> list[dict[str, Any]]:
    """lastTransitionTime is `now` only where a condition's status differs from the previous one's."""
    before = {condition["type"]: condition for condition in previous}
    return [_written(condition, before.get(condition.type), generation, now) for condition in conditions]


def _written(condition: Condition, before: Mapping[str, Any] | None, generation: int, now: datetime) -> dict[str, Any]:
    status = "True" if condition.status else "False"
    unchanged = before is not None and before["status"] == status
    return {
        "type": condition.type,
        "status": status,
        "reason": condition.reason,
        "message": _shortened(condition.message),
        "observedGeneration": generation,
        "lastTransitionTime": before["lastTransitionTime"] if before and unchanged else timestamp(now),
    }


def _shortened(message: str) -> str:
    message = printable(message[: LONGEST_MESSAGE + 1])
    return message if len(message) <= LONGEST_MESSAGE else message[: LONGEST_MESSAGE - 3] + "..."
