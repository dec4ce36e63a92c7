"""The login that DataJoint itself would find in files: datajoint.json, and the folder of secrets beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from populate_jobs.errors import SettingsError

FILE = "datajoint.json"
SECRETS = ".secrets"
SYSTEM_SECRETS = Path("/run/secrets/datajoint")
VARIABLES = {
    "database.host": "DJ_HOST",
    "database.port": "DJ_PORT",
    "database.user": "DJ_USER",
    "database.password": "DJ_PASS",
    "database.backend": "DJ_BACKEND",
    "database.name": "DJ_DATABASE_NAME",
}
"""What DataJoint calls a part of the login, and the variable that wins over it unless it is empty."""

_YES = frozenset({"1", "true", "t", "yes", "y", "on"})
_ENDS = (".git", ".hg")


@dataclass(frozen=True)
class Configured:
    """What a datajoint.json says of the login, and its secrets, as DJ_* variables; none that is set already."""

    file: Path
    variables: Mapping[str, str]


def configured(folder: Path, environ: Mapping[str, str]) -> Configured | None:
    """As DataJoint 2.3 looks from `folder`. Raises SettingsError where the file cannot be read."""
    if environ.get("DJ_IGNORE_CONFIG_FILE", "").lower() in _YES:
        return None
    file = _found(folder.resolve())
    if file is None:
        return None
    said = {**_secrets(file.parent), **{name: value for name, value in _flat(_read(file)) if value is not None}}
    variables = {variable: str(said[name]) for name, variable in VARIABLES.items() if said.get(name)}
    return Configured(file, {name: value for name, value in variables.items() if not environ.get(name)})


def _found(folder: Path) -> Path | None:
    """Upward, to the end of the project or of the file system."""
    for place in (folder, *folder.parents):
        if (place / FILE).is_file():
            return place / FILE
        if any((place / end).exists() for end in _ENDS):
            return None
    return None


def _read(file: Path) -> Mapping[str, Any]:
    try:
        said = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise SettingsError(f"{file} cannot be read: {error}") from error
    if not isinstance(said, dict):
        raise SettingsError(f"{file} cannot be read: it must hold an object")
    return said


def _flat(said: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """`{"database": {"host": …}}` as `database.host`, as which it may be written, too."""
    for name, value in said.items():
        if isinstance(value, dict):
            yield from ((f"{name}.{part}", inner) for part, inner in value.items())
        else:
            yield name, value


def _secrets(beside: Path) -> dict[str, str]:
    folder = beside / SECRETS if (beside / SECRETS).is_dir() else SYSTEM_SECRETS
    files = {name: folder / name for name in ("database.user", "database.password")}
    try:
        return {name: file.read_text().strip() for name, file in files.items() if file.is_file()}
    except (OSError, ValueError) as error:
        raise SettingsError(f"{folder} cannot be read: {error}") from error
