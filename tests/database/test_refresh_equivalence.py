"""refresh() leaves what DataJoint's own `Job.refresh` leaves in a copy of the same state, reserved rows apart."""

import dataclasses
import datetime
import itertools
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from populate_jobs import Refreshed, pages, refresh, stage

from tests.database.depth import examples, patient
from tests.database.pipeline import Identity, Login, Pipeline, Row, seconds
from tests.database.users import user, without_temporary_tables
from tests.servers import Server

MANUAL = {"Subject": "subject_id : int32\nsession : varchar(12)\n---\nincluded=1 : int8"}
SESSIONS = ("a", "it's 5%b:c")
RESTRICTIONS = ("", "subject_id < 20", "session like '%5%b%'")
STATUSES = ("pending", "reserved", "success", "error", "ignore")
# Ages on both sides of each time-out, far enough from it that no slow run crosses over.
AGES = (0, 100, 5000)
STALE_TIMEOUTS = (0, 50, 3600)
_SLACK = 50


@dataclasses.dataclass(frozen=True)
class Job:
    status: str
    age: int = 0
    priority: int = 5


@dataclasses.dataclass(frozen=True)
class Case:
    """What is known of one key. A key is in key_source while its subject is there and included."""

    subject: str = "included"
    made: bool = False
    job: Job | None = None


State = Mapping[Identity, Case]

JOBS = [None, *(Job(status, age) for status in STATUSES for age in AGES[1:])]
CASES = [
    Case(subject, made, job)
    for subject, made in (("absent", False), *itertools.product(("excluded", "included"), (False, True)))
    for job in JOBS
]
MANY_NEW = [Case()] * 20
EVERY_CASE: State = {
    (10 + number % 20, f"{SESSIONS[number % 2]}{number}"): case for number, case in enumerate(CASES + MANY_NEW)
}


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Of a refresh."""

    restriction: str
    stale_timeout: float
    keep_completed: bool
    priority: int = 3
    delay: float = 0


jobs = st.none() | st.builds(Job, st.sampled_from(STATUSES), st.sampled_from(AGES), st.integers(0, 127))
cases = st.builds(Case, st.sampled_from(("absent", "excluded", "included")), st.booleans(), jobs)
states = st.dictionaries(st.tuples(st.integers(18, 21), st.sampled_from(SESSIONS)), cases, max_size=8)

arguments = st.builds(
    Arguments,
    st.sampled_from(RESTRICTIONS),
    st.sampled_from(STALE_TIMEOUTS),
    st.booleans(),
    st.integers(0, 127),
    st.sampled_from((0, 900)),
)


@dataclasses.dataclass(frozen=True)
class Copies:
    """Two pipelines alike."""

    ours: Pipeline
    theirs: Pipeline


@pytest.fixture(scope="module")
def copies(server: Server, schema_name: str) -> Iterator[Copies]:
    with without_temporary_tables(server) as strict:
        pair = Copies(*(_pipeline(strict, f"{schema_name}_{name}") for name in ("ours", "theirs")))
        yield pair
        pair.ours.close()
        pair.theirs.close()


def _pipeline(server: Server, schema: str) -> Pipeline:
    return Pipeline(server, schema, MANUAL, key_source=lambda tables: tables["Subject"] & "included = 1")


@pytest.mark.parametrize("keep_completed", [False, True])
@pytest.mark.parametrize("stale_timeout", STALE_TIMEOUTS)
@pytest.mark.parametrize("restriction", RESTRICTIONS)
def test_each_kind_of_row_becomes_what_datajoint_makes_of_it(
    copies: Copies, restriction: str, stale_timeout: int, keep_completed: bool
) -> None:
    _check(copies, EVERY_CASE, Arguments(restriction, stale_timeout, keep_completed))


@patient
@given(state=states, arguments=arguments)
@examples(quick=25, deep=500)
def test_random_states_become_what_datajoint_makes_of_them(copies: Copies, state: State, arguments: Arguments) -> None:
    _check(copies, state, arguments)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than three keys are many."""
    monkeypatch.setattr(sys.modules["populate_jobs.refresh"], "FEW", 3)
    monkeypatch.setattr(stage, "CHUNK", 4)
    monkeypatch.setattr(pages, "PAGE", 7)
    monkeypatch.setattr(pages, "KEYS_A_STATEMENT", 3)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("restriction", RESTRICTIONS)
def test_many_keys_become_the_same_as_few(copies: Copies, restriction: str) -> None:
    did = _check(copies, EVERY_CASE, Arguments(restriction, 3600, True))
    assert did.added > 3
    assert did.staged


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("restriction", RESTRICTIONS)
def test_without_the_right_to_temporary_tables_they_become_the_same(copies: Copies, restriction: str) -> None:
    with user(copies.ours) as login:
        did = _check(copies, EVERY_CASE, Arguments(restriction, 3600, True), login)
    assert did.added > 3
    assert not did.staged


def _check(copies: Copies, state: State, arguments: Arguments, login: Login | None = None) -> Refreshed:
    now = copies.ours.now()
    for pipeline in (copies.ours, copies.theirs):
        _enter(pipeline, state, now)
    before = _seen(copies.theirs, now)
    told = _refresh_theirs(copies.theirs, arguments)
    did = refresh(copies.ours.session(arguments.restriction, login=login), **_without_restriction(arguments))
    theirs, ours = _seen(copies.theirs, now), _seen(copies.ours, now)
    kept = {key: row for key, row in before.items() if row["status"] == "reserved" and key not in theirs}
    assert ours == theirs | kept
    assert _counts(did) == (told["added"], told["removed"] - len(kept), told["re_pended"])
    return did


def _refresh_theirs(pipeline: Pipeline, arguments: Arguments) -> dict[str, int]:
    others = _without_restriction(arguments)
    pipeline.instance.config.jobs.keep_completed = others.pop("keep_completed")
    told: dict[str, int] = pipeline.jobs.refresh(*filter(None, [arguments.restriction]), **others)
    return told


def _without_restriction(arguments: Arguments) -> dict[str, Any]:
    return {name: value for name, value in dataclasses.asdict(arguments).items() if name != "restriction"}


def _enter(pipeline: Pipeline, state: State, now: datetime.datetime) -> None:
    pipeline.clear()
    subjects = {key: case for key, case in state.items() if case.subject != "absent"}
    for included in (0, 1):
        word = "included" if included else "excluded"
        pipeline.add(*(key for key, case in subjects.items() if case.subject == word), included=included)
    pipeline.make(*(key for key, case in subjects.items() if case.made))
    pipeline.insert([_row(pipeline, key, case.job, now) for key, case in state.items() if case.job])


def _row(pipeline: Pipeline, key: Identity, job: Job, now: datetime.datetime) -> Row:
    then = now - seconds(job.age)
    held = job.status == "reserved"
    ended = job.status in ("success", "error")
    return {
        **pipeline.key(key),
        "status": job.status,
        "priority": job.priority,
        "created_time": then,
        "scheduled_time": then,
        "reserved_time": then if held or ended else None,
        "completed_time": then if ended else None,
        "duration": 1.5 if job.status == "success" else None,
        "error_message": "ValueError: too few beats" if job.status == "error" else "",
        "host": "elsewhere" if held or ended else "",
        "pid": 7 if held or ended else 0,
    }


def _seen(pipeline: Pipeline, now: datetime.datetime) -> dict[Identity, Row]:
    """The jobs table with each time as its distance from `now`, told apart as finely as the cases need it."""
    return {
        key: {name: _distance(value, now) if name.endswith("_time") else value for name, value in row.items()}
        for key, row in pipeline.rows().items()
    }


def _distance(time: datetime.datetime | None, now: datetime.datetime) -> int | None:
    return None if time is None else round((time - now).total_seconds() / _SLACK)


def _counts(did: Refreshed) -> tuple[int, int, int]:
    return did.added, did.removed, did.re_pended
