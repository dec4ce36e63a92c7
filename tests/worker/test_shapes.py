"""make gets all that DataJoint's own populate gives it."""

import datetime
import decimal
import json
import subprocess
import uuid

import pytest
from populate_jobs import refresh

from tests.servers import Server
from tests.servers.host import wait_until
from tests.worker.lab import ROOT, Lab


@pytest.fixture(scope="module")
def populated(server: Server, schema_name: str, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Three recordings, each with a spectrum of four bands."""
    lab = Lab(server, schema_name, tmp_path_factory.mktemp("shapes"), "tests.worker.pipelines.shapes.Spectrum")
    with lab.queue() as jobs:
        assert refresh(jobs).added == 3
    with lab.worker(make_kwargs={"bands": 4}) as worker:
        wait_until(lambda: not lab.execute(f"SELECT 1 FROM {lab.document().jobs}"), "every key made")
        worker.stop()
    return lab


def test_a_tripartite_make_inserts_master_and_parts(populated: Lab) -> None:
    assert populated.execute(f"SELECT total FROM {populated.document().target}") == [(6.0,)] * 3
    parts = populated.execute(f"SELECT count(*), sum(power) FROM {populated.name('__spectrum__band')}")
    assert parts == [(12, 18.0)]


def test_keys_of_every_type_reach_make_as_populate_gives_them(populated: Lab) -> None:
    expected = {
        "subject": "mäuse",
        "day": datetime.date(2024, 1, 1),
        "dose": decimal.Decimal("1.50"),
        "trial": 2**40,
    }
    if populated.server.backend == "mysql":
        moment = datetime.datetime(2024, 1, 1, 2, 3, 4, 567000)
        expected |= {"moment": moment, "kind": "run fast", "device": uuid.UUID(int=7)}
    assert (populated.folder / "key-5").read_text() == repr(expected)


def test_subjects_with_quotes_percent_signs_and_colons_are_made(populated: Lab) -> None:
    found = populated.execute(f"SELECT subject FROM {populated.document().target} ORDER BY subject")
    assert sorted(subject for (subject,) in found) == sorted(["o'Neill 5% a:b", 'say "x"', "mäuse"])


def test_hidden_job_metadata_tells_when_how_long_and_with_which_code(populated: Lab) -> None:
    columns = ", ".join(populated.quoted(name) for name in ("_job_start_time", "_job_duration", "_job_version"))
    for started, seconds, version in populated.execute(f"SELECT {columns} FROM {populated.document().target}"):
        assert abs((datetime.datetime.now() - started).total_seconds()) < 3600
        assert 0 < seconds < 600
        assert version == code_version()


def test_provenance_tells_which_key_made_a_row(populated: Lab) -> None:
    found = populated.execute(f"SELECT note, {populated.quoted('_prov')} FROM {populated.name('note')}")
    assert len(found) == 3
    for note, provenance in found:
        context = (provenance if isinstance(provenance, dict) else json.loads(provenance))["context"]
        assert context["key"]["subject"] == note
        assert context["table"] == populated.document().target


def code_version() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
