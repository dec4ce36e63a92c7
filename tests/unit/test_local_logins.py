from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from populate_jobs.errors import SettingsError
from populate_operator.local.logins import Source, all_given, describe, settings_of, settings_without_manifest
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
    assert host(both, Source(file, VARIABLES, tmp_path, tmp_path)) == "from.file"
    assert host(both, Source(None, VARIABLES, tmp_path, tmp_path)) == "from.manifest"
    assert host(none, Source(None, VARIABLES, tmp_path, tmp_path)) == "from.environment"


def test_a_secret_of_another_name_is_not_taken(tmp_path: Path) -> None:
    job = PopulateJob("a", "default", SPEC.__class__(SPEC.table, SPEC.worker, database=Database(SecretRef("other"))))
    assert host(Manifest(secrets=SECRETS), Source(None, VARIABLES, tmp_path, tmp_path), job) == "from.environment"


@pytest.mark.parametrize("text", ["", "kind: ConfigMap\n", SECRET_FILE + "---\n" + SECRET_FILE])
def test_a_secret_file_must_hold_one_secret(text: str, tmp_path: Path) -> None:
    file = tmp_path / "secret.yaml"
    file.write_text(text)
    with pytest.raises(SettingsError, match="must hold one Secret"):
        host(Manifest(), Source(file, {}, tmp_path, tmp_path))


def test_half_a_login_is_refused_with_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="lacks DJ_USER, DJ_PASS "):
        host(Manifest(), Source(None, {"DJ_HOST": "x"}, tmp_path, tmp_path))


def test_a_login_is_described_without_its_password(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        (settings,) = settings_of([JOB], Manifest(secrets=SECRETS), Source(None, {}, tmp_path, tmp_path), stack)
    assert describe(settings, tmp_path) == "MySQL/MariaDB at from.manifest:3306 as me"


def refusal(source: Source) -> str:
    """The same, whether a manifest is named or a table; nothing was started for it."""
    with pytest.raises(SettingsError) as of_a_job:
        host(Manifest(), source)
    with pytest.raises(SettingsError) as of_a_table, contextlib.ExitStack() as stack:
        settings_without_manifest(source, stack)
    assert str(of_a_job.value) == str(of_a_table.value)
    assert not source.data.exists()
    return str(of_a_job.value)


@pytest.mark.parametrize("name", ["DJ_USER", "DJ_PASS", "DJ_PORT", "DJ_BACKEND", "DJ_DATABASE_NAME"])
def test_a_part_of_a_login_without_its_host_is_refused(name: str, tmp_path: Path) -> None:
    said = refusal(Source(None, {name: "quiet"}, tmp_path / "data", tmp_path))
    assert f"{name} is set, but DJ_HOST is not" in said
    assert "--embedded" in said
    assert "quiet" not in said


def with_settings(folder: Path, **database: object) -> Path:
    (folder / "datajoint.json").write_text(json.dumps({"database": database}))
    return folder / "datajoint.json"


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({}, "DJ_HOST=db.lab DJ_PORT=3310 DJ_USER='o k' DJ_PASS=…"),
        ({"DJ_USER": "me"}, "DJ_HOST=db.lab DJ_PORT=3310 DJ_PASS=…"),
        ({"DJ_HOST": "", "DJ_USER": "me", "DJ_PASS": "quiet"}, "DJ_HOST=db.lab DJ_PORT=3310"),
    ],
)
def test_a_host_that_datajoint_would_find_is_refused_with_what_to_export(
    environ: Mapping[str, str], words: str, tmp_path: Path
) -> None:
    file = with_settings(tmp_path, host="db.lab", port=3310, user="o k", password="quiet")
    said = refusal(Source(None, environ, tmp_path / "data", tmp_path))
    assert f"{file} names db.lab" in said
    assert f"export {words}, or say --embedded" in said
    assert "quiet" not in said


def test_a_login_that_is_given_wins_over_what_datajoint_would_find(tmp_path: Path) -> None:
    with_settings(tmp_path, host="db.lab")
    assert host(Manifest(secrets=SECRETS), Source(None, {}, tmp_path, tmp_path)) == "from.manifest"
    assert host(Manifest(), Source(None, VARIABLES, tmp_path, tmp_path)) == "from.environment"


@pytest.mark.parametrize(
    ("environ", "database", "words"),
    [
        ({}, {"port": 3307}, "DJ_PORT=3307, but populate does not read it and would use 3306: export DJ_PORT=3307,"),
        ({"DJ_PORT": ""}, {"port": "3307"}, "export DJ_PORT=3307,"),
        ({"DJ_BACKEND": "postgresql"}, {"port": 3306}, "would use 5432: export DJ_PORT=3306,"),
        ({}, {"backend": "postgresql"}, "would use mysql: export DJ_BACKEND=postgresql,"),
        ({"DJ_BACKEND": "postgresql"}, {"name": "my lab"}, "would use postgres: export DJ_DATABASE_NAME='my lab',"),
        (
            {},
            {"port": 5433, "backend": "postgresql", "name": "lab"},
            "would use 3306, mysql, postgres: export DJ_PORT=5433 DJ_BACKEND=postgresql DJ_DATABASE_NAME=lab,",
        ),
    ],
)
def test_another_server_than_datajoints_at_the_host_that_is_given_is_refused_with_what_to_export(
    environ: Mapping[str, str], database: Mapping[str, object], words: str, tmp_path: Path
) -> None:
    file = with_settings(tmp_path, **database, password="quiet")
    said = refusal(Source(None, {**VARIABLES, **environ}, tmp_path / "data", tmp_path))
    assert said.startswith(f"{file} says ")
    assert words in said
    assert "quiet" not in said


@pytest.mark.parametrize(
    ("environ", "database"),
    [
        ({}, {"host": "db.lab", "port": 3306, "backend": "mysql", "user": "somebody"}),
        ({}, {"name": "of no use to MySQL"}),
        ({"DJ_PORT": "3306"}, {"port": 3307}),
        ({"DJ_BACKEND": "postgresql"}, {"port": 5432, "name": "postgres"}),
        ({"DJ_IGNORE_CONFIG_FILE": "1"}, {"port": 3307}),
    ],
)
def test_the_server_that_datajoint_would_use_is_used(
    environ: Mapping[str, str], database: Mapping[str, object], tmp_path: Path
) -> None:
    with_settings(tmp_path, **database)
    assert host(Manifest(), Source(None, {**VARIABLES, **environ}, tmp_path, tmp_path)) == "from.environment"


def test_a_login_in_a_file_is_all_there_is_to_it(tmp_path: Path) -> None:
    with_settings(tmp_path, port=3307)
    file = tmp_path / "secret.yaml"
    file.write_text(SECRET_FILE)
    assert host(Manifest(), Source(file, VARIABLES, tmp_path, tmp_path)) == "from.file"


def test_a_server_of_our_own_is_had_whatever_is_configured(tmp_path: Path) -> None:
    with_settings(tmp_path, host="db.lab")
    assert not all_given([JOB], Manifest(secrets=SECRETS), Source(None, VARIABLES, tmp_path, tmp_path, embedded=True))


def test_no_database_is_made_for_a_table_alone(tmp_path: Path) -> None:
    source = Source(None, VARIABLES, tmp_path / "data", tmp_path, embedded=True)
    with pytest.raises(SettingsError, match="populate run --embedded makes one"), contextlib.ExitStack() as stack:
        settings_without_manifest(source, stack)
    assert not source.data.exists()
