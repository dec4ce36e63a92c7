"""The operator on a real cluster: how soon keys are worked on, what a drain costs, what upstream rows wait for."""

from __future__ import annotations

import statistics
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.cluster import Kubectl, borrow, images, load
from tests.cluster.api import Api
from tests.cluster.installation import Installation, create_namespace
from tests.cluster.kubectl import Program
from tests.cluster.lab import Applied, Lab
from tests.servers import keep

from .report import Figure, alone

ROUNDS = 5
SIX = 6
LOOK_SECONDS = 0.02
LONG_IDLE_SECONDS = 75.0
"""After a minute without keys a worker asks less often."""
SIZES = (10_000, 100_000, 1_000_000)
"""Rows of parent and child, for slower and slower refreshes."""
DEADLINE_SECONDS = 600.0
DRAINED = ("sleep 20", "sleep 5") * 30
CRD = "crds/populatejobs.yaml"


def run(engine: str) -> Iterator[Figure]:
    with _lab(engine) as lab:
        yield from _cold_starts(lab, engine)
        yield from _six_at_work(lab, engine)
        yield from _drain(lab, engine)
    with _lab(engine) as lab:
        yield from _upstream(lab, engine)


@contextmanager
def _lab(engine: str) -> Iterator[Lab]:
    """A lab of its own, with an operator that does nothing else."""
    with borrow() as cluster:
        kubectl, name = Kubectl(cluster.kubeconfig), f"bench-{uuid.uuid4().hex[:8]}"
        kubectl("apply", f"--filename={CRD}")
        create_namespace(kubectl, name)
        images.build_lab()
        operator, pipeline = load(cluster, images.OPERATOR, images.LAB)
        helm = Program("helm", cluster.kubeconfig)
        values = {"watchNamespaces": [name], "installation": name}
        with Installation(kubectl, helm, f"populate-operator-{name}", operator, **values):
            lab = Lab(kubectl, Api(cluster.kubeconfig), name, keep(engine, cluster.address), pipeline)
            try:
                yield lab
            finally:
                lab.release()
                kubectl("delete", "namespace", name)
                lab.drop()


def _cold_starts(lab: Lab, engine: str) -> Iterator[Figure]:
    """From a pending row, with no worker there, to that row reserved."""
    job = _defaults(lab, "cold", maxWorkers=SIX)
    seconds = []
    for item in range(1, ROUNDS + 1):
        _until(lambda: not lab.owned("pods"), "no pods left")
        start = _queue(lab, item)
        _until(lambda: item in lab.hosts(), "the row is reserved")  # noqa: B023
        seconds.append(time.monotonic() - start)
        lab.let(item)
        _until(lambda: not lab.rows(), "the key is made")
    job.delete()
    yield alone("first_key_median_s", engine, 1, statistics.median(seconds), "<= 2.5")
    yield alone("first_key_longest_s", engine, 1, max(seconds), "<= 4")


def _six_at_work(lab: Lab, engine: str) -> Iterator[Figure]:
    """From six pending rows, with no worker there, to six workers that each make one."""
    job = _defaults(lab, "six", maxWorkers=SIX)
    _until(lambda: not lab.owned("pods"), "no pods left")
    first = 100
    items = range(first, first + SIX)
    start = _queue(lab, *items)
    _until(lambda: len(set(lab.hosts().values())) == SIX, "six workers hold a key each")
    seconds = time.monotonic() - start
    lab.let(*items)
    _until(lambda: not lab.rows(), "the keys are made")
    job.delete()
    yield alone("six_workers_s", engine, SIX, seconds, "<= 5")


def _drain(lab: Lab, engine: str) -> Iterator[Figure]:
    """Sixty keys of 20 s and of 5 s: what was begun twice, what failed, when all pods were gone."""
    workers, first = 5, 200
    _until(lambda: not lab.owned("pods"), "no pods left")
    lab.add(*DRAINED, first=first)
    items = set(range(first, first + len(DRAINED)))
    job = _defaults(lab, "drain", maxWorkers=workers)
    failed: set[int] = set()

    def ended() -> bool:
        failed.update(item for item, status in lab.rows().items() if status == "error")
        return items <= set(lab.made()) | failed

    _until(ended, "all keys have ended")
    at_the_end = time.monotonic()
    _until(lambda: not lab.owned("pods"), "no pods left")
    seconds = time.monotonic() - at_the_end
    begun = [item for item in lab.started() if item in items]
    job.delete()
    yield alone("drain_busy_pods_removed", engine, workers, len(begun) - len(set(begun)), "<= 0")
    yield alone("drain_keys_in_error", engine, workers, len(failed), "<= 0")
    yield alone("drain_all_pods_gone_s", engine, workers, seconds, "<= 10")


def _upstream(lab: Lab, engine: str) -> Iterator[Figure]:
    """From a new row upstream to its key made by a worker that is there already, at tables of several sizes."""
    parent = _defaults(lab, "parent", minWorkers=1)
    child = _defaults(lab, "child", table="lab.Reviewed", minWorkers=1)
    for job in (parent, child):
        _until(lambda: job.status.get("workers", {}).get("ready") == 1, "a worker is ready")  # noqa: B023
    external, upstream = _new_rows(lab, first=1)
    yield alone("external_row_longest_s", engine, 1, external, "<= 7")
    yield alone("upstream_row_longest_s", engine, 1, upstream, "<= 2")
    time.sleep(LONG_IDLE_SECONDS)
    yield alone("upstream_row_after_a_minute_longest_s", engine, 1, _new_rows(lab, first=ROUNDS + 1)[1], "<= 2")
    for rows in SIZES:
        _fill_up(lab, rows, (parent, child))
        external, upstream = _new_rows(lab, first=rows + 1)
        refresh = 1000 * float(child.status["lastRefreshSeconds"])
        yield alone(f"upstream_{rows}_refresh_ms", engine, 1, refresh, "<= inf")
        yield alone(f"upstream_{rows}_external_row_longest_s", engine, 1, external, "<= inf")
        yield alone(f"upstream_{rows}_row_longest_s", engine, 1, upstream, "<= 2" if refresh <= 40 else "<= inf")


def _new_rows(lab: Lab, first: int) -> tuple[float, float]:
    """The longest of several: seconds to the parent's key made, and from then to the child's."""
    external, upstream = [], []
    for item in range(first, first + ROUNDS):
        lab.add("insert", first=item)
        start = time.monotonic()
        _until(lambda: _has(lab, "__made", item), "the parent's key is made")  # noqa: B023
        made = time.monotonic()
        _until(lambda: _has(lab, "__reviewed", item), "the child's key is made")  # noqa: B023
        external.append(made - start)
        upstream.append(time.monotonic() - made)
    return max(external), max(upstream)


def _has(lab: Lab, table: str, item: int) -> bool:
    return bool(lab.execute(f"SELECT item FROM {lab.name(table)} WHERE item = {item}"))


def _fill_up(lab: Lab, rows: int, jobs: tuple[Applied, ...]) -> None:
    """Parents and children up to so many, with no key left to make."""
    for job in jobs:
        job.patch(suspend=True)
        job.until_settled()
    item, made, reviewed = map(lab.name, ("item", "__made", "__reviewed"))
    while (top := lab.execute(f"SELECT max(item) FROM {item}")[0][0]) < rows:
        lab.execute(
            f"INSERT INTO {item} (item, behaviour) SELECT item + {top}, 'insert' FROM {item} WHERE item <= {rows - top}"
        )
    lab.execute(
        f"INSERT INTO {made} (item, pod, maker) SELECT item, '', '' FROM {item} "
        f"WHERE item NOT IN (SELECT item FROM {made})"
    )
    lab.execute(
        f"INSERT INTO {reviewed} (item) SELECT item FROM {made} WHERE item NOT IN (SELECT item FROM {reviewed})"
    )
    for job in jobs:
        job.patch(suspend=False)
        job.until_settled()
        _until(lambda: job.status.get("workers", {}).get("ready") == 1, "a worker is ready")  # noqa: B023


def _defaults(lab: Lab, name: str, table: str = "lab.Made", **scaling: int) -> Applied:
    """A PopulateJob with what the definition has for defaults, resolved and with its queue known."""
    job = lab.apply(name, table=table, refresh={}, scaling=scaling, retry={}, worker={"drainSeconds": 30})
    _until(lambda: job.condition("Ready").get("status") == "True", f"{name} is ready")
    return job


def _queue(lab: Lab, *items: int) -> float:
    """Rows for these items that wait until they are let go; the moment before they were pending."""
    lab.add(*["wait"] * len(items), first=items[0])
    rows = ", ".join(f"({item}, 'pending', 5)" for item in items)
    moment = time.monotonic()
    lab.execute(f"INSERT INTO {lab.name('~~made')} (item, status, priority) VALUES {rows}")
    return moment


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {DEADLINE_SECONDS:.0f} s")
        time.sleep(LOOK_SECONDS)
