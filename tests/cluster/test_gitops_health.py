"""What Argo CD and Flux make of a PopulateJob in every state: told by gopher-lua and kstatus themselves, no cluster."""

from __future__ import annotations

import ast
import functools
import inspect
import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml
from populate_operator.plan import conditions
from populate_operator.plan.completion import Outcome
from populate_operator.plan.observation import Problem

from tests.unit.states import STATES, UNSEEN, State, every_state, manifest, populate_job

from . import argocd
from .argocd import ACTIONS, CUSTOMIZATION, DISCOVERY, FOLDER, HEALTH, Object

ACTIONS_FOLDER = DISCOVERY.parent
ARGOCD = {"Current": "Healthy", "InProgress": "Progressing", "Failed": "Degraded"}
"""Health by kstatus, where nothing is suspended."""


def read(file: Path) -> Any:
    return yaml.safe_load(file.read_text())


HEALTH_TESTS = read(CUSTOMIZATION / "health_test.yaml")["tests"]
ACTION_TESTS = read(ACTIONS_FOLDER / "action_test.yaml")


# The files, as Argo CD's own tests take them


def test_the_health_script_says_of_each_test_file_what_it_is_to_say() -> None:
    found = argocd.health(*(read(CUSTOMIZATION / test["inputPath"]) for test in HEALTH_TESTS))
    expected = {test["inputPath"]: test["healthStatus"] for test in HEALTH_TESTS}
    assert dict(zip(expected, found, strict=True)) == expected


def test_every_state_is_a_test_file() -> None:
    files = {str(file.relative_to(CUSTOMIZATION)) for file in CUSTOMIZATION.glob("testdata/*")}
    assert files == {test["inputPath"] for test in HEALTH_TESTS}
    assert {f"testdata/{name}.yaml" for name in STATES} < files


@pytest.mark.parametrize("test", ACTION_TESTS["discoveryTests"], ids=lambda test: test["inputPath"])
def test_the_actions_that_make_sense_are_offered(test: Object) -> None:
    (found,) = argocd.run(DISCOVERY, [read(ACTIONS_FOLDER / test["inputPath"])])
    expected = {action.pop("name"): action for action in map(dict, test["result"])}
    assert found == expected
    assert found.keys() == ACTIONS.keys()


@pytest.mark.parametrize("test", ACTION_TESTS["actionTests"], ids=lambda test: test["action"])
def test_an_action_changes_what_it_is_for_and_nothing_else(test: Object) -> None:
    began = datetime.now(timezone.utc).replace(microsecond=0)
    (found,) = argocd.run(ACTIONS[test["action"]], [read(ACTIONS_FOLDER / test["inputPath"])])
    expected = read(ACTIONS_FOLDER / test["expectedOutputPath"])
    asked = f"datajoint.io/{test['action']}"
    if asked in expected["metadata"].get("annotations", {}):
        value = found["metadata"]["annotations"][asked]
        assert began <= datetime.fromisoformat(value.replace("Z", "+00:00")) <= datetime.now(timezone.utc)
        expected["metadata"]["annotations"][asked] = value
    assert found == expected


def test_there_is_a_test_of_every_action() -> None:
    assert {test["action"] for test in ACTION_TESTS["actionTests"]} == ACTIONS.keys()


def test_the_config_map_has_the_scripts_as_they_are() -> None:
    data = read(FOLDER / "argocd-cm.yaml")["data"]
    actions = yaml.safe_load(data["resource.customizations.actions.datajoint.io_PopulateJob"])
    assert data["resource.customizations.health.datajoint.io_PopulateJob"] == HEALTH.read_text()
    assert actions["discovery.lua"] == DISCOVERY.read_text()
    assert {action["name"]: action["action.lua"] for action in actions["definitions"]} == {
        name: script.read_text() for name, script in ACTIONS.items()
    }


# Every state that the plan produces


def verdict(state: State) -> str:
    """The kstatus that is right, from what was seen and asked for: the conditions have no part in it."""
    seen, once = state.seen, state.spec.mode == "Once"
    problems: list[Problem | None] = [
        seen[name] for name in ("refusal", "database", "worker_problem", "refresh_problem")
    ]
    first = next((problem for problem in problems if problem), None)
    over = outcome(state)
    if over is not None:
        return "Current" if over is Outcome.COMPLETE else "Failed"
    if first is not None:
        return "Failed" if first.lasting else "InProgress"
    if seen["generation"] == 2 or once:
        return "InProgress"
    return "Current" if state.spec.suspend or (seen["tally"] and seen["refresh"]) else "InProgress"


def outcome(state: State) -> Outcome | None:
    """Of mode Once, where the last refresh was the last thing that happened to the queue."""
    tally, refresh, before = state.seen["tally"], state.seen["refresh"], state.before
    if state.spec.mode != "Once" or before is Outcome.COMPLETE:
        return before
    if state.seen["curing"]:
        return None
    if tally is None or refresh is None:
        return before
    if tally.counts.pending or state.seen["upstream"].busy:
        return None
    return Outcome.FAILED if tally.counts.error else Outcome.COMPLETE


def health(state: State) -> str:
    """The health that is right: an unfinished step that is suspended says so, once nothing else is in its way."""
    kstatus = verdict(state)
    seen = state.seen
    fine = not any(seen[name] for name in ("refusal", "database", "worker_problem", "refresh_problem"))
    waits = state.spec.mode == "Once" and state.spec.suspend and fine and seen["generation"] == 1
    return "Suspended" if waits and kstatus == "InProgress" else ARGOCD[kstatus]


@functools.cache
def judged() -> list[tuple[State, str, str]]:
    """Every state with its kstatus and its health."""
    texts = [(state, json.dumps(populate_job(state))) for state in every_state()]
    different = list(dict.fromkeys(text for _, text in texts))
    objects = [json.loads(text) for text in different]
    answers = zip(argocd.kstatus(*objects), argocd.health(*objects), strict=True)
    found = {text: [answer["status"] for answer in both] for text, both in zip(different, answers, strict=True)}
    return [(state, *found[text]) for state, text in texts]


def test_kstatus_is_right_in_every_state() -> None:
    assert {kstatus for _, kstatus, _ in judged()} == ARGOCD.keys()
    assert [(state, found) for state, found, _ in judged() if found != verdict(state)][:3] == []


def test_health_is_right_in_every_state() -> None:
    assert {health for _, _, health in judged()} == {*ARGOCD.values(), "Suspended"}
    assert [(state, found) for state, _, found in judged() if found != health(state)][:3] == []


def test_what_the_operator_has_not_looked_at_is_in_progress() -> None:
    new = manifest(State().spec)
    edited = [populate_job(state, generation=2) for state in STATES.values()]
    objects = [{**new, "status": UNSEEN}, *edited]
    assert {found["status"] for found in argocd.kstatus(*objects)} == {"InProgress"}
    assert {found["status"] for found in argocd.health(new, *objects)} == {"Progressing"}


def test_a_status_without_generation_would_be_taken_for_current() -> None:
    """Hence the definition's default."""
    assert [found["status"] for found in argocd.kstatus(manifest(State().spec))] == ["Current"]


def test_a_suspended_continuous_populate_job_holds_up_nothing_and_a_step_does() -> None:
    (running, step) = (populate_job(STATES[name]) for name in ("suspended", "once-suspended"))
    assert [found["status"] for found in argocd.health(running, step)] == ["Healthy", "Suspended"]
    assert [found["status"] for found in argocd.kstatus(running, step)] == ["Current", "InProgress"]


def test_the_states_have_every_reason_that_the_plan_gives_for_ready() -> None:
    calls = [node for node in ast.walk(ast.parse(inspect.getsource(conditions))) if isinstance(node, ast.Call)]
    made = [[getattr(argument, "value", None) for argument in call.args] for call in calls]
    given = {arguments[2] for arguments in made if arguments[:1] == ["Ready"] and isinstance(arguments[2], str)}
    assert {"Resolving", "Refreshing", "Suspended", "UpToDate"} < given
    found = [condition for state in STATES.values() for condition in state.status()["conditions"]]
    assert given < {condition["reason"] for condition in found if condition["type"] == "Ready"}
