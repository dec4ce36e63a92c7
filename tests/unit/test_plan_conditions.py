from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from populate_jobs import ErrorGroup
from populate_operator.plan import Queue, Resolved, Rollout, Upstream
from populate_operator.plan.completion import Outcome
from populate_operator.plan.conditions import Condition, conditions
from populate_operator.spec import Spec

from tests.unit.planning import DOCUMENT, NOW, ONCE, SPEC, a_problem, a_tally, host, seen, workers

SUSPENDED, ONCE_SUSPENDED = replace(SPEC, suspend=True), replace(ONCE, suspend=True)


def judged(spec: Spec = SPEC, outcome: Outcome | None = None, **fields: Any) -> dict[str, Condition]:
    return {condition.type: condition for condition in conditions(spec, seen(**fields), outcome)}


def short(found: dict[str, Condition]) -> dict[str, str]:
    return {name: f"{condition.status} {condition.reason}" for name, condition in found.items()}


BASE = {
    "Resolved": "True Resolved",
    "DatabaseReachable": "True Reachable",
    "JobsFailing": "False NoErrors",
    "ForeignReservations": "False NoneHeld",
}


@pytest.mark.parametrize(
    ("spec", "outcome", "fields", "expected"),
    [
        (SPEC, None, {}, {"Ready": "True UpToDate"}),
        (SPEC, None, {"tally": a_tally(pending=9)}, {"Ready": "True Populating"}),
        (ONCE, None, {"tally": a_tally(pending=9)}, {"Ready": "False Populating", "Reconciling": "True Populating"}),
        (
            ONCE,
            None,
            {"upstream": Upstream(busy=True)},
            {"Ready": "False WaitingForUpstream", "Reconciling": "True WaitingForUpstream"},
        ),
        (ONCE, Outcome.COMPLETE, {}, {"Ready": "True Complete", "Complete": "True Complete"}),
        (SUSPENDED, None, {"tally": a_tally(pending=9)}, {"Ready": "True Suspended", "Suspended": "True Suspended"}),
        (
            ONCE_SUSPENDED,
            None,
            {"tally": a_tally(pending=9)},
            {"Ready": "False Suspended", "Reconciling": "True Suspended", "Suspended": "True Suspended"},
        ),
        (
            ONCE_SUSPENDED,
            Outcome.COMPLETE,
            {},
            {"Ready": "True Complete", "Complete": "True Complete", "Suspended": "True Suspended"},
        ),
        (SPEC, None, {"refresh": None}, {"Ready": "False Refreshing", "Reconciling": "True Refreshing"}),
        (SPEC, None, {"generation": 2}, {"Ready": "False Resolving", "Reconciling": "True Resolving"}),
        (
            SPEC,
            None,
            {"refresh_problem": a_problem("StatementFailed")},
            {"Ready": "False StatementFailed", "Reconciling": "True StatementFailed"},
        ),
        (
            SPEC,
            None,
            {"worker_problem": a_problem("WorkersFailing", lasting=True)},
            {"Ready": "False WorkersFailing", "Stalled": "True WorkersFailing"},
        ),
    ],
)
def test_ready_reconciling_and_stalled(
    spec: Spec, outcome: Outcome | None, fields: dict[str, Any], expected: dict[str, str]
) -> None:
    assert short(judged(spec, outcome, **fields)) == BASE | expected


@pytest.mark.parametrize(
    ("rollout", "message"),
    [
        (Rollout(2, 0), "2 workers of an earlier image or template"),
        (Rollout(1, 2), "3 workers of an earlier image or template, of which 2 end when their keys do"),
        (
            Rollout(1, 0, a_problem("Unschedulable")),
            "1 worker of an earlier image or template; not all come up: Unschedulable: Unschedulable it is",
        ),
    ],
)
def test_workers_of_an_earlier_template_are_told_and_leave_ready_alone(rollout: Rollout, message: str) -> None:
    found = judged(rollout=rollout, tally=a_tally(pending=9))
    assert short(found) == BASE | {"Ready": "True Populating", "RollingOut": "True RollingOut"}
    assert found["RollingOut"].message == message


def test_failed_stalls_and_says_how_to_go_on() -> None:
    found = judged(ONCE, Outcome.FAILED, tally=a_tally(error=3))
    assert short(found) == BASE | {
        "Ready": "False KeysFailed",
        "Stalled": "True KeysFailed",
        "Failed": "True KeysFailed",
        "JobsFailing": "True KeysFailed",
    }
    assert "3 keys" in found["Failed"].message
    assert "retry" in found["Failed"].message


def test_a_refusal_comes_before_everything_else() -> None:
    found = judged(resolved=None, queue=None, tally=None, refusal=a_problem("TableNotFound", lasting=True))
    assert short(found) == {
        "Ready": "False TableNotFound",
        "Resolved": "False TableNotFound",
        "Stalled": "True TableNotFound",
    }


@pytest.mark.parametrize(
    ("problem", "while_true"),
    [
        (a_problem("DatabaseUnreachable"), "Reconciling"),
        (a_problem("LoginRefused", lasting=True), "Stalled"),
    ],
)
def test_an_outage_is_waited_for_and_a_refused_login_is_not(problem: Any, while_true: str) -> None:
    found = judged(database=problem, queue=None)
    assert found["DatabaseReachable"] == Condition("DatabaseReachable", False, problem.reason, problem.message)
    assert found["Ready"].reason == found[while_true].reason == problem.reason


def test_a_dropped_jobs_table_is_a_matter_of_resolving_not_of_the_database() -> None:
    found = short(judged(database=a_problem("TableMissing")))
    assert found["Resolved"] == "False TableMissing"
    assert found["DatabaseReachable"] == "True Reachable"
    assert found["Reconciling"] == "True TableMissing"


def test_failing_keys_show_the_most_frequent_error_and_leave_ready_alone() -> None:
    tally = replace(
        a_tally(error=4),
        errors=(
            ErrorGroup("…", 1, "KeyError: 'a'", {"recording": 2}),
            ErrorGroup("…", 3, "ValueError: too few beats", {"recording": 1}),
        ),
    )
    found = judged(tally=tally)
    assert found["Ready"].status
    assert found["JobsFailing"].message == "4 keys failed; most often (3): ValueError: too few beats"


def test_foreign_rows_are_named_and_ours_are_not_among_them() -> None:
    queue = Queue(0, {"rig-1": 2, host("a"): 5, "rig-2": 1, "rig-3": 1, "rig-4": 1})
    found = judged(queue=queue, workers=workers("a"))
    assert found["ForeignReservations"].message.startswith("5 keys reserved by rig-1, rig-2, rig-3, ...; left alone")


@pytest.mark.parametrize(
    ("shown", "when"),
    [(True, "if their connection is gone"), (False, "the database user has no right (PROCESS) to see")],
)
def test_when_foreign_rows_are_given_back_is_said(shown: bool, when: str) -> None:
    document = replace(DOCUMENT, server=replace(DOCUMENT.server, shows_connections=shown))
    spec = replace(SPEC, orphan_timeout_seconds=7200)
    found = judged(spec, queue=Queue(0, {"rig-1": 1}), resolved=Resolved(document, 1, NOW))
    assert "given back 7200 s after they were reserved" in found["ForeignReservations"].message
    assert when in found["ForeignReservations"].message


@pytest.mark.parametrize(
    ("hosts", "says"),
    [
        (["w1.populate-worker.laptop.run-1"], "left to the operator or the `populate run` whose workers they are"),
        (["rig-1", "w1.populate-worker.laptop.run-1"], "but for the workers of other operators"),
    ],
)
def test_keys_of_other_operators_workers_are_said_to_be_theirs(hosts: list[str], says: str) -> None:
    spec = replace(SPEC, orphan_timeout_seconds=7200)
    found = judged(spec, queue=Queue(0, dict.fromkeys(hosts, 1)))
    assert found["ForeignReservations"].message.endswith(says)


def test_warnings_of_resolve_are_shown() -> None:
    resolved = replace(seen().resolved, document=replace(DOCUMENT, warnings=("the server's zone has daylight saving",)))  # type: ignore[type-var]
    assert judged(resolved=resolved)["Resolved"].message.endswith("the server's zone has daylight saving")


def test_nothing_is_said_of_what_was_not_looked_at() -> None:
    found = judged(resolved=None, queue=None, tally=None, refresh=None)
    assert short(found) == {"Ready": "False Resolving", "Reconciling": "True Resolving"}
