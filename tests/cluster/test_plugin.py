"""`kubectl populate` on a cluster: each command with what it does to PopulateJobs, queues and pods."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.servers.host import wait_until
from tests.terminal import INTERRUPT

from . import Cluster
from .apiproxy import ApiProxy
from .conftest import one_engine
from .installation import Installation
from .lab import Applied, Lab
from .plugin import Done, Plugin, write_kubeconfig

RARELY = {"intervalSeconds": 86400}


@pytest.fixture
def populate(cluster: Cluster, watched: tuple[str, str], tmp_path: Path) -> Plugin:
    """Typed by somebody whose context is in the labs' namespace."""
    write_kubeconfig(cluster.kubeconfig, tmp_path / "kubeconfig", watched[0])
    return Plugin(tmp_path / "kubeconfig")


# Buttons


@one_engine
def test_ignore_retry_and_refresh_return_when_it_is_done(lab: Lab, populate: Plugin) -> None:
    lab.add("fail", "fail", "fail", "insert")
    job = lab.apply(refresh=RARELY)
    lab.until_rows(dict.fromkeys((1, 2, 3), "error"))

    assert populate(f"ignore {job.name} --match 'item 2 is'") == said(job, "keys with errors are set aside")
    assert lab.rows() == {1: "error", 2: "ignore", 3: "error"}

    lab.change(3, "insert")
    assert populate(f"retry {job.name} --match 'item 3 is'") == said(job, "keys with errors are queued again")
    assert lab.messages().keys() == {1}
    lab.until_rows({1: "error", 2: "ignore"})
    assert lab.made() == [3, 4]

    lab.add("wait", first=5)
    assert populate(f"refresh {job.name}") == said(job, "new keys were looked for")
    assert 5 in lab.rows()

    lab.change(1, "insert")
    assert populate(f"retry {job.name} --all").code == 0
    lab.let(5)
    wait_until(lambda: lab.made() == [1, 3, 4, 5], "all but the ignored one made")
    job.until(error=0, ignored=1, done=4)


@one_engine
def test_suspend_has_the_workers_give_back_what_they_hold_and_resume_goes_on(lab: Lab, populate: Plugin) -> None:
    lab.add("wait", "insert")
    job, other = lab.apply(), lab.apply("other", restriction="item > 2")
    lab.until_in_make(1)
    done = populate(f"suspend {job.name} {other.name}")
    assert done == Done(0, f"{job.name}: suspended\n{other.name}: suspended\n", "")
    lab.until_rows({1: "pending", 2: "pending"})
    job.until_workers(lambda pods: not pods, "without workers")
    assert job.condition("Suspended")["status"] == "True"
    assert "Suspended" in populate(f"status {job.name}").out

    assert populate(f"resume {job.name}") == said(job, "resumed")
    lab.let(1)
    lab.until_made(1, 2)
    assert other.condition("Suspended")["status"] == "True"


@one_engine
def test_where_no_operator_answers_it_says_so_and_the_next_one_does_it(
    lab: Lab, populate: Plugin, operator: Installation
) -> None:
    lab.add("fail")
    job = lab.apply()
    lab.until_rows({1: "error"})
    job.until(error=1)
    lab.change(1, "insert")
    with operator.stopped():
        done = populate(f"retry {job.name} --all --timeout 1")
        assert (done.code, done.out) == (1, "")
        assert f"{job.name}: asked, but not done within 1 s; last known: " in done.err
        assert "kubectl get pods -A -l app.kubernetes.io/name=populate-operator" in done.err
        assert populate(f"refresh {job.name} --timeout 0") == said(job, "asked")
        assert lab.rows() == {1: "error"}
    lab.until_made(1)


def test_a_populatejob_that_no_operator_watches_is_said_to_be_so(
    own_lab: Lab, cluster: Cluster, tmp_path: Path
) -> None:
    write_kubeconfig(cluster.kubeconfig, tmp_path / "kubeconfig", own_lab.namespace)
    populate = Plugin(tmp_path / "kubeconfig")
    assert populate("status") == Done(0, "", "there is no PopulateJob in this namespace\n")
    job = own_lab.apply()
    assert "not seen by an operator yet" in populate("status").out
    assert "not seen yet" in populate("top --once").out
    assert "last known: not seen by an operator yet" in populate(f"suspend {job.name} --timeout 1").err
    assert job.seen["spec"]["suspend"] is True


# What is shown


@one_engine
def test_status_and_errors_in_every_form(lab: Lab, populate: Plugin) -> None:
    lab.add("fail", "fail", "insert")
    job = lab.apply(priority=7)
    job.until(progress="1/3", error=2, pending=0, reserved=0)
    wait_until(lambda: bool(job.status.get("topErrors")), "errors by message")
    where = {"namespace": job.namespace, "name": job.name}

    for line in ("status", f"status -n {job.namespace}", "status -A", f"status {job.name} --context here"):
        (row,) = (row for row in populate(line).rows() if row[:2] == [job.namespace, job.name])
        assert row[2:7] == ["1/3", "0", "0", "0", "2"]
    (shown,) = populate.data(f"status {job.name}")
    assert shown.items() >= {**where, "progress": "1/3", "error": 2, "done": 1}.items()
    assert shown["conditions"]
    assert yaml.safe_load(populate(f"status {job.name} -o yaml").out)[0].keys() == shown.keys()
    wide = populate(f"status {job.name} -o wide")
    assert wide.rows()[0][:4] == [job.namespace, job.name, "lab.Made", "1/3"]
    assert {"PRIORITY", "THROUGHPUT", "ETA", "REASON", "MESSAGE"} <= set(wide.out.splitlines()[0].split())

    errors = populate.data(f"errors {job.name}")
    assert [{**where, **group} for group in job.status["topErrors"]] == errors
    assert sum(group["count"] for group in errors) == 2
    assert "ValueError: item" in populate(f"errors {job.name}").out
    assert yaml.safe_load(populate(f"errors {job.name} -o yaml").out) == errors
    assert "lab.Made" in populate(f"errors {job.name} -o wide").out


@one_engine
def test_logs_of_a_key_that_is_made_and_of_one_that_failed(lab: Lab, populate: Plugin) -> None:
    lab.add("wait", "fail")
    job = lab.apply(worker={"concurrency": 2})
    lab.until_in_make(1)
    lab.until_rows({1: "reserved", 2: "error"})

    wait_until(lambda: "waits" in populate(f"logs {job.name} item=1").out, "what is said by the key in make")
    waiting = populate(f"logs {job.name} item=1").out.splitlines()
    assert waiting[-1].endswith(" [item=1] waits")
    assert all(" [item=1] " in line for line in waiting)
    failed = populate(f"logs {job.name} item=2").out
    assert "Traceback (most recent call last):" in failed
    assert "ValueError: item 2 is broken" in failed
    assert "item=1" not in failed
    every = populate(f"logs {job.name} -- --tail=-1").out
    assert set(waiting) | set(failed.splitlines()) <= set(every.splitlines())

    assert populate(f"logs {job.name} item=3").code == 1
    assert "no line of item=3" in populate(f"logs {job.name} item=3").err
    misspelt = populate(f"logs {job.name} itme=1")
    assert (misspelt.code, "did you mean item?" in misspelt.err) == (2, True)

    lab.let(1)
    took = "pods that are gone took their logs along"
    wait_until(lambda: took in populate(f"logs {job.name} item=2").err, "the pods and their logs gone")
    gone = populate(f"logs {job.name} item=2")
    assert (gone.code, f"kubectl populate errors {job.name}" in gone.err) == (1, True)


# The screen


@one_engine
def test_top_follows_the_keys_until_q(lab: Lab, populate: Plugin) -> None:
    lab.add("wait", "insert")
    job = lab.apply(scaling={"maxWorkers": 1})
    lab.until_in_make(1)
    with populate.on_a_screen(f"top {job.name}") as top:
        top.until(job.name)
        top.until("1 running")
        assert not top.echoes()
        lab.let(1)
        top.until("2/2")
        top.until("0 keys pending, 0 running, 0 errors")
        top.press("q")
        assert top.exit_code() == 0
        assert top.echoes()


def test_top_gives_the_terminal_back_at_ctrl_c(proxy: ApiProxy, own_lab: Lab) -> None:
    job = own_lab.apply()
    with Plugin(proxy.kubeconfig).on_a_screen(f"top -A {job.name}") as top:
        top.until(job.name)
        proxy.freeze()
        top.until("not up to date: kubectl has had no answer within 5 s")
        top.press(INTERRUPT)
        assert top.exit_code() == 130
        assert top.echoes()


# What cannot be


@pytest.fixture
def reader(lab: Lab, populate: Plugin, cluster: Cluster, tmp_path: Path) -> Iterator[Plugin]:
    """Typed by somebody who may read PopulateJobs in that namespace, and no more."""
    name, here = f"reader-{lab.id}", {"name": f"reader-{lab.id}", "namespace": lab.namespace}
    rule = {"apiGroups": ["datajoint.io"], "resources": ["populatejobs"], "verbs": ["get", "list", "watch"]}
    rbac = "rbac.authorization.k8s.io"
    lab.kubectl.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": here},
        {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": here, "rules": [rule]},
        {
            "apiVersion": f"{rbac}/v1", "kind": "RoleBinding", "metadata": here,
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", **here}],
        },
    )  # fmt: skip
    token = lab.kubectl("create", "token", name, f"--namespace={lab.namespace}").strip()
    write_kubeconfig(cluster.kubeconfig, tmp_path / "readers", lab.namespace, reader=token)
    yield Plugin(tmp_path / "readers")
    for kind in ("serviceaccount", "role", "rolebinding"):
        lab.kubectl("delete", f"{kind}/{name}", f"--namespace={lab.namespace}")


@one_engine
def test_who_may_only_read_is_refused_in_clear_words_and_changes_nothing(lab: Lab, reader: Plugin) -> None:
    lab.add("fail")
    job = lab.apply()
    wait_until(lambda: bool(job.status.get("topErrors")), "errors by message")
    as_reader = "--context reader"
    for line in ("status", "top --once", "errors"):
        assert job.name in reader(f"{line} {job.name} {as_reader}").out
    before = job.seen["metadata"]["annotations"], job.seen["spec"]
    for line in ("retry {} --all", "ignore {} --all", "refresh {}", "suspend {}", "resume {}"):
        refused = reader(f"{line.format(job.name)} {as_reader}")
        assert (refused.code, refused.out) == (1, "")
        assert f'populatejobs.datajoint.io "{job.name}" is forbidden' in refused.err
        assert 'cannot patch resource "populatejobs"' in refused.err
    assert (job.seen["metadata"]["annotations"], job.seen["spec"]) == before
    for line, resource in ((f"logs {job.name} {as_reader}", "pods"), (f"status -A {as_reader}", "populatejobs")):
        refused = reader(line)
        assert refused.code == 1
        assert f'cannot list resource "{resource}"' in refused.err


@one_engine
def test_what_is_not_there_is_said(lab: Lab, populate: Plugin) -> None:
    job = lab.apply()
    misspelt = job.name.replace("job", "jbo")
    for command in ("status", "errors", "top --once", "refresh", "logs"):
        there_is_none = populate(f"{command} {misspelt}")
        assert (there_is_none.code, there_is_none.out) == (2, "")
        assert f"there is no PopulateJob {misspelt} in this namespace (did you mean {job.name}?)" in there_is_none.err
    elsewhere = populate(f"status {job.name} -n {lab.namespace}-other")
    assert (elsewhere.code, f"in namespace {lab.namespace}-other" in elsewhere.err) == (2, True)
    nowhere = populate("status --context nowhere")
    assert (nowhere.code, "context was not found for specified context: nowhere" in nowhere.err) == (1, True)


def test_a_cluster_that_is_not_there_is_said_in_one_line(proxy: ApiProxy) -> None:
    populate = Plugin(proxy.kubeconfig)
    proxy.close()
    for line in ("status -A", "refresh anything", "top --once", "logs anything"):
        away = populate(line)
        assert (away.code, away.out) == (1, "")
        (line,) = away.err.splitlines()
        assert "connection" in line
        assert "refused" in line
    assert populate("__complete status ''") == Done(0, ":4\n", "")


def said(job: Applied, what: str) -> Done:
    return Done(0, f"{job.name}: {what}\n", "")
