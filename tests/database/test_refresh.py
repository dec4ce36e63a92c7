"""How refresh goes about it: one evaluation, committed chunks, workers beside it, interruptions."""

import math
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import populate_jobs.finish
import pytest
from populate_jobs import JobsTable, Outcome, complete, refresh, reserve, stage
from populate_jobs.errors import DatabaseUnreachable
from populate_jobs.finish import MADE_NOTHING

from tests.database.pipeline import ANNA, BERT, Login, Pipeline, reserve_one, seconds
from tests.database.users import user, without_temporary_tables
from tests.database.watch import Watched, once
from tests.servers import Server


@pytest.fixture
def chunks_of_ten(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than ten keys are many, and go ten at a time."""
    monkeypatch.setattr(sys.modules["populate_jobs.refresh"], "FEW", 10)
    monkeypatch.setattr(stage, "CHUNK", 10)


@pytest.fixture
def strict(server: Server, schema_name: str) -> Iterator[Pipeline]:
    """Its users may not make temporary tables."""
    with without_temporary_tables(server) as strict_server:
        pipeline = Pipeline(strict_server, f"{schema_name}_{uuid.uuid4().hex[:4]}")
        yield pipeline
        pipeline.close()


def test_a_refresh_with_nothing_to_do_changes_nothing(pipeline: Pipeline) -> None:
    pipeline.add(*range(20))
    jobs = pipeline.session()
    assert refresh(jobs).added == 20
    reserve(jobs, ANNA, 3)
    before = pipeline.rows()
    did = refresh(jobs, priority=1, stale_timeout=0.001, keep_completed=True)
    assert (did.added, did.removed, did.re_pended) == (0, 0, 0)
    assert pipeline.rows() == before


def test_key_source_is_evaluated_once(strict: Pipeline) -> None:
    strict.add(*range(50))
    judgements = Judgements(strict)
    jobs = strict.session(judgements.restriction)
    assert refresh(jobs).added == 50
    assert judgements.count(jobs) == 50


@pytest.mark.usefixtures("chunks_of_ten")
def test_of_many_new_keys_only_the_first_are_judged_twice(strict: Pipeline) -> None:
    strict.add(*range(50))
    judgements = Judgements(strict)
    jobs = strict.session(judgements.restriction)
    did = refresh(jobs)
    assert (did.added, did.staged) == (50, True)
    assert 50 <= judgements.count(jobs) <= 60


@pytest.mark.usefixtures("chunks_of_ten")
def test_without_the_right_to_temporary_tables_it_is_evaluated_for_each_chunk(strict: Pipeline) -> None:
    strict.add(*range(35))
    judgements = Judgements(strict)
    with user(strict) as login:
        judgements.allow(login)
        jobs = strict.session(judgements.restriction, login=login)
        did = refresh(jobs)
        assert (did.added, did.staged) == (35, False)
        assert 35 <= judgements.count(jobs) <= 4 * 35


@pytest.mark.usefixtures("chunks_of_ten")
@pytest.mark.parametrize("moment", ["stage", "add_staged"])
def test_behind_a_pooler_that_goes_on_with_another_session_all_keys_are_queued(pipeline: Pipeline, moment: str) -> None:
    pipeline.add(*range(35))
    jobs = pipeline.session(kind=Watched)
    jobs.after[moment] = once(jobs.connection.reconnect)
    refresh(jobs)
    assert len(pipeline.rows()) == 35


@pytest.mark.usefixtures("chunks_of_ten")
def test_workers_reserve_each_chunk_while_the_refresh_goes_on(pipeline: Pipeline) -> None:
    pipeline.add(*range(35))
    jobs, worker = pipeline.session(kind=Watched), pipeline.session()
    taken: list[int] = []
    for statement in ("add_new", "add_staged"):
        jobs.after[statement] = lambda: taken.append(len(reserve(worker, BERT, 100)))
    assert refresh(jobs).added == 35
    assert taken == [10, 10, 10, 5]


@pytest.mark.usefixtures("chunks_of_ten")
def test_an_interrupted_refresh_keeps_its_chunks_and_the_next_one_does_the_rest(pipeline: Pipeline) -> None:
    pipeline.add(*range(35))
    jobs = pipeline.session(kind=Watched)
    jobs.after["add_staged"] = once(lambda: pipeline.kill(jobs.connection))
    with pytest.raises(DatabaseUnreachable):
        refresh(jobs)
    assert len(pipeline.rows()) == 20
    jobs.connection.reconnect()
    assert refresh(jobs).added == 15
    assert len(pipeline.rows()) == 35


@pytest.mark.usefixtures("chunks_of_ten")
def test_rows_that_others_queue_meanwhile_are_no_error_and_stay_as_they_are(pipeline: Pipeline) -> None:
    pipeline.add(*range(35))
    jobs = pipeline.session(kind=Watched)
    rival: set[int] = set()

    def queue_some() -> None:
        rival.update(sorted(set(range(35)) - pipeline.statuses().keys())[:5])
        pipeline.enqueue(*rival, priority=77, status="error")

    jobs.after["stage"] = once(queue_some)
    assert refresh(jobs).added == 30
    assert {key for key, status in pipeline.statuses().items() if status == "error"} == rival
    assert {pipeline.row(key)["priority"] for key in rival} == {77}


@pytest.mark.usefixtures("chunks_of_ten")
def test_refreshes_at_once_queue_every_key_once(pipeline: Pipeline) -> None:
    pipeline.add(*range(500))
    sessions = [pipeline.session() for _ in range(4)]
    with ThreadPoolExecutor(len(sessions)) as threads:
        added = [did.added for did in threads.map(refresh, sessions)]
    assert len(pipeline.rows()) == 500
    assert sum(added) == 500


def test_a_reserved_row_is_never_removed_however_stale_and_vanished(pipeline: Pipeline) -> None:
    pipeline.enqueue(1, status="reserved", age=100_000)
    pipeline.enqueue(2, status="pending", age=100_000)
    assert refresh(pipeline.session(), stale_timeout=1).removed == 1
    assert pipeline.statuses() == {1: "reserved"}


def test_a_row_that_is_reserved_while_it_is_judged_stays(pipeline: Pipeline) -> None:
    pipeline.enqueue(1, age=100_000)
    jobs, worker = pipeline.session(kind=Watched), pipeline.session()
    jobs.after["vanished_keys"] = once(lambda: reserve(worker, ANNA, 1))
    assert refresh(jobs, stale_timeout=1).removed == 0
    assert pipeline.statuses() == {1: "reserved"}


def test_a_key_that_made_nothing_is_queued_again_when_it_has_left_key_source_and_come_back(pipeline: Pipeline) -> None:
    pipeline.enqueue(1)
    jobs = pipeline.session()
    jobs.unasked_until[populate_jobs.finish.EMPTY_SECONDS] = math.inf
    assert complete(jobs, [(reserve_one(jobs), 1.0)]) == [Outcome.EMPTY]
    assert (refresh(jobs).removed, pipeline.rows()) == (1, {})
    pipeline.add(1)
    assert refresh(jobs).added == 1
    assert pipeline.statuses() == {1: "pending"}


def test_what_made_nothing_stays_while_key_source_has_it_and_what_a_user_ignores_whatever_it_has(
    pipeline: Pipeline,
) -> None:
    pipeline.add(1)
    pipeline.enqueue(1, 2, status="ignore", age=100_000, error_message=MADE_NOTHING)
    pipeline.enqueue(3, status="ignore", age=100_000)
    pipeline.enqueue(4, status="ignore", age=100_000, error_message=f"ValueError: {MADE_NOTHING}")
    assert refresh(pipeline.session(), stale_timeout=1).removed == 1
    assert pipeline.statuses() == {1: "ignore", 3: "ignore", 4: "ignore"}


def test_what_a_user_ignores_while_it_is_judged_stays(pipeline: Pipeline) -> None:
    pipeline.enqueue(1, status="error")
    jobs = pipeline.session(kind=Watched)
    jobs.after["vanished_keys"] = once(lambda: pipeline.change(status="ignore"))
    assert refresh(jobs).removed == 0
    assert pipeline.statuses() == {1: "ignore"}


@pytest.mark.usefixtures("chunks_of_ten")
def test_a_table_of_the_lab_named_like_the_stage_is_left_alone(pipeline: Pipeline) -> None:
    pipeline.add(*range(35))
    jobs = pipeline.session()
    if pipeline.server.backend == "postgresql":
        jobs.connection.execute(f"SET search_path TO {pipeline.schema}")
    table = f"{pipeline.schema}.{stage.STAGE}"
    pipeline.execute(f"CREATE TABLE {table} (id INT)")
    try:
        assert refresh(jobs).added == 35
        assert pipeline.execute(f"SELECT * FROM {table}") == []
    finally:
        pipeline.execute(f"DROP TABLE IF EXISTS {table}")


def test_attempts_nobody_has_added_to_for_a_month_are_forgotten(pipeline: Pipeline) -> None:
    jobs = pipeline.session()
    pipeline.enqueue(1, status="error")
    now = pipeline.now()
    for key, days in (("old", 31), ("new", 29)):
        pipeline.execute(
            f"INSERT INTO {pipeline.attempts_table} VALUES (%s, %s, 2, %s)",
            [jobs.name, key, now - seconds(days * 86_400)],
        )
    refresh(jobs)
    assert pipeline.attempts() == [2]


def test_reserve_walks_the_index_right_after_a_bulk_refresh(pipeline: Pipeline) -> None:
    pipeline.add(*range(20_000))
    jobs = pipeline.session()
    assert refresh(jobs).added == 20_000
    explained = jobs.connection.execute("EXPLAIN " + jobs.sql("pick"), [5]).rows
    plan = "\n".join(" ".join(map(str, row)) for row in explained)
    assert "Sort" not in plan
    assert "filesort" not in plan
    assert ("Index Scan" if pipeline.server.backend == "postgresql" else "status") in plan


class Judgements:
    """A restriction that every key meets, and that the server counts each time it asks it of a row."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._mysql = pipeline.server.backend == "mysql"
        self.function = f"{pipeline.schema}.judged"
        self.restriction = f"{self.function}(subject_id) = 1"
        self._sequence = f"{pipeline.schema}.judgements"
        if self._mysql:
            body = "BEGIN SET @judged = COALESCE(@judged, 0) + 1; RETURN 1; END"
            pipeline.execute(f"CREATE FUNCTION {self.function}(id INT) RETURNS INT NOT DETERMINISTIC NO SQL {body}")
        else:
            body = f"SELECT CAST(nextval('{self._sequence}') * 0 + 1 AS INT)"
            pipeline.execute(f"CREATE SEQUENCE {self._sequence}")
            pipeline.execute(f"CREATE FUNCTION {self.function}(id INT) RETURNS INT VOLATILE LANGUAGE sql AS $${body}$$")

    def allow(self, login: Login) -> None:
        if self._mysql:
            self._pipeline.execute(f"GRANT EXECUTE ON FUNCTION {self.function} TO '{login['user']}'@'%'")
        else:
            self._pipeline.execute(f"GRANT USAGE ON SEQUENCE {self._sequence} TO {login['user']}")

    def count(self, jobs: JobsTable) -> int:
        """Rows asked of, in this session on MySQL and in all on PostgreSQL."""
        if self._mysql:
            return int(jobs.connection.execute("SELECT COALESCE(@judged, 0)").rows[0][0])
        calls = f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {self._sequence}"
        return int(self._pipeline.execute(calls)[0][0])
