"""The resolve document: what the lab's image knows, as plain names and SQL.

`populate-worker resolve` prints one; the operator keeps it and workers read it, so that neither
the operator nor the supervisor needs DataJoint or the lab's code.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import DocumentError, ResolveRefused
from .types import only_fields

PROTOCOL = 1
"""Raised when a reader of the previous version would misread a document."""

BEGIN = "-----BEGIN POPULATE RESOLVE-----"
END = "-----END POPULATE RESOLVE-----"
LONGEST = 900 * 2**10
"""Characters; a ConfigMap, where it is kept, holds a MiB."""
_REASON = re.compile(r"[A-Z][A-Za-z0-9]{0,99}")
_FULL_NAME = re.compile(r"([`\"]).+\1\.\1.+\1")


@dataclass(frozen=True)
class Attribute:
    """A primary-key attribute of the jobs table, with its type on the server (`varchar(12)`, ...) or `uuid`."""

    name: str
    type: str


@dataclass(frozen=True)
class ServerIdentity:
    """Which server answered at resolve: enough to notice that a Secret now names another one."""

    version: str
    identity: str
    """server_uuid, or host name and port; a system identifier on PostgreSQL where it may be read."""
    time_zone: str
    shows_connections: bool = False
    """Whether the user sees everybody's: on MySQL and MariaDB that takes the right PROCESS."""


@dataclass(frozen=True)
class ResolveDocument:
    """What `spec.table` and its restriction mean in one database.

    All names are fully qualified and quoted; all SQL is plain (a percent sign stands for itself).
    """

    protocol: int
    table: str
    """Import path of the class, as in `spec.table`."""
    backend: str
    """`mysql` (MariaDB too) or `postgresql`."""
    schema: str
    """Unquoted name of the schema that holds target and jobs table."""
    target: str
    jobs: str
    primary_key: tuple[Attribute, ...]
    """The attributes of the jobs table's primary key, in its order."""
    key_source: str
    """SELECT of the key attributes, by name, over the whole table."""
    restricted_key_source: str
    """The same under the PopulateJob's restriction."""
    restriction: str
    """The restriction as a condition on the key attributes; empty where there is none."""
    upstream: tuple[str, ...]
    """Tables that key_source reads, as full names."""
    server: ServerIdentity
    versions: Mapping[str, str]
    """`datajoint`, `python`, `populate` and what else is useful to know."""
    warnings: tuple[str, ...] = ()

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> ResolveDocument:
        """Raises DocumentError where the text is no document of protocol N or N-1."""
        data = _parsed(text)
        try:
            document = cls(
                **{
                    **only_fields(cls, data),
                    "primary_key": tuple(Attribute(**only_fields(Attribute, part)) for part in data["primary_key"]),
                    "upstream": tuple(data["upstream"]),
                    "server": ServerIdentity(**only_fields(ServerIdentity, data["server"])),
                    "warnings": tuple(data.get("warnings", ())),
                }
            )
        except (AttributeError, KeyError, TypeError) as error:
            raise DocumentError(f"the resolve document is incomplete: {error}") from error
        if wrong := sorted(set(_wrong(document))):
            raise DocumentError(f"the resolve document is not as it should be in: {', '.join(wrong)}")
        return document


def read_output(output: str) -> ResolveDocument:
    """What a run of resolve printed; raises ResolveRefused where it refused, DocumentError where it says neither."""
    text = between_sentinels(output)
    refused = _parsed(text).get("refused")
    if refused is None:
        return ResolveDocument.from_json(text)
    try:
        reason, message, traceback = (str(refused[part]) for part in ("reason", "message", "traceback"))
    except (KeyError, TypeError) as error:
        raise DocumentError(f"the refusal is incomplete: {error!r}") from error
    if not _REASON.fullmatch(reason):
        raise DocumentError("the refusal's reason is no CamelCase word")
    raise ResolveRefused(reason, message, traceback=traceback)


def refusal_to_json(refusal: ResolveRefused) -> str:
    """What stands in the place of a document where there can be none."""
    refused = {"reason": refusal.reason, "message": str(refusal), "traceback": refusal.traceback}
    return json.dumps({"protocol": PROTOCOL, "refused": refused})


def between_sentinels(output: str) -> str:
    """The last document in a log that holds other lines too; raises DocumentError where there is none."""
    start, end = output.rfind(BEGIN), output.rfind(END)
    if start < 0 or end < start:
        raise DocumentError("no resolve document in the output")
    if end - start > LONGEST:
        raise DocumentError(f"the resolve document is longer than {LONGEST} characters")
    return output[start + len(BEGIN) : end].strip()


def _parsed(text: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"the resolve document is not JSON: {error}") from error
    found = data.get("protocol") if isinstance(data, dict) else type(data).__name__
    if found not in (PROTOCOL, PROTOCOL - 1):
        raise DocumentError(f"resolve document of protocol {found}; this side speaks {PROTOCOL} and {PROTOCOL - 1}")
    return dict(data)


def _wrong(document: ResolveDocument) -> Iterator[str]:
    """Fields that are not what they should be: whatever is in the image may have printed this."""
    parts: list[ResolveDocument | ServerIdentity | Attribute] = [document, document.server, *document.primary_key]
    for part in parts:
        for field in dataclasses.fields(part):
            if field.type == "str" and not isinstance(getattr(part, field.name), str):
                yield field.name
    tables = {"target": (document.target,), "jobs": (document.jobs,), "upstream": document.upstream}
    for name, those in tables.items():
        if not all(isinstance(table, str) and _FULL_NAME.fullmatch(table) for table in those):
            yield name
    if not all(isinstance(warning, str) for warning in document.warnings):
        yield "warnings"
