"""Which database a PopulateJob uses when there is no cluster to ask for its Secret."""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from populate_jobs import DatabaseSettings
from populate_jobs.errors import SettingsError

from populate_operator.manifest import Manifest
from populate_operator.manifest.documents import documents
from populate_operator.manifest.objects import read_secret
from populate_operator.manifest.problems import Findings, ManifestError
from populate_operator.spec import PopulateJob

from . import embedded
from .configured import VARIABLES, configured

ENVIRONMENT = "DJ_HOST, DJ_USER, DJ_PASS"
EMBEDDED = "say --embedded for a PostgreSQL of its own"


@dataclass(frozen=True)
class Source:
    """Where logins may come from, in this order: a file, the manifest's Secrets, DJ_* variables, our own server."""

    secret_file: Path | None
    environ: Mapping[str, str]
    data: Path
    folder: Path
    """From where DataJoint would look for its datajoint.json."""
    embedded: bool = False
    """Our own server, whatever else there is."""

    @classmethod
    def here(cls, secret_file: Path | None, data: Path, embedded: bool) -> Source:
        """With this process's variables and folder."""
        return cls(secret_file, os.environ, data, Path.cwd(), embedded)


def settings_of(
    jobs: Sequence[PopulateJob], manifest: Manifest, source: Source, stack: contextlib.ExitStack
) -> list[DatabaseSettings]:
    """One for each PopulateJob. Raises SettingsError, ManifestError or EmbeddedFailed.

    An embedded database that this starts is stopped when `stack` is closed.
    """
    found = [_given(job, manifest, source) for job in jobs]
    if all(found):
        return [settings for settings in found if settings]
    own = stack.enter_context(embedded.running(source.data))
    return [settings or own for settings in found]


def all_given(jobs: Sequence[PopulateJob], manifest: Manifest, source: Source) -> bool:
    """Whether no embedded database is needed."""
    return all(_given(job, manifest, source) for job in jobs)


def settings_without_manifest(source: Source, stack: contextlib.ExitStack) -> DatabaseSettings:
    """For tables that are named, not described: no database is made for them."""
    if found := _around(source):
        return found
    if embedded.exists(source.data):
        return stack.enter_context(embedded.running(source.data))
    if source.embedded:
        raise SettingsError(f"there is no database in {source.data}: populate run --embedded makes one")
    raise SettingsError(f"no database is given: set {ENVIRONMENT}, or name a file with --secret-file")


def describe(settings: DatabaseSettings, data: Path) -> str:
    """`PostgreSQL at db.lab:5432 as me`: never the password."""
    if settings.host == str(embedded.socket(data)):
        return f"embedded PostgreSQL in {data / embedded.FOLDER}"
    product = "PostgreSQL" if settings.backend == "postgresql" else "MySQL/MariaDB"
    return f"{product} at {settings.host}:{settings.port} as {settings.user}"


def _given(job: PopulateJob, manifest: Manifest, source: Source) -> DatabaseSettings | None:
    name = job.spec.database.secret_ref.name
    if name in manifest.secrets and not (source.secret_file or source.embedded):
        return DatabaseSettings.from_secret(manifest.secrets[name], source=f"the Secret {name}")
    return _around(source)


def _around(source: Source) -> DatabaseSettings | None:
    """None where our own server is meant. Raises SettingsError where DataJoint would log in somewhere else."""
    if source.embedded:
        return None
    if source.secret_file is not None:
        return _of_file(source.secret_file)
    if source.environ.get("DJ_HOST"):
        settings = DatabaseSettings.from_environment(source.environ)
        _refuse_another_there(source, settings)
        return settings
    _refuse_another(source)
    return None


def _refuse_another(source: Source) -> None:
    found = configured(source.folder, source.environ)
    if found and (host := found.variables.get("DJ_HOST")):
        words = " ".join(_assignments(found.variables, source.environ))
        raise SettingsError(f"{found.file} names {host}, but populate does not read it: export {words}, or {EMBEDDED}")
    if alone := [name for name in VARIABLES.values() if source.environ.get(name)]:
        verb = "is" if len(alone) == 1 else "are"
        raise SettingsError(f"{', '.join(alone)} {verb} set, but DJ_HOST is not: set it, too, or {EMBEDDED}")


def _refuse_another_there(source: Source, settings: DatabaseSettings) -> None:
    """At the host of the environment, too, DataJoint takes from its file what no variable says."""
    found = configured(source.folder, source.environ)
    if found is None:
        return
    uses = {"DJ_PORT": str(settings.port), "DJ_BACKEND": settings.backend}
    if found.variables.get("DJ_BACKEND", settings.backend) == "postgresql":
        uses["DJ_DATABASE_NAME"] = settings.database or "postgres"
    others = {name: found.variables[name] for name in uses if found.variables.get(name, uses[name]) != uses[name]}
    if others:
        said = " ".join(f"{name}={shlex.quote(value)}" for name, value in others.items())
        would = ", ".join(uses[name] for name in others)
        raise SettingsError(
            f"{found.file} says {said}, but populate does not read it and would use {would}: "
            f"export {said}, or what you mean instead"
        )


def _assignments(variables: Mapping[str, str], environ: Mapping[str, str]) -> Iterator[str]:
    """What a shell lacks of the login, without the password."""
    for name in VARIABLES.values():
        if name in variables and name != "DJ_PASS":
            yield f"{name}={shlex.quote(variables[name])}"
        elif name in ("DJ_USER", "DJ_PASS") and not environ.get(name):
            yield f"{name}=…"


def _of_file(path: Path) -> DatabaseSettings:
    """From a manifest of one Secret."""
    findings = Findings(str(path))
    try:
        nodes = list(documents(path.read_bytes(), findings))
    except OSError as error:
        raise SettingsError(f"--secret-file {path} cannot be read: {error.strerror}") from error
    secrets = [read_secret(node, findings) for node in nodes if node.at(("kind",)).value == "Secret"]
    if findings.problems:
        raise ManifestError(findings.problems)
    if len(secrets) != 1 or secrets[0] is None:
        raise SettingsError(f"--secret-file {path} must hold one Secret, not {len(secrets)}")
    return DatabaseSettings.from_secret(secrets[0], source=str(path))
