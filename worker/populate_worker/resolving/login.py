"""DataJoint's own connection, with the TLS mode of the PopulateJob; all else DataJoint reads from DJ_* itself."""

from __future__ import annotations

import atexit
import os
import tempfile
from typing import Any

import datajoint as dj
from populate_jobs import DatabaseSettings
from populate_jobs.errors import DatabaseUnreachable


def log_in(settings: DatabaseSettings) -> None:
    """To be called before the lab's code is imported, which may connect at once. Raises DatabaseUnreachable.

    Left to itself, with use_tls=True or False even, DataJoint encrypts where the server can and falls back to
    plaintext: that is `preferred`, and does for `disabled`. On PostgreSQL `verify-full` has it check the certificate
    but not the host name in it: it offers no way to ask for more.
    """
    try:
        if settings.tls == "required":
            dj.conn(reset=True, use_tls={"check_hostname": False})
        elif settings.tls == "verify-full":
            dj.conn(reset=True, use_tls=_verified(settings))
    except Exception as error:
        raise DatabaseUnreachable(f"DataJoint cannot connect with tls {settings.tls}: {error}") from error


def _verified(settings: DatabaseSettings) -> dict[str, Any]:
    authority = _file(settings.ca) if settings.ca else None
    if settings.backend == "postgresql":
        os.environ["PGSSLROOTCERT"] = authority or "system"
    return {"ca": authority, "check_hostname": True, "verify_mode": "required"}


def _file(text: str) -> str:
    """A file for as long as the process lives: every reconnect reads it again."""
    with tempfile.NamedTemporaryFile("w", suffix=".crt", delete=False) as file:
        file.write(text)
    atexit.register(os.unlink, file.name)
    return file.name
