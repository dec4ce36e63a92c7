"""Rows whose worker is gone: given back, except what is still held, is done, or is not ours."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace

import pytest
from populate_jobs import (
    Holder,
    JobsTable,
    Recovered,
    RetryPolicy,
    complete,
    connect,
    recover,
    recover_orphans,
    recover_unseen,
    reserve,
)
from populate_jobs.errors import DatabaseUnreachable
from populate_jobs.types import WORKER_MARK, worker_session

from tests.database.pipeline import ANNA, BERT, Pipeline, reserve_one, seconds, values
from tests.database.users import user
from tests.database.watch import Watched
from tests.servers.host import wait_until

GONE = 0
"""No server gives a connection this id."""
POD = f"calcium-traces-of-the-visual-cortex-worker-5d9c8b7f6d-abcde{WORKER_MARK}.lab.1a2b3c4d"
"""The server sees none of its name."""
SIBLING = POD.replace("-abcde", "-abcdf")
LOCAL = f"w1{WORKER_MARK}.a-workstation-of-the-imaging-lab.example.org.run-0123456789"


@pytest.fixture
def jobs(pipeline: Pipeline) -> JobsTable:
    """With six keys to do."""
    pipeline.add(*range(6))
    pipeline.enqueue(*range(6))
    return pipeline.session()


def test_only_rows_of_exactly_these_hosts_are_given_back(pipeline: Pipeline, jobs: JobsTable) -> None:
    reserve(jobs, ANNA, 2)
    reserve(jobs, BERT, 2)
    reserve(jobs, Holder(f"not-{ANNA.host}", 1), 2)
    before = pipeline.rows()
    assert recover(jobs, [ANNA.host, "nobody"]) == Recovered(released=2)
    after = pipeline.rows()
    changed = {key for key, row in after.items() if row != before[key]}
    assert changed == {key for key, row in before.items() if row["host"] == ANNA.host}
    assert {after[key]["status"] for key in changed} == {"pending"}


def test_a_recovery_that_is_interrupted_blames_nobody(pipeline: Pipeline, jobs: JobsTable) -> None:
    reserve(jobs, ANNA, 6)
    broken = pipeline.session(kind=Watched)
    broken.before["mark_released"] = lambda: pipeline.kill(broken.connection)
    with pytest.raises(DatabaseUnreachable):
        recover(broken, [ANNA.host], suspect="OOMKilled")
    policy = RetryPolicy(limit=0)
    assert recover(jobs, [ANNA.host], suspect="OOMKilled", policy=policy) == Recovered(released=6, suspects=6)
    assert set(pipeline.statuses().values()) == {"pending"}
    assert pipeline.attempts() == []


def test_no_host_is_nobody(pipeline: Pipeline, jobs: JobsTable) -> None:
    reserve(jobs, ANNA, 6)
    assert recover(jobs, []) == Recovered()
    assert set(pipeline.statuses().values()) == {"reserved"}


def test_keys_that_the_target_has_are_completed(pipeline: Pipeline, jobs: JobsTable) -> None:
    held = reserve(jobs, ANNA, 4)
    pipeline.make(*values(held[:3]))
    assert recover(jobs, [ANNA.host]) == Recovered(released=1, completed=3)
    assert len(pipeline.rows()) == 3


def test_what_is_still_held_stays(pipeline: Pipeline, jobs: JobsTable) -> None:
    held = reserve(jobs, ANNA, 6)
    assert recover(jobs, [ANNA.host], but=held[:2]) == Recovered(released=4)
    assert [key for key, status in pipeline.statuses().items() if status == "reserved"] == sorted(values(held[:2]))
    pipeline.make(*values(held[:2]))
    assert [outcome.name for outcome in complete(jobs, [(one, 1.0) for one in held[:2]])] == ["MADE", "MADE"]


def test_what_was_reserved_lately_stays_where_only_older_rows_are_meant(pipeline: Pipeline, jobs: JobsTable) -> None:
    held = reserve(jobs, ANNA, 6)
    assert recover(jobs, [ANNA.host], older_than=3600) == Recovered()
    pipeline.change(reserved_time=held[0].reserved_time - seconds(7200))
    assert recover(jobs, [ANNA.host], older_than=3600) == Recovered(released=6)


def test_what_is_held_by_a_worker_that_the_server_sees_stays(pipeline: Pipeline, jobs: JobsTable) -> None:
    holder = replace(ANNA, user=jobs.connection.user)
    reserve(jobs, holder, 6)
    assert recover_unseen(jobs, [holder.host]) == Recovered()
    assert set(pipeline.statuses().values()) == {"reserved"}


@pytest.mark.parametrize("host", ["cleo.lab.test", SIBLING, LOCAL], ids=["short", "of a pod", "local"])
def test_a_worker_that_has_opened_another_session_is_seen(host: str, pipeline: Pipeline, jobs: JobsTable) -> None:
    reserve(jobs, replace(ANNA, host=host, user=jobs.connection.user), 6)
    pipeline.change(connection_id=GONE)
    with closing(connect(jobs.connection.settings, name=worker_session(host))):
        assert recover_unseen(jobs, [host]) == Recovered()
    assert set(pipeline.statuses().values()) == {"reserved"}


@pytest.mark.parametrize(
    "other",
    [SIBLING, POD.replace(".lab.", ".bal."), POD.replace("1a2b", "1a2c")],
    ids=["of the same ReplicaSet", "of another namespace", "of another installation"],
)
def test_a_worker_is_not_seen_by_the_session_of_another_with_nearly_its_name(
    other: str, pipeline: Pipeline, jobs: JobsTable
) -> None:
    reserve(jobs, replace(ANNA, host=POD, user=elsewhere(jobs)), 6)
    pipeline.change(connection_id=GONE)
    with closing(connect(jobs.connection.settings, name=worker_session(other))):
        assert recover_unseen(jobs, [POD]) == Recovered(released=6)


def test_what_is_held_by_a_worker_that_the_server_does_not_see_is_given_back(
    pipeline: Pipeline, jobs: JobsTable
) -> None:
    reserve(jobs, replace(ANNA, user=elsewhere(jobs)), 3)
    reserve(jobs, replace(BERT, user=elsewhere(jobs)), 1)
    reserve(jobs, replace(ANNA, user="somebody@192.0.2.1"), 1)
    pipeline.change(connection_id=GONE)
    assert recover_unseen(jobs, [ANNA.host]) == Recovered(released=3)
    assert recover_unseen(jobs, []) == Recovered()


def elsewhere(jobs: JobsTable) -> str:
    """This account, at an address from which it has no session."""
    account = jobs.connection.user.partition("@")[0]
    return f"{account}@192.0.2.1" if jobs.connection.backend == "mysql" else account


def test_a_session_that_has_its_id_since_the_server_began_anew_is_none_of_that_worker(
    pipeline: Pipeline, jobs: JobsTable
) -> None:
    reserve(jobs, replace(ANNA, user=elsewhere(jobs)), 1)
    pipeline.change(reserved_time=pipeline.now() - seconds(10 * 365 * 86400), connection_id=jobs.connection.id)
    assert recover_unseen(jobs, [ANNA.host]) == Recovered(released=1)


class Telling(JobsTable):
    """Given this for the list of sessions of a MySQL server, besides our own one; it is not the server's."""

    sessions: Sequence[tuple[str, str]] = ()
    """Of each the user and the address with the port."""

    def sql(self, statement: str, **parts: str) -> str:
        listed = " UNION ALL ".join(f"SELECT {GONE}, '{user}', '{host}'" for user, host in self.sessions)
        own = "SELECT CONNECTION_ID() AS id, 'operator' AS user, 'localhost' AS host"
        return super().sql(statement, **parts).replace("information_schema.processlist", f"({own} UNION ALL {listed})")


@pytest.mark.parametrize(
    ("at", "listed", "is_seen"),
    [
        ("10.0.0.7", "10.0.0.7:52044", True),
        ("localhost", "localhost", True),
        ("fd00::7", "fd00::7:52044", True),
        ("fd00::7:52044", "fd00::7:52044:52044", True),
        ("fd00::7", "fd00::8:52044", False),
        ("fd00::7", "fd00::7:8:52044", False),
        ("10.0.0.7", "10.0.0.70:52044", False),
    ],
)
def test_a_worker_is_known_by_its_address_whatever_that_looks_like(
    pipeline: Pipeline, jobs: JobsTable, at: str, listed: str, is_seen: bool
) -> None:
    if jobs.connection.backend != "mysql":
        pytest.skip("PostgreSQL knows a worker's sessions by their names")
    account = jobs.connection.user.partition("@")[0]
    reserve(jobs, replace(ANNA, user=f"{account}@{at}"), 1)
    pipeline.change(connection_id=4711)
    telling = pipeline.session(kind=Telling)
    telling.sessions = [(account, listed)]
    assert recover_unseen(telling, [ANNA.host]) == Recovered(released=0 if is_seen else 1)


def test_an_earlier_reservation_of_a_key_protects_no_later_one(pipeline: Pipeline, jobs: JobsTable) -> None:
    held = reserve(jobs, ANNA, 6)
    pipeline.change(reserved_time=held[0].reserved_time + seconds(1))
    assert recover(jobs, [ANNA.host], but=held) == Recovered(released=6)


def test_more_rows_than_one_statement_takes_are_given_back(pipeline: Pipeline) -> None:
    pipeline.enqueue(*range(1000))
    jobs = pipeline.session()
    reserve(jobs, ANNA, 1000)
    assert recover(jobs, [ANNA.host]) == Recovered(released=1000)


def test_suspects_carry_the_reason_and_are_no_attempt(pipeline: Pipeline, jobs: JobsTable) -> None:
    reserve(jobs, ANNA, 2)
    assert recover(jobs, [ANNA.host], suspect="OOMKilled at 100 % of 'limit'") == Recovered(released=2, suspects=2)
    messages = [row["error_message"] for row in pipeline.rows().values()]
    assert sorted(messages) == [""] * 4 + ["Suspect: OOMKilled at 100 % of 'limit'"] * 2
    assert pipeline.attempts() == []


def test_a_worker_that_was_evicted_makes_no_suspects(pipeline: Pipeline, jobs: JobsTable) -> None:
    reserve(jobs, ANNA, 2)
    recover(jobs, [ANNA.host])
    assert not any(row["error_message"] for row in pipeline.rows().values())
    assert len(reserve(jobs, BERT, 6)) == 6


@pytest.mark.parametrize("limit", [0, 2])
def test_a_key_that_kills_its_worker_when_alone_ends_as_error_at_its_limit_and_no_innocent_does(
    pipeline: Pipeline, jobs: JobsTable, limit: int
) -> None:
    guilty, deaths = 3, 0
    policy = RetryPolicy(limit, backoff_seconds=0)
    for _ in range(20):
        held = reserve(jobs, ANNA, 3)
        if not held:
            break
        if guilty in values(held):
            alone = held[0].suspect
            recovered = recover(jobs, [ANNA.host], suspect="OOMKilled", policy=policy)
            assert recovered.ended == (alone and deaths == limit)
            deaths += alone
        else:
            pipeline.make(*values(held))
            complete(jobs, [(reservation, 1.0) for reservation in held])
    assert pipeline.statuses() == {guilty: "error"}
    assert pipeline.row(guilty)["error_message"] == "OOMKilled"
    assert deaths == limit + 1
    assert pipeline.attempts() == []


def test_a_suspect_whose_worker_was_evicted_stays_a_suspect(pipeline: Pipeline, jobs: JobsTable) -> None:
    pipeline.change(0, priority=0)
    reserve(jobs, ANNA, 1)
    recover(jobs, [ANNA.host], suspect="OOMKilled")
    assert reserve_one(jobs).suspect
    assert recover(jobs, [ANNA.host]) == Recovered(released=1)
    assert reserve_one(jobs).suspect


def test_a_suspect_that_the_target_has_is_completed(pipeline: Pipeline, jobs: JobsTable) -> None:
    pipeline.change(0, priority=0)
    reserve(jobs, ANNA, 1)
    recover(jobs, [ANNA.host], suspect="OOMKilled")
    pipeline.make(*values([reserve_one(jobs)]))
    assert recover(jobs, [ANNA.host], suspect="OOMKilled") == Recovered(completed=1)
    assert len(pipeline.rows()) == 5


def test_rows_reserved_by_datajoint_are_not_ours_to_recover(pipeline: Pipeline, jobs: JobsTable) -> None:
    for key in (0, 1):
        assert pipeline.jobs.reserve({"subject_id": key})
    before = pipeline.rows()
    assert recover(jobs, [ANNA.host]) == Recovered()
    assert recover_orphans(jobs, 3600, but_hosts_ending=".lab.test") == Recovered()
    assert pipeline.rows() == before


def test_a_foreign_row_past_its_time_stays_with_a_client_that_is_connected(pipeline: Pipeline, jobs: JobsTable) -> None:
    assert pipeline.jobs.reserve({"subject_id": 0})
    wait_until(lambda: pipeline.now() > pipeline.row(0)["reserved_time"], "a millisecond")
    assert recover_orphans(jobs, 0, but_hosts_ending=".lab.test") == Recovered()
    assert pipeline.statuses()[0] == "reserved"
    pipeline.change(0, connection_id=GONE)
    assert recover_orphans(jobs, 0, but_hosts_ending=".lab.test") == Recovered(released=1)


def test_a_session_that_has_the_id_and_began_after_the_row_was_reserved_is_somebody_else_s(
    pipeline: Pipeline, jobs: JobsTable
) -> None:
    """As after a restart of the server, which gives the same ids again; also to who may see little of others'."""
    before_the_server_began = pipeline.now() - seconds(10 * 365 * 86400)
    with user(pipeline) as login:
        for session in (jobs, pipeline.session(login=login)):
            assert pipeline.jobs.reserve({"subject_id": 0})
            pipeline.change(0, reserved_time=before_the_server_began, connection_id=jobs.connection.id)
            assert recover_orphans(session, 3600, but_hosts_ending=".lab.test") == Recovered(released=1)


def test_a_session_of_which_little_may_be_seen_is_the_client_s(pipeline: Pipeline) -> None:
    pipeline.add(0)
    pipeline.enqueue(0)
    assert pipeline.jobs.reserve({"subject_id": 0})
    wait_until(lambda: pipeline.now() > pipeline.row(0)["reserved_time"], "a millisecond")
    with user(pipeline) as login:
        fewer = pipeline.session(login=login)
        # Without the right PROCESS nothing of others' sessions is seen on MySQL and MariaDB.
        seen = fewer.connection.backend == "postgresql"
        assert recover_orphans(fewer, 0, but_hosts_ending=".lab.test") == Recovered(released=0 if seen else 1)


def test_what_workers_of_other_operators_hold_is_theirs(pipeline: Pipeline, jobs: JobsTable) -> None:
    assert pipeline.jobs.reserve({"subject_id": 5})
    for place in ("lab.another-cluster", "laptop.run-0123456789"):
        reserve(jobs, replace(ANNA, host=f"anna{WORKER_MARK}.{place}"), 1)
    pipeline.change(reserved_time=pipeline.now() - seconds(3700), connection_id=GONE)
    assert recover_orphans(jobs, 3600, but_hosts_ending=".lab.test") == Recovered(released=1)
    assert list(pipeline.statuses().values()).count("reserved") == 2


def test_foreign_rows_past_their_time_are_given_back_and_ours_are_not(pipeline: Pipeline, jobs: JobsTable) -> None:
    for key in (0, 1):
        assert pipeline.jobs.reserve({"subject_id": key})
    ours = values(reserve(jobs, ANNA, 2))
    long_ago = pipeline.now() - seconds(3700)
    pipeline.change(1, *ours, reserved_time=long_ago, connection_id=GONE)
    pipeline.change(0, connection_id=GONE)
    assert recover_orphans(jobs, 3600, but_hosts_ending=".lab.test") == Recovered(released=1)
    statuses = pipeline.statuses()
    assert (statuses[0], statuses[1]) == ("reserved", "pending")
    assert {statuses[key] for key in ours} == {"reserved"}


def test_foreign_rows_outside_the_restriction_are_left_to_others(pipeline: Pipeline, jobs: JobsTable) -> None:
    for key in (0, 1):
        assert pipeline.jobs.reserve({"subject_id": key})
    pipeline.change(0, 1, reserved_time=pipeline.now() - seconds(3700), connection_id=GONE)
    restricted = pipeline.session("subject_id = 1")
    assert recover_orphans(restricted, 3600, but_hosts_ending=".lab.test") == Recovered(released=1)
    assert pipeline.statuses()[0] == "reserved"


def test_a_foreign_row_that_the_target_has_is_completed(pipeline: Pipeline, jobs: JobsTable) -> None:
    assert pipeline.jobs.reserve({"subject_id": 0})
    pipeline.change(0, reserved_time=pipeline.now() - seconds(3700), connection_id=GONE)
    pipeline.make(0)
    assert recover_orphans(jobs, 3600, but_hosts_ending=".lab.test") == Recovered(completed=1)
    assert 0 not in pipeline.statuses()
