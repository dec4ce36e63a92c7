"""The databases' logins, from Secrets: each read again now and then, each with connections of its own namespace."""

from __future__ import annotations

import asyncio
import base64
import math
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from populate_jobs import DatabaseSettings
from populate_jobs.errors import PopulateError, SettingsError
from populate_jobs.settings import KEYS

from populate_operator.database.flight import Flight
from populate_operator.database.login import Login

from .api import Cluster, Object
from .metrics import Metrics

READ_EVERY = 10.0
"""Seconds after which a Secret that is in use is read again."""


@dataclass
class Known:
    read_at: float = -READ_EVERY
    found: DatabaseSettings | PopulateError | None = None
    up: bool | None = None
    """As Prometheus was told last."""


class Secrets:
    def __init__(
        self, cluster: Cluster, landed: Callable[[], None], changed: Callable[[str, str], None], metrics: Metrics
    ) -> None:
        """`changed` is called with namespace and name of a Secret that says something else than before."""
        self._cluster = cluster
        self._changed = changed
        self._landed = landed
        self._metrics = metrics
        self._flight = Flight(landed)
        self._known: dict[tuple[str, str], Known] = {}
        self._logins: dict[tuple[str, DatabaseSettings], Login] = {}

    def login(self, namespace: str, name: str) -> Login | PopulateError | None:
        """None until it was read. Two namespaces never share a connection, whatever their Secrets say."""
        known = self._known.setdefault((namespace, name), Known())
        if time.monotonic() - known.read_at >= READ_EVERY:
            self._read(namespace, name, known)
        if not isinstance(known.found, DatabaseSettings):
            return known.found
        key = (namespace, known.found)
        if key not in self._logins:
            self._logins[key] = Login(known.found, self._landed)
        return self._logins[key]

    def collect(self) -> None:
        """Secrets that were read, and what the rounds of the logins have found."""
        self._flight.collect()
        for login in self._logins.values():
            login.rounds.collect()
        for secret, known in self._known.items():
            if (up := self._is_up(secret[0], known)) is not known.up:
                known.up = up
                self._metrics.database(*secret, up)

    def go(self, clock: float) -> float:
        """Sends what was gathered for the rounds; the monotonic time of the next one."""
        for login in self._logins.values():
            login.go(clock)
        return min((login.rounds.next_at for login in self._logins.values()), default=math.inf)

    def keep_only(self, named: Collection[tuple[str, str]], used: Collection[Login]) -> None:
        """The Secrets, by namespace and name, that are still named, and the logins that are still used."""
        for secret in self._known.keys() - set(named):
            del self._known[secret]
            self._metrics.database(*secret, None)
        for key, login in list(self._logins.items()):
            if login not in used:
                del self._logins[key]
                login.close(0.0)

    def _is_up(self, namespace: str, known: Known) -> bool | None:
        """None until that is known."""
        if isinstance(known.found, PopulateError):
            return False
        login = self._logins.get((namespace, known.found)) if known.found else None
        return login.observe.is_up if login else None

    def _read(self, namespace: str, name: str, known: Known) -> None:
        def done(secret: Object | None) -> None:
            before = known.found
            known.read_at, known.found = time.monotonic(), _settings(secret, name)
            if not _same(before, known.found):
                self._changed(namespace, name)

        def failed(error: BaseException) -> None:
            known.read_at = time.monotonic()
            if known.found is None and isinstance(error, PopulateError):
                known.found = error
                self._changed(namespace, name)

        def read() -> asyncio.Future[Object | None]:
            return asyncio.ensure_future(self._cluster.find("Secret", namespace, name))

        self._flight.start(f"{namespace}/{name}", read, done, failed)


def _settings(secret: Object | None, name: str) -> DatabaseSettings | PopulateError:
    if secret is None:
        return SettingsError(f"there is no Secret {name}: create it with the keys host, user and password")
    try:
        return DatabaseSettings.from_secret(_decoded(secret.get("data", {}), name), source=f"the Secret {name}")
    except PopulateError as error:
        return error


def _same(before: object, now: object) -> bool:
    return before == now or (isinstance(now, PopulateError) and str(before) == str(now))


def _decoded(data: dict[str, Any], name: str) -> dict[str, str]:
    """What a login consists of; all else in the Secret is none of ours, but for its name."""
    found = dict.fromkeys(data, "")
    for key in sorted(KEYS & data.keys()):
        try:
            found[key] = base64.b64decode(data[key] or "").decode().removesuffix("\n")
        except ValueError:  # which quotes what it could not decode
            raise SettingsError(f"the Secret {name}: {key} is not text") from None
    return found
