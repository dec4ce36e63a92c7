"""PopulateJobs in Git, synced by a real Argo CD while the operator works on them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.cluster import Cluster, golang
from tests.cluster.conftest import one_engine
from tests.cluster.installation import Installation
from tests.cluster.lab import Lab
from tests.servers.host import wait_until

from .application import Application, Repository
from .jobs import in_cluster, manifest
from .server import Object


@one_engine
def test_what_git_has_is_applied_and_progresses_until_the_operator_has_looked(
    lab: Lab, repository: Repository, application: Application, operator: Installation
) -> None:
    lab.add("insert", "insert")
    with operator.stopped():
        application.until("Synced", "Progressing", repository.commit(job=manifest(lab, "job")))
    application.until("Synced", "Healthy")
    lab.until_made(1, 2)


@one_engine
def test_nothing_but_git_makes_it_sync_while_keys_are_made(
    lab: Lab, repository: Repository, application: Application
) -> None:
    repository.commit(job=manifest(lab, "job", deletionPolicy="RemovePending"))
    application.until("Synced", "Healthy")
    for item in range(1, 6):
        lab.add("insert", first=item)
        application.refresh()
        assert application.state[0] == "Synced"
    lab.until_made(*range(1, 6))
    application.until("Synced", "Healthy")
    assert application.syncs() == 1


@one_engine
def test_an_edit_in_git_reaches_running_workers_and_one_in_the_cluster_does_not_last(
    lab: Lab, repository: Repository, application: Application
) -> None:
    lab.add("wait", "insert")
    repository.commit(job=manifest(lab, "job", priority=7))
    application.until("Synced", "Healthy")
    lab.until_in_make(1)
    application.until("Synced", "Healthy", repository.commit(job=manifest(lab, "job", priority=2)))
    job = in_cluster(lab, "job")
    job.until(appliedPriority=2)
    job.patch(priority=9)
    wait_until(lambda: job.seen["spec"]["priority"] == 2, "healed")
    lab.let(1)
    lab.until_made(1, 2)
    assert lab.started() == [1, 2]


@one_engine
def test_broken_input_is_degraded_with_the_reason_until_a_commit_mends_it(
    lab: Lab, repository: Repository, application: Application
) -> None:
    lab.add("insert")
    application.until("Synced", "Degraded", repository.commit(job=manifest(lab, "job", restriction="itm < 3")))
    assert "itm" in application.health(f"job-{lab.id}")[1]
    application.until("Synced", "Healthy", repository.commit(job=manifest(lab, "job", restriction="item < 3")))
    lab.until_made(1)


@one_engine
def test_what_git_no_longer_has_is_pruned_with_its_workers_and_its_queue(
    lab: Lab, repository: Repository, application: Application
) -> None:
    lab.add("wait", "insert")
    kept = manifest(lab, "kept", restriction="item > 5")
    repository.commit(kept=kept, job=manifest(lab, "job", deletionPolicy="RemovePending"))
    application.until("Synced", "Healthy")
    lab.until_in_make(1)
    application.until("Synced", "Healthy", repository.commit(job=None))
    wait_until(lambda: in_cluster(lab, "job").seen == {}, "pruned")
    assert lab.rows() == {}
    assert in_cluster(lab, "kept").seen


@one_engine
def test_self_heal_takes_back_what_git_has_and_leaves_alone_what_it_has_not(
    lab: Lab, repository: Repository, application: Application, cluster: Cluster
) -> None:
    lab.add("insert")
    written = manifest(lab, "written", restriction="item > 5", suspend=False, scaling={"maxWorkers": 3})
    left = manifest(lab, "left", restriction="item > 5", scaling={"keysPerWorker": 2})
    repository.commit(written=written, left=left)
    application.until("Synced", "Healthy")
    here = f"--namespace={lab.namespace}"
    for name in ("left", "written"):
        plugin(cluster, "suspend", f"{name}-{lab.id}", here)
        in_cluster(lab, name)("scale", "--replicas=7")
    wait_until(lambda: spec(lab, "written")["suspend"] is False, "suspended no longer")
    wait_until(lambda: spec(lab, "written")["scaling"]["maxWorkers"] == 3, "scaled back")
    application.until("Synced", "Healthy")
    assert (spec(lab, "left")["suspend"], spec(lab, "left")["scaling"]["maxWorkers"]) == (True, 7)
    assert application.health(f"left-{lab.id}") == ("Healthy", "suspended: no worker runs")
    plugin(cluster, "resume", f"left-{lab.id}", here)
    in_cluster(lab, "left").until_condition("Ready", "True", "UpToDate")
    application.until("Synced", "Healthy")


def plugin(cluster: Cluster, *words: str) -> None:
    """kubectl populate."""
    path = f"{golang.program('kubectl').parent}{os.pathsep}{os.environ['PATH']}"
    program = Path(sys.executable).with_name("kubectl-populate")
    environment = {**os.environ, "PATH": path, "KUBECONFIG": str(cluster.kubeconfig)}
    subprocess.run([program, *words], env=environment, check=True)


def spec(lab: Lab, name: str) -> Object:
    found: Object = in_cluster(lab, name).seen["spec"]
    return found
