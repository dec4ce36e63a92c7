"""What Prometheus itself says to the chart's alerts and panels, and to what operator and worker serve."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from populate_jobs import Outcome
from populate_operator.kube.health import Pulse
from populate_operator.kube.metrics import Metrics as OperatorMetrics
from populate_worker.supervisor.metrics import Metrics as WorkerMetrics
from prometheus_client import generate_latest

from tests.metrics import ALERTS, OWNER, alerts, operator_text, tell

from . import Refused, panels
from .kubectl import Program
from .panels import Scraped

JOB = {"namespace": "lab", "populatejob": "heart-rate"}
WORKER = {"namespace": "lab", "pod": "heart-rate-a", "populatejob": "heart-rate"}
LEADER, OTHER = ({"namespace": "ops", "pod": f"operator-{name}"} for name in "ab")
LOGIN = {"namespace": "lab", "secret": "datajoint"}


def series(name: str, labels: dict[str, str], **more: str) -> str:
    inside = ", ".join(f'{label}="{value}"' for label, value in (labels | more).items())
    return f"{name}{{{inside}}}"


def keys(status: str) -> str:
    return series("populate_queue_keys", JOB, status=status)


def workers(state: str) -> str:
    return series(f"populate_workers_{state}", JOB)


@dataclass(frozen=True)
class Case:
    """What is told, a value a minute, and when an alert is up."""

    name: str
    alert: str
    told: dict[str, str]
    """By series, as promtool writes them: `0x10 1x5` is 0 eleven times and 1 six times, `_` no value."""
    quiet: tuple[int, ...]
    """Minutes at which it is not up."""
    up: tuple[int, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)


CASES = [
    Case("none answers", "PopulateOperatorMissing", {}, quiet=(4,), up=(5, 60)),
    Case(
        "none leads",
        "PopulateOperatorMissing",
        {series("populate_operator_leading", who): "0x30" for who in (LEADER, OTHER)},
        quiet=(4,),
        up=(5, 30),
        labels={"namespace": "ops"},
    ),
    Case(
        "another one takes over",
        "PopulateOperatorMissing",
        {
            series("populate_operator_leading", LEADER): "1x10 stale",
            series("populate_operator_leading", OTHER): "0x13 1x20",
        },
        quiet=(5, 12, 20, 30),
    ),
    Case(
        "the loop hangs",
        "PopulateOperatorStalled",
        {series("populate_operator_last_turn_timestamp_seconds", LEADER): "0+60x10 600x20"},
        quiet=(10, 14),
        up=(15, 30),
        labels=LEADER,
    ),
    Case(
        "a fault",
        "PopulateOperatorFaults",
        {series("populate_operator_faults_total", LEADER): "0x10 1x30"},
        quiet=(10, 27),
        up=(11, 20),
        labels=LEADER,
    ),
    Case(
        "the database is away",
        "PopulateDatabaseDown",
        {series("populate_database_up", LOGIN): "1x10 0x20 1x5"},
        quiet=(10, 15, 33),
        up=(16, 31),
        labels=LOGIN,
    ),
    Case(
        "the database is restarted",
        "PopulateDatabaseDown",
        {series("populate_database_up", LOGIN): "1x10 0x3 1x20"},
        quiet=(11, 14, 16, 20),
    ),
    Case(
        "somebody has to do something",
        "PopulateJobStalled",
        {series("populate_stalled", JOB): "0x5 1x30"},
        quiet=(5, 20),
        up=(21, 36),
        labels=JOB,
    ),
    Case(
        "pods do not come up",
        "PopulateBacklogStuck",
        {keys("pending"): "0x5 50x60", workers("desired"): "0x5 2x60", workers("busy"): "0x65"},
        quiet=(5, 35),
        up=(36, 60),
        labels=JOB,
    ),
    Case(
        "a worker takes a key now and then",
        "PopulateBacklogStuck",
        {keys("pending"): "50x60", workers("desired"): "2x60", workers("busy"): "0x20 1 0x20 1 0x20"},
        quiet=(10, 30, 40, 60),
    ),
    Case(
        "nobody is meant to work",
        "PopulateBacklogStuck",
        {keys("pending"): "50x60", workers("desired"): "0x60", workers("busy"): "0x60"},
        quiet=(30, 60),
    ),
    Case(
        "nothing waits",
        "PopulateBacklogStuck",
        {keys("pending"): "0x60", keys("scheduled"): "9x60", workers("desired"): "1x60", workers("busy"): "0x60"},
        quiet=(30, 60),
    ),
    Case(
        "every sixth key fails",
        "PopulateKeysFail",
        {keys("error"): "0+1x60 60x60", keys("done"): "0+5x120"},
        quiet=(10, 120),
        up=(20, 60),
        labels=JOB,
    ),
    Case(
        "every twentieth key fails",
        "PopulateKeysFail",
        {keys("error"): "0+1x60", keys("done"): "0+19x60"},
        quiet=(20, 40, 60),
    ),
    Case(
        "errors of yesterday, and rows of the target deleted",
        "PopulateKeysFail",
        {keys("error"): "500x60", keys("done"): "9000-100x60"},
        quiet=(20, 40, 60),
    ),
    Case(
        "errors are queued again",
        "PopulateKeysFail",
        {keys("error"): "500x20 0x40", keys("done"): "0+1x60"},
        quiet=(20, 40, 60),
    ),
    Case(
        "make after make is killed",
        "PopulateRunnersDie",
        {series("populate_runner_starts_total", WORKER): "1x5 2+1x60"},
        quiet=(5, 15),
        up=(30,),
        labels=WORKER,
    ),
    Case(
        "eight makes were killed",
        "PopulateRunnersDie",
        {series("populate_runner_starts_total", WORKER): "1x5 2+1x7 9x60"},
        quiet=(10, 20, 60),
    ),
    Case(
        "a worker hangs",
        "PopulateWorkerStalled",
        {series("populate_last_heartbeat_timestamp_seconds", WORKER): "0+60x10 600x30"},
        quiet=(10, 20),
        up=(21, 40),
        labels=WORKER,
    ),
]


@pytest.fixture(scope="module")
def promtool() -> Program:
    return Program("promtool", Path(os.devnull))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.alert}, {case.name}")
def test_an_alert_is_up_when_something_is_wrong_and_at_no_other_time(
    case: Case, promtool: Program, tmp_path: Path
) -> None:
    (tmp_path / "case.yaml").write_text(yaml.safe_dump(written(case)))
    promtool("test", "rules", str(tmp_path / "case.yaml"))


def written(case: Case) -> dict[str, Any]:
    """As promtool reads it."""
    asked: list[dict[str, Any]] = []
    asked += [{"eval_time": f"{minute}m", "alertname": case.alert, "exp_alerts": []} for minute in case.quiet]
    asked += [{"eval_time": f"{minute}m", "alertname": case.alert, "exp_alerts": [told(case)]} for minute in case.up]
    inputs = [{"series": name, "values": values} for name, values in case.told.items()]
    test = {"interval": "1m", "input_series": inputs, "alert_rule_test": asked}
    return {"rule_files": [str(ALERTS)], "evaluation_interval": "1m", "tests": [test]}


def told(case: Case) -> dict[str, Any]:
    """The alert as it is to be told, each label in its place."""
    (alert,) = (alert for alert in alerts() if alert["alert"] == case.alert)
    label = re.compile(r"{{ \$labels\.(\w+) }}")
    notes = {name: label.sub(lambda found: case.labels[found[1]], text) for name, text in alert["annotations"].items()}
    return {"exp_labels": alert["labels"] | case.labels, "exp_annotations": notes}


def test_each_alert_is_seen_up_and_seen_down() -> None:
    names = {alert["alert"] for alert in alerts()}
    assert {case.alert for case in CASES if case.up} == {case.alert for case in CASES if case.quiet} == names


def test_the_alerts_are_rules_as_they_should_be(promtool: Program) -> None:
    said = promtool("check", "rules", "--lint=all", "--lint-fatal", str(ALERTS))
    assert f"SUCCESS: {len(alerts())} rules found" in said


def scrapes() -> Iterator[list[Scraped]]:
    """An operator and a worker, over and over, and more was done each time."""
    operator, worker = OperatorMetrics(Pulse()), WorkerMetrics()
    while True:
        tell(operator, OWNER)
        operator.turn.observe(0.002)
        worker.runners_started(1)
        worker.made(0.2)
        worker.outcome(Outcome.MADE)
        yield [Scraped(generate_latest(operator.registry).decode(), LEADER), Scraped(worker.text().decode(), WORKER)]


def test_every_panel_has_an_answer_in_what_is_served(promtool: Program, tmp_path: Path) -> None:
    panels.judge(promtool, tmp_path, *itertools.islice(scrapes(), 2))


def test_a_panel_without_an_answer_is_found(promtool: Program, tmp_path: Path) -> None:
    first, second = itertools.islice(scrapes(), 2)
    with pytest.raises(Refused, match="populate_make_seconds_bucket"):
        panels.judge(promtool, tmp_path, first[:1], second[:1])
    with pytest.raises(Refused, match="populate_refresh_seconds_sum"):
        panels.judge(promtool, tmp_path, second, second)


def test_the_panel_of_resolve_failures_shows_the_first_one_too(promtool: Program, tmp_path: Path) -> None:
    """Its series begins at 1, ten minutes after the operator did, and grows ten minutes later."""
    (expression,) = (asked for asked in panels.asked() if "populate_resolve_failures_total" in asked)
    told = {"series": series("populate_resolve_failures_total", JOB, reason="ImportFailed"), "values": "_x10 1x9 3x19"}
    at = {"9m": None, "10m": 1, "14m": 1, "18m": 0, "22m": 1, "35m": 0}
    answers = [
        {
            "expr": f"({expression}) > bool 0",
            "eval_time": moment,
            "exp_samples": [] if value is None else [{"labels": '{reason="ImportFailed"}', "value": value}],
        }
        for moment, value in at.items()
    ]
    test = {"interval": "1m", "input_series": [told], "promql_expr_test": answers}
    (tmp_path / "first.yaml").write_text(yaml.safe_dump({"rule_files": [], "tests": [test]}))
    promtool("test", "rules", str(tmp_path / "first.yaml"))


@pytest.mark.parametrize("text", [operator_text, lambda: WorkerMetrics().text().decode()], ids=["operator", "worker"])
def test_names_and_types_are_as_prometheus_would_have_them(text: Any, promtool: Program) -> None:
    assert promtool("check", "metrics", stdin=text()) == ""


def test_a_name_that_is_not_is_refused(promtool: Program) -> None:
    with pytest.raises(Refused, match="counter metrics should have"):
        promtool("check", "metrics", stdin="# HELP keys Keys.\n# TYPE keys counter\nkeys 1\n")
