"""The how-to pages, followed on a cluster: their manifests are applied as they stand, and their commands typed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from tests.documentation.blocks import ROOT, Block, blocks
from tests.documentation.shell import typed
from tests.local.lab import environment
from tests.servers import Server
from tests.servers.host import PATIENCE, wait_until

from . import Cluster, Kubectl, databases, images
from .installation import Installation
from .lab import PIPELINE
from .reader import Reader

PAGES = ROOT / "docs" / "how-to"
HEART_RATE = """\
apiVersion: datajoint.io/v1alpha1
kind: PopulateJob
metadata:
  name: heart-rate
spec:
  table: cardio.HeartRate
  refresh: {intervalSeconds: 1}
  scaling: {maxWorkers: 1}
  worker:
    image: registry.example/cardio:1.0
"""
"""What the pages take it that their readers have."""
QUEUE = 'cardio."~~heart_rate"'


@pytest.fixture
def reader(
    together: None,
    operator: Installation,
    watched: tuple[str, str],
    kubectl: Kubectl,
    cluster: Cluster,
    image: Callable[[str], str],
    empty_database: Server,
    tmp_path: Path,
) -> Iterator[Reader]:
    """In a namespace with an operator and a login, and in a folder with the pipelines."""
    image(images.LAB)
    reader = Reader.of(cluster.kubeconfig, tmp_path, watched[0], empty_database)
    reader.exported |= empty_database.environment()
    for module in PIPELINE.parent.glob("*.py"):
        (tmp_path / module.name).write_text(module.read_text())
    (tmp_path / "populate.yaml").write_text(reader.reads(HEART_RATE))
    secret = databases.secret(empty_database)
    kubectl.apply({**secret, "metadata": {**secret["metadata"], "namespace": watched[0]}})
    yield reader
    here = f"--namespace={watched[0]}"
    kubectl("delete", "populatejobs", "--all", here, "--timeout=240s")
    kubectl("wait", "pod", "--all", "--for=delete", here, "--timeout=240s")
    kubectl("delete", "secret/datajoint", here)


def page(reader: Reader, name: str) -> list[Block]:
    """Its blocks, of which those that are files are in the reader's folder."""
    found = list(blocks(PAGES / name))
    reader.saves(found)
    return found


def parts(found: list[Block]) -> list[Block]:
    """Those that are a part of a manifest."""
    return [block for block in found if block.kind == "yaml" and set(yaml.safe_load(block.text)) == {"spec"}]


def edits(reader: Reader, name: str, part: Block) -> None:
    """Writes it into the manifest of the PopulateJob."""
    patch = json.dumps(yaml.safe_load(reader.reads(part.text)))
    reader.runs(f"kubectl patch populatejob {name} --type=merge --patch='{patch}'")


def test_two_restrictions_on_one_table(reader: Reader) -> None:
    page(reader, "restrictions.md")
    reader.runs("python -c 'import ephys; ephys.Recording(); ephys.Sorting()'")
    reader.server.execute("INSERT INTO ephys.recording VALUES (1, 60), (2, 3600), (3, 3599), (4, 86400)")
    reader.runs("kubectl apply -f two-groups.yaml")
    question = "SELECT recording, pod FROM ephys.__sorting ORDER BY recording"
    wait_until(lambda: len(reader.server.execute(question)) == 4, "four recordings sorted")
    makers = {recording: pod.partition("-worker-")[0] for recording, pod in reader.server.execute(question)}
    assert makers == {1: "sorting-short", 2: "sorting-long", 3: "sorting-short", 4: "sorting-long"}


@pytest.mark.long
def test_some_keys_before_others(reader: Reader) -> None:
    (urgent, *_) = parts(page(reader, "priorities.md"))
    sessions(reader, (1, "2026-11-02", 0))
    reader.runs("kubectl apply -f populate.yaml")
    wait_until(lambda: queue(reader) == {1: ("reserved", 5)}, "the only worker in the first make")

    sessions(reader, (2, "2026-11-03", 60), (3, "2026-11-20", 60))
    reader.runs("kubectl apply -f this-week.yaml")
    reader.runs("kubectl wait populatejob/heart-rate-of-this-week --for=condition=Complete --timeout=240s")
    assert [subject for subject, _ in made(reader)] == [3]
    wait_until(lambda: queue(reader) == {1: ("reserved", 5), 2: ("pending", 5)}, "the other key queued")

    edits(reader, "heart-rate", urgent)
    reader.runs("kubectl wait populatejob/heart-rate --for=jsonpath='{.status.appliedPriority}'=1 --timeout=240s")
    assert queue(reader) == {1: ("reserved", 5), 2: ("pending", 1)}
    reader.server.execute("UPDATE cardio.session SET beats = 60")
    wait_until(lambda: len(made(reader)) == 3, "all made")
    pods = dict(made(reader))
    assert pods[1] == pods[2] != pods[3]
    for block in [block for block in blocks(ROOT / "docs" / "troubleshooting.md") if block.kind == "console"]:
        reader.types(block)


@pytest.mark.long
def test_from_populate_to_workers_that_take_over(reader: Reader) -> None:
    found = page(reader, "from-populate.md")
    alone, after = (block for block in found if block.kind == "console")
    sessions(reader, (1, "2026-11-02", 60))
    reader.runs("python -c 'import cardio; cardio.HeartRate.jobs.refresh()'")
    reader.types(alone)
    assert [subject for subject, _ in made(reader)] == [1]

    sessions(reader, (2, "2026-11-03", 0))
    with old_worker(reader):
        wait_until(lambda: queue(reader) == {2: ("reserved", 5)}, "a key in the old worker's make")
        reader.runs("kubectl apply -f populate.yaml")
        reader.runs("kubectl wait populatejob/heart-rate --for=condition=ForeignReservations --timeout=240s")
    wait_until(lambda: queue(reader) == {2: ("error", 5)}, "the error that DataJoint makes of it")
    reader.server.execute("UPDATE cardio.session SET beats = 60")
    reader.runs("kubectl wait populatejob/heart-rate --for=condition=JobsFailing --timeout=240s")
    reader.types(after)
    wait_until(lambda: [subject for subject, _ in made(reader)] == [1, 2], "the key made by a worker")
    (orphans,) = parts(found)
    edits(reader, "heart-rate", orphans)
    reader.runs("kubectl populate resume heart-rate")  # returns when the operator has seen the spec as it is


def test_what_a_new_definition_refuses_is_told_apart(reader: Reader) -> None:
    """The definition of the tests' cluster takes the new one's place; an older one let pass what it does not.

    In the namespace may be what other tests have left, whose deletion goes on.
    """
    asks, _, tries = typed(console(page(reader, "upgrading.md"), "populatejobs.yaml").text)
    reader.runs("kubectl apply -f populate.yaml")
    reader.runs(asks.command.replace("--all-namespaces", f"--namespace={reader.namespace}"))
    trial = tries.command.replace("--context=trial ", "").strip()
    told = reader.runs(f"{trial} --namespace=default")
    assert "heart-rate created (server dry run)" in told

    saved = reader.folder / "populatejobs.yaml"
    listed = yaml.safe_load(saved.read_text())
    (kept,) = (each for each in listed["items"] if each["metadata"]["name"] == "heart-rate")
    refused = {**kept, "metadata": {"name": "refused"}, "spec": {**kept["spec"], "priority": 300}}
    saved.write_text(yaml.safe_dump({**listed, "items": [refused, kept]}))
    told = reader.runs(f"{trial} --namespace=default || true")
    assert "heart-rate created (server dry run)" in told
    assert re.search(r'"refused" is invalid[\s\S]*spec\.priority', told)


def console(found: list[Block], word: str) -> Block:
    return next(block for block in found if block.kind == "console" and word in block.text)


def sessions(reader: Reader, *rows: tuple[int, str, int]) -> None:
    reader.runs("python -c 'import cardio; cardio.Session(); cardio.HeartRate()'")
    reader.server.execute(f"INSERT INTO cardio.session VALUES {', '.join(map(str, rows))}")


def queue(reader: Reader) -> dict[int, tuple[str, int]]:
    """Status and priority by subject."""
    if not reader.server.execute(f"SELECT 1 WHERE to_regclass('{QUEUE}') IS NOT NULL"):
        return {}
    rows = reader.server.execute(f"SELECT subject_id, status, priority FROM {QUEUE}")
    return {subject: (status, priority) for subject, status, priority in rows}


def made(reader: Reader) -> list[tuple[int, str]]:
    """Subjects and the pods that made them."""
    return list(reader.server.execute("SELECT subject_id, pod FROM cardio.__heart_rate ORDER BY subject_id"))


@contextmanager
def old_worker(reader: Reader) -> Iterator[None]:
    """`populate(reserve_jobs=True)` while the block runs, which then gets a SIGTERM."""
    code = "import cardio; cardio.HeartRate.populate(reserve_jobs=True)"
    process = subprocess.Popen([sys.executable, "-c", code], env=environment(**reader.exported), cwd=reader.folder)
    try:
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE)
