"""Sync waves, hooks and buttons: what waits for the keys of a PopulateJob, and what does not."""

from __future__ import annotations

from tests.cluster.conftest import one_engine
from tests.cluster.installation import Installation
from tests.cluster.lab import Lab
from tests.servers.host import wait_until

from .application import Application, Repository
from .jobs import HOOK, WAVE, in_cluster, manifest
from .server import Object

RETRY = "datajoint.io/retry-errors"
ALL_THAT_IS_LEFT = "all that is left: 1 key with errors; retry to go on"


def step(lab: Lab, annotations: dict[str, str] | None = None, **fields: object) -> Object:
    """What the next wave waits for."""
    return manifest(lab, "step", {WAVE: "1", **(annotations or {})}, mode="Once", restriction="item = 1", **fields)


def after(lab: Lab) -> Object:
    return manifest(lab, "after", {WAVE: "2"}, restriction="item > 1")


def waiting_for(lab: Lab) -> str:
    """What Argo CD says of a sync."""
    return f"waiting for healthy state of datajoint.io/PopulateJob/step-{lab.id}"


@one_engine
def test_a_wave_waits_for_the_keys_of_a_step_and_an_edit_for_the_end_of_the_sync(
    lab: Lab, repository: Repository, application: Application
) -> None:
    lab.add("wait", "insert", "insert")
    first = repository.commit(step=step(lab), after=after(lab))
    application.refresh()
    lab.until_in_make(1)
    application.until_operation("Running", first, waiting_for(lab))
    assert application.until_health(f"step-{lab.id}", "Progressing")
    assert application.state[0] == "OutOfSync"
    second = repository.commit(step=step(lab, priority=2))
    application.refresh()
    application.until_operation("Running", first, waiting_for(lab))
    assert in_cluster(lab, "after").seen == {}
    lab.let(1)
    application.until("Synced", "Healthy", second)
    lab.until_made(1, 2, 3)
    assert in_cluster(lab, "step").seen["spec"]["priority"] == 2


@one_engine
def test_a_step_that_fails_ends_the_sync_with_its_reason_until_a_commit_has_it_tried_again(
    lab: Lab, repository: Repository, application: Application, operator: Installation
) -> None:
    lab.add("fail", "insert")
    first = repository.commit(step=step(lab), after=after(lab))
    application.refresh()
    application.until_operation("Failed", first)
    assert application.result(f"step-{lab.id}")["message"] == ALL_THAT_IS_LEFT
    application.until("OutOfSync", "Degraded", first)
    assert in_cluster(lab, "after").seen == {}

    lab.change(1, "insert")
    with operator.stopped():  # however long it takes to look
        second = repository.commit(step=step(lab, {RETRY: "2"}))
        application.refresh()
        application.until_operation("Running", second, waiting_for(lab))
    application.until("Synced", "Healthy", second)
    lab.until_made(1, 2)


@one_engine
def test_a_suspended_populate_job_holds_up_no_wave(lab: Lab, repository: Repository, application: Application) -> None:
    lab.add("insert", "insert")
    first = manifest(lab, "first", {WAVE: "1"}, suspend=True, restriction="item = 1")
    repository.commit(first=first, after=after(lab))
    application.until("Synced", "Healthy")
    wait_until(lambda: lab.made() == [2], "the next wave's keys")
    assert application.health(f"first-{lab.id}") == ("Healthy", "suspended: no worker runs")


@one_engine
def test_a_suspended_step_holds_up_the_next_wave_until_its_button_is_pressed(
    lab: Lab, repository: Repository, application: Application
) -> None:
    lab.add("insert", "insert")
    revision = repository.commit(step=step(lab, suspend=True), after=after(lab))
    application.refresh()
    application.until_operation("Running", revision, waiting_for(lab))
    assert application.until_health(f"step-{lab.id}", "Suspended") == "suspended: no worker runs"
    assert in_cluster(lab, "after").seen == {}
    application.act("resume", f"step-{lab.id}")
    application.until("Synced", "Healthy", revision)
    lab.until_made(1, 2)
    assert in_cluster(lab, "step").seen["spec"]["suspend"] is True, "as Git has it"


@one_engine
def test_a_hook_is_made_anew_after_each_sync_and_its_ttl_fights_nobody(
    lab: Lab, repository: Repository, application: Application
) -> None:
    lab.add("insert")
    hook = manifest(lab, "hook", HOOK, mode="Once", ttlSecondsAfterFinished=0)
    repository.commit(hook=hook, job=manifest(lab, "job", restriction="item > 5"))
    application.until("Synced", "Healthy")
    lab.until_made(1)
    assert application.result(f"hook-{lab.id}")["hookPhase"] == "Succeeded"
    wait_until(lambda: in_cluster(lab, "hook").seen == {}, "deleted when its time was over")
    lab.add("insert", first=2)
    priority = manifest(lab, "hook", HOOK, mode="Once", ttlSecondsAfterFinished=0, priority=2)
    application.until("Synced", "Healthy", repository.commit(hook=priority))
    assert application.syncs() == 1, "a hook alone is no reason to sync"
    application.until("Synced", "Healthy", repository.commit(job=manifest(lab, "job", restriction="item > 6")))
    lab.until_made(1, 2)
    assert application.syncs() == 2


@one_engine
def test_a_hook_that_fails_fails_the_sync_with_its_reason_and_may_try_again_at_the_next(
    lab: Lab, repository: Repository, application: Application
) -> None:
    lab.add("fail")
    hook = manifest(lab, "hook", HOOK | {RETRY: "at each sync"}, mode="Once")
    first = repository.commit(hook=hook, job=manifest(lab, "job", restriction="item > 5"))
    application.refresh()
    application.until_operation("Failed", first)
    assert application.result(f"hook-{lab.id}")["message"] == ALL_THAT_IS_LEFT
    application.until("Synced", "Healthy", first)
    lab.change(1, "insert")
    second = repository.commit(job=manifest(lab, "job", restriction="item > 6"))
    application.refresh()
    application.until_operation("Succeeded", second)
    assert lab.made() == [1]


@one_engine
def test_a_button_is_answered_and_leaves_it_in_sync(lab: Lab, repository: Repository, application: Application) -> None:
    lab.add("fail")
    repository.commit(job=manifest(lab, "job", mode="Once"))
    application.until("Synced", "Degraded")
    name = f"job-{lab.id}"
    assert application.actions(name) == {"suspend": True, "resume": False, "retry-errors": True, "refresh": True}
    lab.change(1, "insert")
    application.act("retry-errors", name)
    application.until("Synced", "Healthy")
    lab.until_made(1)
    application.act("refresh", name)
    application.act("suspend", name)
    wait_until(lambda: in_cluster(lab, "job").seen["spec"]["suspend"], "suspended")
    application.until("Synced", "Healthy")
    assert application.syncs() == 1
