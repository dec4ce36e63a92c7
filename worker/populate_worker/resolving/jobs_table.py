"""DataJoint's jobs table of a class: declared where it is missing, refused where it could not hold a queue."""

from __future__ import annotations

import re
from typing import Any

import datajoint as dj
from datajoint.declare import match_type
from datajoint.errors import DataJointError
from populate_jobs import Attribute
from populate_jobs.errors import ResolveRefused

from .locate import database_reason

_SINGLE_PRECISION = re.compile("float|real")


def declare(target: Any, path: str) -> tuple[Any, tuple[Attribute, ...]]:
    """The jobs table of `target`, which is at `path`, and its primary key."""
    _refuse_no_foreign_key(target, path)
    _refuse_unsupported_key_types(target, path)
    try:
        _refuse_reserved_names(target, path)
        jobs = target.jobs
        heading = jobs.heading
    except ResolveRefused:
        raise
    except Exception as error:
        reason = database_reason(error) or "JobsTableInvalid"
        raise ResolveRefused(reason, f"the jobs table of {path} cannot be declared: {error}") from error
    return jobs, tuple(Attribute(name, _type(heading[name])) for name in jobs.primary_key)


def _refuse_no_foreign_key(target: Any, path: str) -> None:
    if target.parents(primary=True):
        return
    if "->" in str(target.definition).partition("---")[0]:
        raise ResolveRefused(
            "MissingGrant",
            f"the server shows no foreign key of {path}, though its definition has one: PostgreSQL shows them only to "
            f"users who may do more than read the table",
        )
    raise ResolveRefused(
        "JobsTableInvalid",
        f"the primary key of {path} has no foreign key, so there is nothing to make it from: "
        f"begin its definition with -> and a parent table",
    )


def _refuse_unsupported_key_types(target: Any, path: str) -> None:
    for name in target.primary_key:
        type_ = _type(target.heading[name])
        try:
            match_type(type_)
            # A uuid cannot be inserted there; a number of single precision is not equal to what was read of it.
            unusable = (target.adapter.backend, type_) == ("postgresql", "uuid") or _SINGLE_PRECISION.match(type_)
            supported = not unusable
        except DataJointError:
            supported = False
        if not supported:
            raise ResolveRefused(
                "KeyTypeUnsupported",
                f"key attribute {name} of {path} is {type_}: DataJoint {dj.__version__} cannot queue such keys on "
                f"{target.adapter.backend}; integers, strings, dates and decimals work",
            )


def _refuse_reserved_names(target: Any, path: str) -> None:
    """DataJoint would declare one column for both, and reserving a key would change it."""
    own = re.findall(r"^\s*(\w+) *[=:]", dj.Job(target).definition.partition("---")[2], re.MULTILINE)
    for name in target.primary_key:
        if name in own:
            raise ResolveRefused(
                "KeyNameReserved",
                f"key attribute {name} of {path} is named like a column of DataJoint's jobs table: "
                f"rename it, such as -> Parent.proj({target.table_name.strip('_')}_{name}='{name}')",
            )


def _type(attribute: Any) -> str:
    """As the server has it: the type that DataJoint keeps in the comment ends at the first colon of an enum."""
    return "uuid" if attribute.uuid else str(attribute.type)
