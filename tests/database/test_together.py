"""Many tables in one statement: the same answers as one by one, and nobody suffers for another's broken SQL."""

import dataclasses
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from typing import Any

import pytest
from populate_jobs import (
    Changes,
    Check,
    Connection,
    Counts,
    Holder,
    Look,
    Progress,
    ResolveDocument,
    Sight,
    check,
    look,
    progress,
    refresh,
    reserve,
)
from populate_jobs.connection import Result
from populate_jobs.errors import DatabaseError
from populate_jobs.finish import MADE_NOTHING
from populate_operator.database.lane import Lane, Limits
from populate_operator.database.round import MOST, Answer, Round, Seat

from tests.database.pipeline import ANNA, BERT, OURS, Pipeline
from tests.servers import Server
from tests.servers.host import PATIENCE

RESTRICTIONS = ("", "subject_id % 2 = 0", "subject_id IN (3, 4, 9) AND 'a%%' LIKE 'a%%%%'", "subject_id > 1000")
BROKEN = "subject_id / (SELECT COUNT(*) FROM no_such_table) > 0"


@pytest.fixture
def connection(pipeline: Pipeline) -> Connection:
    return pipeline.connect()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement that goes to a server from now on."""
    found: list[str] = []
    execute = Connection._execute

    def listening(self: Connection, sql: str, args: Sequence[Any]) -> Result:
        found.append(sql)
        return execute(self, sql, args)

    monkeypatch.setattr(Connection, "_execute", listening)
    return found


def broken(pipeline: Pipeline) -> ResolveDocument:
    """As it is once what the restriction names is gone."""
    return dataclasses.replace(pipeline.document(), restriction=BROKEN)


def _one_of_each(pipeline: Pipeline) -> None:
    pipeline.enqueue(*range(10))
    pipeline.enqueue(*range(10, 14), due_in=3600)
    pipeline.enqueue(20, 21, status="success")
    pipeline.enqueue(22, 23, status="error")
    pipeline.enqueue(24, 25, status="ignore")
    jobs = pipeline.session()
    reserve(jobs, ANNA, 2)
    reserve(jobs, BERT, 3)


def test_a_look_at_many_sees_what_a_look_at_each_sees(pipeline: Pipeline, connection: Connection) -> None:
    _one_of_each(pipeline)
    asked = [Look(pipeline.document(text), limit, fully) for text in RESTRICTIONS for limit, fully in ((3, 1), (99, 0))]
    every = look(connection, asked)
    assert every == [look(connection, [one])[0] for one in asked]
    assert (every[1], every[-1]) == (Sight(5, {ANNA.host: 2, BERT.host: 3}), Sight(0, {}))
    assert every[0].counts == Counts(pending=5, scheduled=4, reserved=5, success=2, error=2, ignore=2)


def test_rows_outside_the_restriction_are_told_of_our_hosts_alone(pipeline: Pipeline, connection: Connection) -> None:
    ours, foreign = Holder("w1.lab.one", 1, "me", ""), Holder("w1.lab.another", 2, "you", "")
    pipeline.enqueue(*range(8))
    jobs = pipeline.session()
    reserve(jobs, ours, 5)
    reserve(jobs, foreign, 3)
    document, keys = pipeline.document("subject_id % 2 = 0"), {host: [] for host in (ours.host, foreign.host)}
    for (key,), row in pipeline.rows().items():
        keys[row["host"]].append(key)
    even = {host: sum(key % 2 == 0 for key in those) for host, those in keys.items()}
    every, none, unrestricted = look(
        connection, [Look(document, 9, True, ".lab.one"), Look(document, 9), Look(pipeline.document(), 9, True, "one")]
    )
    assert every.held == none.held == {host: count for host, count in even.items() if count}
    assert every.outside == {ours.host: 5 - even[ours.host]}
    assert every.counts == Counts(reserved=4)
    assert none.outside == unrestricted.outside == {}


def test_a_row_of_which_the_restriction_cannot_say_is_outside_it(pipeline: Pipeline, connection: Connection) -> None:
    pipeline.enqueue(1)
    reserve(pipeline.session(), ANNA, 1)
    document = dataclasses.replace(pipeline.document(), restriction="subject_id > NULL")
    assert look(connection, [Look(document, 9, ours=OURS)]) == [Sight(0, {}, {ANNA.host: 1})]


def test_a_check_tells_what_a_refresh_would_change(pipeline: Pipeline, connection: Connection) -> None:
    pipeline.add(*range(10))
    pipeline.make(0, 1)
    pipeline.enqueue(2)
    every = [Check(pipeline.document(text)) for text in RESTRICTIONS]
    assert check(connection, every) == [
        Changes(Progress(10, 2), new=7),
        Changes(Progress(5, 1), new=3),
        Changes(Progress(3, 0), new=3),
        Changes(Progress(0, 0)),
    ]
    for text, one in zip(RESTRICTIONS, every, strict=True):
        jobs = pipeline.session(text)
        refresh(jobs)
        assert check(connection, [one]) == [Changes(progress(jobs))]


@pytest.mark.parametrize("status", ["error", "success", "ignore"])
def test_a_check_tells_of_rows_whose_key_has_vanished(pipeline: Pipeline, connection: Connection, status: str) -> None:
    pipeline.add(1)
    pipeline.enqueue(1, 2, status=status, error_message=MADE_NOTHING if status == "ignore" else "")
    asked = Check(pipeline.document())
    assert check(connection, [asked])[0].removes
    refresh(pipeline.session())
    assert not check(connection, [asked])[0].removes


def test_a_check_follows_the_stale_time_out(pipeline: Pipeline, connection: Connection) -> None:
    pipeline.enqueue(1, age=100)
    found = check(connection, [Check(pipeline.document(), seconds) for seconds in (50, 150, 0)])
    assert [one.removes for one in found] == [True, False, False]


def test_a_check_tells_of_success_to_be_done_again_only_where_it_is_kept(
    pipeline: Pipeline, connection: Connection
) -> None:
    pipeline.add(1, 2)
    pipeline.make(1)
    pipeline.enqueue(1, 2, status="success")
    found = check(connection, [Check(pipeline.document(), keep_completed=kept) for kept in (True, False)])
    assert [one.re_pends for one in found] == [True, False]


def test_as_many_tables_as_a_round_has_fit_one_statement(
    pipeline: Pipeline, connection: Connection, sent: list[str]
) -> None:
    pipeline.add(*range(MOST))
    pipeline.enqueue(*range(0, MOST, 2))
    whole = pipeline.document()
    documents = [
        dataclasses.replace(
            whole,
            restriction=f"subject_id = {number}",
            restricted_key_source=f"SELECT k.* FROM ({whole.key_source}) AS k WHERE k.subject_id = {number}",
        )
        for number in range(MOST)
    ]
    sights = look(connection, [Look(document, 10, True) for document in documents])
    changes = check(connection, [Check(document, keep_completed=True) for document in documents])
    assert [seen.ready for seen in sights] == [1, 0] * (MOST // 2)
    assert [found.new for found in changes] == [0, 1] * (MOST // 2)
    assert len(sent) == 2


def test_schemas_of_other_collations_share_a_statement(
    server: Server, pipeline: Pipeline, connection: Connection, schema_name: str
) -> None:
    if server.backend == "mysql":
        server.execute(f"CREATE DATABASE {schema_name}_old CHARACTER SET latin1")
    old = Pipeline(server, f"{schema_name}_old")
    for one in (pipeline, old):
        one.enqueue(1, 2)
        reserve(one.session(), ANNA, 1)
    seen = look(connection, [Look(one.document(), 9, True) for one in (pipeline, old, pipeline)])
    old.close()
    assert [(found.ready, found.held) for found in seen] == [(1, {ANNA.host: 1})] * 3


@pytest.fixture
def lane(pipeline: Pipeline) -> Iterator[Lane]:
    opened = Lane(pipeline.settings, "test", Limits(task=30.0, crowded=30.0, lock=5.0))
    yield opened
    opened.close()


def test_in_a_round_the_one_with_broken_sql_is_set_aside(pipeline: Pipeline, lane: Lane, sent: list[str]) -> None:
    pipeline.enqueue(*range(10))
    looks = Round(lane, look, lambda: None)
    seats = [Seat() for _ in range(32)]

    def ask() -> list[Future[Answer[Any]]]:
        documents = [broken(pipeline) if number == 11 else pipeline.document() for number in range(32)]
        asked = [looks.put(seat, Look(documents[number], number)) for number, seat in enumerate(seats)]
        looks.send()
        for future in asked:
            future.exception(PATIENCE)
        return asked

    answers = ask()
    assert isinstance(answers.pop(11).exception(), DatabaseError)
    assert [one.result().value.ready for one in answers] == [min(10, number) for number in range(32) if number != 11]
    sent.clear()
    ask()
    assert [sql.count("UNION ALL") for sql in sent if BROKEN in sql] == [1], "it is asked alone from then on"
    assert len(sent) < 10


def test_no_time_goes_into_compiling_a_statement_that_is_long(server: Server, connection: Connection) -> None:
    if server.backend == "postgresql":
        assert connection.execute("SHOW jit").rows == [("off",)]
