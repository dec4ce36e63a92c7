"""`populate-worker resolve` as a process of its own: what it prints, where, and how it exits."""

import argparse
import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from populate_jobs.document import read_output
from populate_jobs.errors import ResolveRefused
from populate_worker import resolve

from tests.servers import Server

ROOT = Path(__file__).parents[2]
PIPELINES = "tests.database.pipelines"
PYTHONPATH = os.pathsep.join(str(ROOT / folder) for folder in ("jobs", "worker"))


def run(server: Server, schema: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """In the folder that holds the lab's modules, as in a container's working directory."""
    command = [sys.executable, "-m", "populate_worker", "resolve", *arguments]
    variables = {**os.environ, **server.environment(), "PIPELINE_SCHEMA": schema, "PYTHONPATH": PYTHONPATH}
    return subprocess.run(
        command, env={**variables, **environment}, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_document_is_read_among_all_that_the_lab_prints_and_the_queue_is_there(server, schema_name):
    done = run(server, f"{schema_name}_noisy", "--table", f"{PIPELINES}.noisy.Analysis")
    assert done.returncode == 0, done.stderr
    document = read_output(done.stdout)
    assert read_output(done.stderr + done.stdout + "later\n") == document
    assert document.schema == f"{schema_name}_noisy"
    assert "computing key_source" in done.stderr
    assert "deprecated since the last experiment" in done.stderr
    assert "straight to the file" in done.stdout
    tables = f"SELECT table_name FROM information_schema.tables WHERE table_schema = '{document.schema}'"
    assert {("~~analysis",), ("~populate_attempts",)} <= set(server.execute(tables))


def test_restrictions_come_as_arguments(server, schema_name):
    entries = json.dumps([{"key": {"session": "it's 50% a:b"}}])
    arguments = ("--restriction", "session <> '%s'", "--restrict-by", entries)
    done = run(server, f"{schema_name}_lab", "--table", f"{PIPELINES}.lab.HeartRate", *arguments)
    assert done.returncode == 0, done.stderr
    assert read_output(done.stdout).restriction.startswith("(session <> '%s') AND (")


def test_a_refusal_goes_between_the_sentinels_and_in_words_to_stderr(server, schema_name):
    done = run(server, f"{schema_name}_noisy", "--table", f"{PIPELINES}.noisy.Analyses")
    assert done.returncode == resolve.REFUSED == 3
    with pytest.raises(ResolveRefused, match="has no Analyses") as caught:
        read_output(done.stdout)
    assert caught.value.reason == "TableNotFound"
    assert f"TableNotFound: {caught.value}" in done.stderr


def test_settings_that_datajoint_refuses_are_refused_with_its_words(server, schema_name):
    done = run(server, f"{schema_name}_noisy", "--table", f"{PIPELINES}.noisy.Analysis", DJ_DATABASE="lab")
    with pytest.raises(ResolveRefused, match="DataJoint cannot be imported: ") as caught:
        read_output(done.stdout)
    assert caught.value.reason == "ImportFailed"
    assert "datajoint" in caught.value.traceback


def test_an_import_that_the_database_forbids_is_a_missing_grant(server, schema_name):
    name = f"{schema_name}_nobody"
    if server.backend == "mysql":
        server.execute(f"CREATE USER {name}@'%' IDENTIFIED BY 'secret'")
        gone = f"DROP USER {name}@'%'"
    else:
        server.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'secret'")
        gone = f"DROP ROLE {name}"
    try:
        nobody = dataclasses.replace(server, user=name, password="secret")
        done = run(nobody, f"{schema_name}_forbidden", "--table", f"{PIPELINES}.noisy.Analysis")
    finally:
        server.execute(gone)
    with pytest.raises(ResolveRefused, match="grant the user") as caught:
        read_output(done.stdout)
    assert caught.value.reason == "MissingGrant"
    assert caught.value.traceback
    assert "secret" not in done.stdout + done.stderr


@pytest.fixture
def refused(server, monkeypatch, capsys):
    """Runs the command in this process, as far as it comes without the lab's code; gives what it refused."""

    def refused(restrict_by: str = "[]", **environment: str) -> ResolveRefused:
        for name, value in {**server.environment(), **environment}.items():
            monkeypatch.setenv(name, value)
        parser = argparse.ArgumentParser()
        resolve.add_arguments(parser)
        arguments = parser.parse_args(["--table", "nothing.Here", "--restrict-by", restrict_by])
        assert resolve.main(arguments) == resolve.REFUSED
        with pytest.raises(ResolveRefused) as caught:
            read_output(capsys.readouterr().out)
        return caught.value

    return refused


def test_a_wrong_password_is_refused_by_name(refused, server):
    refusal = refused(DJ_PASS="wrong")
    assert refusal.reason == "LoginRefused"
    assert "check user, password" in str(refusal)
    assert "wrong" not in str(refusal)


def test_a_server_that_does_not_answer_is_refused_by_name(refused):
    refusal = refused(DJ_PORT="1")
    assert refusal.reason == "DatabaseUnreachable"
    assert "check host, port and tls" in str(refusal)


def test_settings_that_cannot_be_used_are_refused_by_name(refused):
    assert refused(DJ_PORT="http").reason == "DatabaseSettingsInvalid"
    assert "the environment lacks DJ_USER (" in str(refused(DJ_PORT="", DJ_USER=""))


@pytest.mark.parametrize("restrict_by", ["{}", "subject_id = 1", '"a"', ""])
def test_restrict_by_must_be_a_list_in_json(refused, restrict_by):
    refusal = refused(restrict_by)
    assert refusal.reason == "RestrictionInvalid"
    assert str(refusal).startswith("restrictBy ")


def test_required_tls_is_had_or_refused(server, schema_name):
    """MySQL comes with a certificate of its own, the others without."""
    done = run(server, f"{schema_name}_tls", "--table", f"{PIPELINES}.noisy.Analysis", POPULATE_TLS="required")
    if server.name == "mysql-9":
        assert read_output(done.stdout).schema == f"{schema_name}_tls"
        return
    with pytest.raises(ResolveRefused, match=r"SSL") as caught:
        read_output(done.stdout)
    assert caught.value.reason == "DatabaseUnreachable"


def test_a_certificate_that_cannot_be_verified_is_refused(server, schema_name):
    done = run(server, f"{schema_name}_tls", "--table", f"{PIPELINES}.noisy.Analysis", POPULATE_TLS="verify-full")
    with pytest.raises(ResolveRefused) as caught:
        read_output(done.stdout)
    assert caught.value.reason == "DatabaseUnreachable"
