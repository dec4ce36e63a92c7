"""`populate status | errors | retry | ignore | exec` on tables named in the database, without the pipeline's code."""

from __future__ import annotations

import json
import sys

import pytest

from tests.local.lab import MODULE, Lab, populate_job

REFRESH = f"from {MODULE} import Made; Made.jobs.refresh()"


@pytest.fixture
def queued(lab: Lab) -> Lab:
    """Sources 1 to 6 are queued; of these 3 to 6 failed, for two reasons."""
    lab.write(populate_job("made", "Made"))
    lab.add("works", *range(1, 7))
    lab.populate("exec", "-f", str(lab.manifest), "--", sys.executable, "-c", REFRESH)
    for source, message in (
        (3, "file 3 is missing"),
        (4, "file 4 is missing"),
        (5, "too short: 0.2"),
        (6, "file 6 is missing"),
    ):
        change = f"UPDATE {lab.name('~~made')} SET status = 'error', error_message = %s WHERE source = %s"
        lab.execute(change, f"OSError: {message}", source)
    return lab


def test_status_of_a_table(queued: Lab) -> None:
    by_name = queued.populate("status", f"{queued.schema}.made")
    assert by_name.splitlines()[2].split() == [f"{queued.schema}.made", "0/6", "2", "0", "0", "4", "0"]
    (standing,) = json.loads(queued.populate("status", f"{queued.schema}.Made", "-o", "json"))
    assert (standing["total"], standing["done"], standing["pending"], standing["error"]) == (6, 0, 2, 4)


def test_errors_are_grouped_by_what_they_have_in_common(queued: Lab) -> None:
    groups = json.loads(queued.populate("errors", f"{queued.schema}.made", "-o", "json"))
    assert [(group["count"], group["sampleKey"]["source"] in (3, 4, 6)) for group in groups] == [(3, True), (1, False)]
    table = queued.populate("errors", f"{queued.schema}.made")
    assert "OSError: too short: 0.2" in table
    assert "source=5" in table


def test_some_are_retried_and_some_ignored(queued: Lab) -> None:
    table = f"{queued.schema}.made"
    assert "no key has an error with 'mising' in its message" in queued.populate("retry", table, "--match", "mising")
    assert "3 keys are pending again" in queued.populate("retry", table, "--match", "missing")
    assert "1 key is ignored" in queued.populate("ignore", table, "--match", "too short")
    assert "1 key is ignored" in queued.populate("ignore", table, "--key", '{"source": 1}')
    assert (queued.queue("pending"), queued.queue("ignore"), queued.queue("error")) == ([2, 3, 4, 6], [1, 5], [])


def test_a_table_or_an_attribute_that_is_not_there_has_near_matches(queued: Lab) -> None:
    said = queued.populate("status", f"{queued.schema}.maid", expect=2)
    assert f"did you mean {queued.schema}.made?" in said
    said = queued.populate("ignore", f"{queued.schema}.made", "--key", '{"sauce": 1}', expect=2)
    assert "did you mean source?" in said
    assert "name it as schema.table" in queued.populate("errors", "made", expect=2)


def test_a_command_gets_the_login_and_its_exit_code_is_ours(lab: Lab) -> None:
    lab.write(populate_job("made", "Made"))
    code = "import os, sys; print(os.environ['DJ_HOST']); sys.exit(7)"
    assert lab.settings.host in lab.populate(
        "exec", "-f", str(lab.manifest), "--", sys.executable, "-c", code, expect=7
    )
    assert "cannot be run" in lab.populate("exec", "-f", str(lab.manifest), "--", "no-such-program", expect=2)
