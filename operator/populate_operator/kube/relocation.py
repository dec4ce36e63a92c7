"""Whether a Secret that changed names another server: work on the same table there would split its queue. Pure."""

from __future__ import annotations

from populate_jobs import DatabaseSettings, ResolveDocument
from populate_jobs.errors import ResolveRefused

from populate_operator.plan.conditions import SERVER_CHANGED

from .manifests import names
from .manifests.assignment import Answer


def address(settings: DatabaseSettings) -> str:
    """Digest of where a login leads, whoever logs in."""
    return names.digest([settings.backend, settings.host, settings.port, settings.database])


def is_elsewhere(kept: Answer, said: ResolveDocument, address: str) -> bool:
    """Whether another address leads to another server than the one that was worked on until now.

    A server that changed behind its address is taken for the same: so it is after a failover. So is one that will not
    say who it is.
    """
    if not kept.address or kept.address == address:
        return False
    before, now = kept.document, said
    if before.backend != now.backend:
        return True
    return bool(before.server.identity and now.server.identity and before.server.identity != now.server.identity)


def refusal(kept: Answer, said: ResolveDocument, secret: str) -> ResolveRefused:
    return ResolveRefused(
        SERVER_CHANGED,
        f"the Secret {secret} names another server ({_name(said)}; until now {_name(kept.document)}), and "
        f"{said.target} or its queue has rows there: name the old server again, or delete this PopulateJob and "
        f"create it anew for the new one; with deletionPolicy Retain no row is lost on either",
    )


def _name(document: ResolveDocument) -> str:
    return f"{document.backend} {document.server.identity or document.server.version}"
