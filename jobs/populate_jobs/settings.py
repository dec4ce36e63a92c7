"""Where the database is and who we are there: from `DJ_*` variables or the keys of a Secret."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from .errors import SettingsError

BACKENDS = {"mysql": 3306, "postgresql": 5432}
TLS_MODES = ("preferred", "disabled", "required", "verify-full")

_VARIABLES = {
    "host": "DJ_HOST",
    "port": "DJ_PORT",
    "user": "DJ_USER",
    "password": "DJ_PASS",
    "backend": "DJ_BACKEND",
    "database": "DJ_DATABASE_NAME",
    "tls": "POPULATE_TLS",
    "ca.crt": "POPULATE_TLS_CA",
}
_NEEDED = ("host", "user", "password")
KEYS = frozenset(_VARIABLES) | frozenset(_VARIABLES.values())
"""Of a Secret with a login."""
_LIKE = 0.8
"""How like a key another one is, at least, to be taken for a mistake of spelling: as difflib has it."""


@dataclass(frozen=True)
class DatabaseSettings:
    """One login on one server. No error quotes a value: whoever reads it need not be one who may read the Secret."""

    host: str
    user: str
    password: str = field(repr=False)
    backend: str = "mysql"
    port: int = 0
    """0 is the backend's own default."""
    database: str = ""
    """PostgreSQL only: the database that holds the schemas; empty is `postgres`, as in DataJoint."""
    tls: str = "preferred"
    """`preferred` encrypts where the server can, unverified; `verify-full` checks certificate and host name."""
    ca: str = field(default="", repr=False)
    """The certificate authority in PEM, for `verify-full`."""

    def __post_init__(self) -> None:
        if self.backend not in BACKENDS:
            raise SettingsError(f"database backend: must be one of {', '.join(BACKENDS)}")
        if self.tls not in TLS_MODES:
            raise SettingsError(f"tls: must be one of {', '.join(TLS_MODES)}")
        if not self.port:
            object.__setattr__(self, "port", BACKENDS[self.backend])

    @classmethod
    def from_secret(cls, data: Mapping[str, str], *, source: str = "the Secret") -> DatabaseSettings:
        """From keys `host`, `port`, `user`, `password`, `backend`, `database`, `tls`, `ca.crt`, or their DJ_* names.

        Others may be there, but none that looks like one of these: encryption that was asked for would be left out.
        """
        for key in _misspelt(data):
            raise SettingsError(f"{source} has a key that looks like {key}, but is not written so: rename it to {key}")
        values = {key: data.get(key, data.get(variable, "")) for key, variable in _VARIABLES.items()}
        missing = [key for key in _NEEDED if not values[key]]
        if missing:
            raise SettingsError(
                f"{source} lacks {', '.join(missing)}: it needs the keys host, user and password "
                f"(and, where they differ from the default, port, backend, database, tls, ca.crt)"
            )
        return cls(
            host=values["host"],
            user=values["user"],
            password=values["password"],
            backend=values["backend"] or "mysql",
            port=_port(values["port"], source),
            database=values["database"],
            tls=values["tls"] or "preferred",
            ca=values["ca.crt"],
        )

    @classmethod
    def from_folder(cls, folder: Path) -> DatabaseSettings:
        """From a Secret as a pod has it mounted: one file for each key."""
        try:
            files = [file for file in folder.iterdir() if file.is_file()]
            data = {file.name: file.read_text().removesuffix("\n") if file.name in KEYS else "" for file in files}
        except (OSError, ValueError) as error:
            raise SettingsError(f"{folder} cannot be read: {error}") from error
        return cls.from_secret(data, source=f"the Secret in {folder}")

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> DatabaseSettings:
        missing = [_VARIABLES[key] for key in _NEEDED if not environ.get(_VARIABLES[key])]
        if missing:
            others = ", ".join(variable for key, variable in _VARIABLES.items() if key not in _NEEDED)
            raise SettingsError(
                f"the environment lacks {', '.join(missing)} (and, where they differ from the default, {others})"
            )
        return cls.from_secret(
            {key: environ[variable] for key, variable in _VARIABLES.items() if variable in environ},
            source="the environment (DJ_HOST, DJ_USER, DJ_PASS, ...)",
        )

    def to_environment(self) -> dict[str, str]:
        """The variables that give a worker, and DataJoint in it, this login."""
        values = {
            "host": self.host,
            "port": str(self.port),
            "user": self.user,
            "password": self.password,
            "backend": self.backend,
            "database": self.database,
            "tls": self.tls,
            "ca.crt": self.ca,
        }
        return {_VARIABLES[key]: value for key, value in values.items() if value}

    def at(self, host: str, port: int) -> DatabaseSettings:
        return replace(self, host=host, port=port)


LONGEST_PORT = 10
"""Characters; Python refuses to read numbers of some thousands."""


def _port(text: str, source: str) -> int:
    if text and not (len(text) <= LONGEST_PORT and text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise SettingsError(f"{source}: port must be a number from 1 to 65535")
    return int(text or 0)


def _misspelt(names: Iterable[str]) -> list[str]:
    """Keys that are not among the names, but for one that is like them."""
    there = set(names)
    plain = {_plain(name): key for key, variable in _VARIABLES.items() for name in (key, variable)}
    likely = [_meant(_plain(name), plain) for name in there - KEYS]
    return sorted({key for key in likely if key is not None and not there & {key, _VARIABLES[key]}})


def _meant(name: str, plain: Mapping[str, str]) -> str | None:
    """`tls` for `ssl`, `tsl`, `djtls`; `plain` are names to keys."""
    if name == "ssl":
        return "tls"
    letters = (known for known in plain if sorted(known) == sorted(name))
    found = next(letters, None) or next(iter(difflib.get_close_matches(name, plain, 1, _LIKE)), None)
    return plain[found] if found else None


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name.lower())).removeprefix("dj")
