"""Which database a PopulateJob uses when there is no cluster to ask for its Secret."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
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

ENVIRONMENT = "DJ_HOST, DJ_USER, DJ_PASS"


@dataclass(frozen=True)
class Source:
    """Where logins may come from, in this order: a file, the manifest's Secrets, DJ_* variables, our own server."""

    secret_file: Path | None
    environ: Mapping[str, str]
    data: Path


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
    if source.secret_file or source.environ.get("DJ_HOST"):
        return _of_file(source.secret_file) if source.secret_file else DatabaseSettings.from_environment(source.environ)
    if embedded.exists(source.data):
        return stack.enter_context(embedded.running(source.data))
    raise SettingsError(f"no database is given: set {ENVIRONMENT}, or name a file with --secret-file")


def describe(settings: DatabaseSettings, data: Path) -> str:
    """`PostgreSQL at db.lab:5432 as me`: never the password."""
    if settings.host == str(embedded.socket(data)):
        return f"embedded PostgreSQL in {data / embedded.FOLDER}"
    product = "PostgreSQL" if settings.backend == "postgresql" else "MySQL/MariaDB"
    return f"{product} at {settings.host}:{settings.port} as {settings.user}"


def _given(job: PopulateJob, manifest: Manifest, source: Source) -> DatabaseSettings | None:
    name = job.spec.database.secret_ref.name
    if source.secret_file is not None:
        return _of_file(source.secret_file)
    if name in manifest.secrets:
        return DatabaseSettings.from_secret(manifest.secrets[name], source=f"the Secret {name}")
    if source.environ.get("DJ_HOST"):
        return DatabaseSettings.from_environment(source.environ)
    return None


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
