"""Small decisions of the operator, each without a cluster."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest
from populate_jobs import DatabaseSettings, ServerIdentity
from populate_jobs.errors import ResolveRefused, SettingsError
from populate_operator.kube import pods
from populate_operator.kube.asking import question
from populate_operator.kube.controller import _asks
from populate_operator.kube.farewell import Step, step
from populate_operator.kube.manifests import names
from populate_operator.kube.manifests.assignment import Answer
from populate_operator.kube.relocation import address, is_elsewhere, refusal
from populate_operator.kube.secrets import _settings
from populate_operator.kube.wishes import due, limit
from populate_operator.question import refusal as refused

from tests.unit.kube import OURS, job, pod, ready, resource
from tests.unit.planning import DOCUMENT, NOW, a_problem

LOGIN = DatabaseSettings("db.lab", "me", "secret")


# What a resource asks for


@pytest.mark.parametrize(
    ("edit", "wakes"),
    [
        ({"status": {"pending": 3}}, False),
        ({"metadata": {"resourceVersion": "9"}}, False),
        ({"metadata": {"generation": 2}}, True),
        ({"metadata": {"annotations": {names.REFRESH: "now"}}}, True),
        ({"metadata": {"deletionTimestamp": "2026-03-01T12:00:00Z"}}, True),
        ({"metadata": {"uid": "u-2"}}, True),
    ],
)
def test_a_write_of_our_own_wakes_nobody(edit: dict[str, Any], wakes: bool) -> None:
    before = resource()
    after = {**before, **edit, "metadata": {**before["metadata"], **edit.get("metadata", {})}}
    assert (_asks(before) != _asks(after)) == wakes


@pytest.mark.parametrize(
    ("spec", "login", "same"),
    [
        ({"priority": 1, "scaling": {"maxWorkers": 3}, "suspend": True}, LOGIN, True),
        ({}, replace(LOGIN, password="new"), True),
        ({"database": {"secretRef": {"name": "other"}}}, LOGIN, True),
        ({"restriction": "id < 3"}, LOGIN, False),
        ({"restrictBy": [{"key": {"id": 3}}]}, LOGIN, False),
        ({"worker": {"image": "registry.example/cardio:1.5"}}, LOGIN, False),
        ({}, replace(LOGIN, host="db2.lab"), False),
    ],
)
def test_resolve_is_asked_again_when_the_answer_may_be_another(
    spec: dict[str, Any], login: DatabaseSettings, same: bool
) -> None:
    assert (question(job(**spec).spec, login) == question(job().spec, LOGIN)) == same


@pytest.mark.parametrize(
    ("annotations", "handled", "expected"),
    [
        ({}, {}, {}),
        ({names.REFRESH: "1"}, {}, {names.REFRESH: "1"}),
        ({names.REFRESH: "1"}, {names.REFRESH: "1"}, {}),
        ({names.REFRESH: "2"}, {names.REFRESH: "1"}, {names.REFRESH: "2"}),
        ({names.REFRESH: ""}, {}, {}),
        ({"datajoint.io/match": "x", "other": "y"}, {}, {}),
    ],
)
def test_each_value_of_an_annotation_is_acted_on_once(
    annotations: dict[str, str], handled: dict[str, str], expected: dict[str, str]
) -> None:
    assert due(annotations, handled) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-01-31T12:00:00Z", None),
        ("deadlock", None),
        ('{"at": "1", "match": "Deadlock found"}', "Deadlock found"),
        (' {"match": "{"}', "{"),
    ],
)
def test_a_wish_says_for_itself_which_errors_it_is_about(value: str, expected: str | None) -> None:
    assert limit(value) == expected


@pytest.mark.parametrize("value", ["{match: deadlock}", '{"mach": "deadlock"}', '{"match": ""}', '{"match": 3}', "{"])
def test_a_wish_that_cannot_be_read_is_no_wish_for_all_errors(value: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        limit(value)


# Secrets


def secret(**data: str) -> dict[str, Any]:
    return {"data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}}


def test_a_login_is_read_from_a_secret_without_the_newline_of_a_file() -> None:
    assert _settings(secret(host="db.lab", user="me", password="secret\n"), "datajoint") == LOGIN


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (None, "there is no Secret datajoint"),
        (secret(host="db.lab"), "the Secret datajoint lacks user, password"),
        ({"data": {"host": "%"}}, "the Secret datajoint"),
    ],
)
def test_a_secret_that_cannot_be_used_is_named(found: dict[str, Any] | None, says: str) -> None:
    problem = _settings(found, "datajoint")
    assert isinstance(problem, SettingsError)
    assert says in str(problem)


# Another server under the same PopulateJob

KEPT = Answer(DOCUMENT, "q-1", NOW, address(LOGIN))
ELSEWHERE = replace(DOCUMENT, server=ServerIdentity("18.0", "two", "UTC"))
UNKNOWN = replace(DOCUMENT, server=ServerIdentity("18.0", "", "UTC"))


@pytest.mark.parametrize(
    ("kept", "said", "login", "expected"),
    [
        (KEPT, ELSEWHERE, replace(LOGIN, host="db2.lab"), True),
        (KEPT, replace(UNKNOWN, backend="mysql"), replace(LOGIN, port=9), True),
        (KEPT, DOCUMENT, replace(LOGIN, host="db.lab.example"), False),
        (KEPT, ELSEWHERE, LOGIN, False),
        (KEPT, ELSEWHERE, replace(LOGIN, user="you", password="new"), False),
        (KEPT, UNKNOWN, replace(LOGIN, host="db2.lab"), False),
        (replace(KEPT, address=""), ELSEWHERE, replace(LOGIN, host="db2.lab"), False),
    ],
)
def test_another_address_of_another_server_is_elsewhere(
    kept: Answer, said: Any, login: DatabaseSettings, expected: bool
) -> None:
    assert is_elsewhere(kept, said, address(login)) == expected


def test_the_refusal_names_both_servers_and_the_way_out() -> None:
    refused = refusal(KEPT, ELSEWHERE, "datajoint")
    assert refused.reason == "ServerChanged"
    for part in ("the Secret datajoint", "postgresql two", "postgresql one", DOCUMENT.target, "delete"):
        assert part in str(refused)


# What a refusal is about


@pytest.mark.parametrize(
    ("reason", "lasting"),
    [("DatabaseUnreachable", False), ("LockWaitedFor", False), ("TookTooLong", False), ("RestrictionInvalid", True)],
)
def test_what_the_database_may_get_over_asks_nobody_to_mend_it(reason: str, lasting: bool) -> None:
    assert refused(ResolveRefused(reason, "so it is"), None, NOW).lasting == lasting


# Leaving


@pytest.mark.parametrize(
    ("done", "workers", "waited", "expected"),
    [
        (False, 2, 0, Step.WAIT),
        (False, 0, 0, Step.REMOVE),
        (False, 2, 16, Step.REMOVE),
        (True, 2, 0, Step.LET_GO),
        (False, 2, 31, Step.LET_GO),
    ],
)
def test_what_waits_is_removed_once_the_workers_gave_back_their_keys_and_nobody_waits_for_ever(
    done: bool, workers: int, waited: float, expected: Step
) -> None:
    assert step(done, workers, waited) is expected


# Pods


@pytest.mark.parametrize(
    ("reason", "up", "expected"),
    [(None, 0, 5), ("ImagePullFailed", 0, 1), ("WorkersFailing", 2, 2), ("Unschedulable", 0, 5), ("PodsRefused", 0, 5)],
)
def test_workers_that_do_not_come_up_are_not_multiplied(reason: str | None, up: int, expected: int) -> None:
    those = [ready(str(number)) if number < up else pod(str(number)) for number in range(3)]
    assert pods.bearable(5, a_problem(reason) if reason else None, those, 0) == expected


def test_workers_that_work_beside_a_container_that_does_not_are_left_alone() -> None:
    those = [pod(str(number), container={"ready": True, "state": {"running": {}}}) for number in range(3)]
    assert pods.bearable(5, a_problem("ImagePullFailed"), those, 0) == 3


def test_workers_that_hold_keys_are_left_alone_where_no_probe_of_theirs_is_answered() -> None:
    those = [pod(str(number)) for number in range(4)]
    assert pods.bearable(5, a_problem("WorkersFailing"), those, 3) == 3


def test_deleting_a_busy_pod_costs_more_and_only_news_is_written() -> None:
    busy, idle, was_busy = ready("a"), ready("b"), ready("c")
    was_busy["metadata"]["annotations"] = {names.DELETION_COST: pods.BUSY_COST}
    assert pods.costs([busy, idle, was_busy], {"a" + OURS}, OURS) == {"a": pods.BUSY_COST, "c": "0"}
    assert pods.costs([was_busy], {"c" + OURS}, OURS) == {}


@pytest.mark.parametrize(
    ("those", "asked", "least"),
    [
        ("new busy, ready idle, ready idle", 1, 3),
        ("new busy, new idle, ready idle", 1, 2),
        ("new busy, new idle, ready busy", 2, 2),
        ("ready busy, ready idle, new idle", 1, 1),
        ("new busy, ready busy, ready idle", 0, 0),
        ("new busy, ready busy, ready idle", 1, 1),
    ],
)
def test_no_worker_is_stopped_where_kubernetes_would_take_one_that_holds_keys_and_is_not_ready_yet(
    those: str, asked: int, least: int
) -> None:
    found, busy = [], set()
    for number, words in enumerate(those.split(", ")):
        found.append((ready if "ready" in words else pod)(f"worker-{number}"))
        busy |= {f"worker-{number}{OURS}"} if "busy" in words else set()
    assert pods.least(asked, found, busy, OURS) == least


def test_only_pods_older_than_the_assignment_are_told_of_it_and_once() -> None:
    def born(name: str, at: str, told: str = "", **status: Any) -> dict[str, Any]:
        found = pod(name, **status)
        found["metadata"] |= {"creationTimestamp": at, "annotations": {names.CHANGED_AT: told}}
        return found

    old, new = "2026-03-01T12:00:00Z", "2026-03-01T12:00:09Z"
    changed_at = "2026-03-01T12:00:05Z"
    those = [born("a", old), born("b", old, told=changed_at), born("c", new), born("d", old, phase="Failed")]
    assert pods.behind(those, changed_at) == ["a"]
