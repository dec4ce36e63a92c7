"""Keys of every type and shape that DataJoint itself round-trips go through the whole life of a row."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from populate_jobs import (
    Counts,
    Failure,
    JobsTable,
    Key,
    Outcome,
    Recovered,
    Reservation,
    RetryPolicy,
    complete,
    counts,
    fail,
    ignore,
    recover,
    refresh,
    release,
    reserve,
    retry_errors,
)

from tests.database.pipeline import ANNA, BERT, SUBJECT, Pipeline, reserve_one
from tests.database.pipelines.keys import TYPES, names
from tests.servers import Server

Declare = Callable[..., Pipeline]

KINDS = {**TYPES, "flag": ("bool", [False, True])}
BESIDES = {"mysql": ["flag"], "postgresql": ["tiny"]}

FAILURE = Failure("ValueError", "ValueError: too few beats")
AT_ONCE = RetryPolicy(limit=1, backoff_seconds=0, retry_on=("ValueError",))


@pytest.fixture
def declare(server: Server, schema_name: str) -> Iterator[Declare]:
    """A pipeline of other tables."""
    declared: list[Pipeline] = []

    def pipeline(manual: dict[str, str], computed: str, rows: list[dict[str, Any]]) -> Pipeline:
        declared.append(Pipeline(server, f"{schema_name}_{uuid.uuid4().hex[:4]}", manual, computed))
        next(iter(declared[-1].manual.values())).insert(rows)
        return declared[-1]

    yield pipeline
    for one in declared:
        one.close()


@pytest.mark.parametrize("attribute", KINDS)
def test_keys_of_each_type_live_a_whole_life(server: Server, declare: Declare, attribute: str) -> None:
    type_, values = KINDS[attribute]
    if attribute not in names(server.backend) + BESIDES[server.backend]:
        pytest.skip(f"DataJoint queues no keys of type {type_} on {server.backend}")
    rows = [{attribute: value} for value in values]
    _live(declare({"Parent": f"{attribute} : {type_}"}, "-> Parent", rows), rows)


def test_keys_of_many_attributes_live_a_whole_life(server: Server, declare: Declare) -> None:
    attributes = names(server.backend)
    definition = "\n".join(f"{name} : {TYPES[name][0]}" for name in attributes)
    rows = [{name: TYPES[name][1][number % len(TYPES[name][1])] for name in attributes} for number in range(4)]
    _live(declare({"Parent": definition}, "-> Parent", rows), rows)


def test_keys_with_names_that_are_reserved_words_live_a_whole_life(declare: Declare) -> None:
    rows = [{"group": 1, "order": 2}, {"group": 2, "order": 1}]
    _live(declare({"Parent": "group : int32\norder : int32"}, "-> Parent", rows), rows)


def test_keys_of_renamed_foreign_keys_live_a_whole_life(declare: Declare) -> None:
    points = [{"point_id": number} for number in range(3)]
    pairs = "-> Point.proj(first='point_id')\n-> Point.proj(second='point_id')"
    rows = [{"first": first, "second": second} for first in range(3) for second in range(3)]
    _live(declare({"Point": "point_id : int32"}, pairs, points), rows)


def test_a_key_of_which_the_target_has_many_rows_is_one_job(declare: Declare) -> None:
    pipeline = declare(SUBJECT, "-> Subject\nchannel : int32", [{"subject_id": 1}, {"subject_id": 2}])
    jobs = pipeline.session()
    assert refresh(jobs).added == 2
    first, second = reserve(jobs, ANNA, 2)
    pipeline.target.insert([{**first.key, "channel": number} for number in range(3)], allow_direct_insert=True)
    assert complete(jobs, [(first, 1.0), (second, 1.0)]) == [Outcome.MADE, Outcome.EMPTY]
    assert complete(jobs, [(first, 1.0)]) == [Outcome.MADE]
    assert refresh(jobs).added == 0


def _live(pipeline: Pipeline, rows: list[dict[str, Any]]) -> None:
    jobs = pipeline.session()
    assert refresh(jobs).added == len(rows)
    assert _as_datajoint_gives_them(pipeline) == _sorted(rows)
    for _ in rows:
        key = _retried_released_recovered(pipeline, jobs)
        held = reserve_one(jobs)
        assert held.key == key
        pipeline.target.insert1(_as_datajoint_takes_it(pipeline, key), allow_direct_insert=True)
        assert complete(jobs, [(held, 0.5)], keep_completed=True) == [Outcome.MADE]
    assert counts(jobs) == Counts(success=len(rows))
    _made_again(pipeline, jobs, rows)


def _retried_released_recovered(pipeline: Pipeline, jobs: JobsTable) -> Key:
    """The most urgent key, pending again after everything else that can happen to it."""
    held = reserve_one(jobs)
    assert fail(jobs, held, FAILURE, AT_ONCE) is Outcome.RETRY
    pipeline.change(held.key, priority=0)
    assert release(jobs, [_again(jobs, held)]) == [Outcome.RELEASED]
    _again(jobs, held)
    assert recover(jobs, [ANNA.host]) == Recovered(released=1)
    assert fail(jobs, _again(jobs, held), FAILURE, AT_ONCE) is Outcome.ERROR
    assert retry_errors(jobs) == 1
    return held.key


def _again(jobs: JobsTable, held: Reservation) -> Reservation:
    again = reserve_one(jobs)
    assert again.key == held.key
    return again


def _made_again(pipeline: Pipeline, jobs: JobsTable, rows: list[dict[str, Any]]) -> None:
    """Success rows without target rows are pending again; what is ignored then is not."""
    pipeline.target.delete_quick()
    assert refresh(jobs, keep_completed=True).re_pended == len(rows)
    ours = reserve(jobs, BERT, len(rows))
    assert len(ours) == len(rows)
    release(jobs, ours)
    for row in rows:
        assert pipeline.jobs.reserve(row)
    pipeline.jobs.delete_quick()
    assert ignore(jobs, [held.key for held in ours]) == len(rows)
    assert refresh(jobs).added == 0


def _as_datajoint_gives_them(pipeline: Pipeline) -> list[dict[str, Any]]:
    return _sorted(pipeline.jobs.pending.proj().to_dicts())


def _as_datajoint_takes_it(pipeline: Pipeline, key: Key) -> dict[str, Any]:
    """DataJoint wants a uuid where drivers for MySQL give its bytes."""
    uuids = {attribute.name for attribute in pipeline.document().primary_key if attribute.type == "uuid"}
    return {name: uuid.UUID(bytes=value) if name in uuids else value for name, value in key.items()}


def _sorted(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: str(sorted(row.items())))
