from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from populate_jobs.errors import SettingsError
from populate_operator.local.logins import Source, describe, settings_of
from populate_operator.manifest import Manifest
from populate_operator.spec import Database, PopulateJob, SecretRef

from tests.unit.planning import SPEC

JOB = PopulateJob("a", "default", SPEC)
VARIABLES = {"DJ_HOST": "from.environment", "DJ_USER": "me", "DJ_PASS": "pw"}
SECRETS = {"datajoint": {"host": "from.manifest", "user": "me", "password": "pw"}}
SECRET_FILE = """\
apiVersion: v1
kind: Secret
metadata: {name: whatever}
stringData: {host: from.file, user: me, password: pw, backend: postgresql}
"""


def host(manifest: Manifest, source: Source, job: PopulateJob = JOB) -> str:
    with contextlib.ExitStack() as stack:
        return settings_of([job], manifest, source, stack)[0].host


def test_a_file_wins_over_the_manifest_and_that_over_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "secret.yaml"
    file.write_text(SECRET_FILE)
    both, none = Manifest(secrets=SECRETS), Manifest()
    assert host(both, Source(file, VARIABLES, tmp_path)) == "from.file"
    assert host(both, Source(None, VARIABLES, tmp_path)) == "from.manifest"
    assert host(none, Source(None, VARIABLES, tmp_path)) == "from.environment"


def test_a_secret_of_another_name_is_not_taken(tmp_path: Path) -> None:
    job = PopulateJob("a", "default", SPEC.__class__(SPEC.table, SPEC.worker, database=Database(SecretRef("other"))))
    assert host(Manifest(secrets=SECRETS), Source(None, VARIABLES, tmp_path), job) == "from.environment"


@pytest.mark.parametrize("text", ["", "kind: ConfigMap\n", SECRET_FILE + "---\n" + SECRET_FILE])
def test_a_secret_file_must_hold_one_secret(text: str, tmp_path: Path) -> None:
    file = tmp_path / "secret.yaml"
    file.write_text(text)
    with pytest.raises(SettingsError, match="must hold one Secret"):
        host(Manifest(), Source(file, {}, tmp_path))


def test_half_a_login_is_refused_with_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="lacks user, password"):
        host(Manifest(), Source(None, {"DJ_HOST": "x"}, tmp_path))


def test_a_login_is_described_without_its_password(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        (settings,) = settings_of([JOB], Manifest(secrets=SECRETS), Source(None, {}, tmp_path), stack)
    assert describe(settings, tmp_path) == "MySQL/MariaDB at from.manifest:3306 as me"
