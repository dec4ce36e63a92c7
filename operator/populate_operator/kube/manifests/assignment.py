"""The ConfigMap that tells a PopulateJob's workers what to do, and the operator what resolve said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from populate_jobs import Assignment, ResolveDocument
from populate_jobs.errors import DocumentError

from populate_operator.plan.metav1 import timestamp
from populate_operator.question import worker_settings
from populate_operator.spec import PopulateJob

from . import names

FILE = "assignment.json"


@dataclass(frozen=True)
class Answer:
    """What resolve said, to which question, and when."""

    document: ResolveDocument
    question: str
    at: datetime
    address: str = ""
    """Digest of where the database was; empty where that was not written down."""


def assignment(
    job: PopulateJob, owner: Mapping[str, Any], answer: Answer, now: datetime, *, paused: bool = False
) -> dict[str, Any]:
    text = Assignment(answer.document, worker_settings(job.spec), paused).to_json()
    annotations = {
        names.APPLIED: _digest(text, answer.question, answer.at.isoformat()),
        names.QUESTION: answer.question,
        names.RESOLVED_AT: answer.at.isoformat(),
        names.CHANGED_AT: timestamp(now),
        names.DATABASE: answer.address,
    }
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": names.metadata(owner, names.assignment_name(job.name), names.ASSIGNMENT, **annotations),
        "data": {FILE: text},
    }


def is_intact(config_map: Mapping[str, Any]) -> bool:
    """Whether it says what its digest is of."""
    said = config_map.get("data", {}).get(FILE)
    annotations = config_map["metadata"].get("annotations", {})
    about = (annotations.get(name) for name in (names.QUESTION, names.RESOLVED_AT))
    return bool(annotations.get(names.APPLIED) == _digest(said, *about))


def _digest(text: str | None, question: str | None, at: str | None) -> str:
    return names.digest([text, question, at])


def read(config_map: Mapping[str, Any]) -> Answer | None:
    """What is kept in the ConfigMap; None where it cannot be used."""
    annotations = config_map["metadata"].get("annotations", {})
    try:
        return Answer(
            Assignment.from_json(config_map["data"][FILE]).document,
            annotations[names.QUESTION],
            datetime.fromisoformat(annotations[names.RESOLVED_AT]),
            annotations.get(names.DATABASE, ""),
        )
    except (KeyError, ValueError, DocumentError):
        return None
