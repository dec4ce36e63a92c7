"""What upstream rows wait for, for which KEDA has nothing."""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable, Iterator

from tests.cluster import borrow
from tests.cluster.api import Object
from tests.cluster.lab import Applied, Lab

from . import site
from .laboratory import laboratory, operator
from .report import Figure, alone
from .sides import populatejob

ROUNDS = 5
LOOK_SECONDS = 0.02
LONG_IDLE_SECONDS = 75.0
"""After a minute without keys a worker asks less often."""
SIZES = {10_000: ROUNDS, 100_000: ROUNDS, 1_000_000: 2}
"""Rows of parent and child, for slower and slower refreshes, and rounds: the last take minutes each."""

_until = functools.partial(site.until, every=LOOK_SECONDS)


def run(engine: str) -> Iterator[Figure]:
    with borrow() as cluster, laboratory(cluster, engine) as lab, operator(cluster, lab):
        yield from _stages(lab, engine)
        yield from _upstream(lab, engine)


def _upstream(lab: Lab, engine: str) -> Iterator[Figure]:
    """From a new row upstream to its key made by a worker that is there already, at tables of several sizes."""
    parent = populatejob(lab, "parent", scaling={"minWorkers": 1})
    child = populatejob(lab, "child", table="lab.Reviewed", scaling={"minWorkers": 1})
    for job in (parent, child):
        _until(lambda: job.status.get("workers", {}).get("ready") == 1, "a worker is ready")  # noqa: B023
    external, upstream = _new_rows(lab, ROUNDS)
    yield alone("external_row_longest_s", engine, 1, external, "<= 7")
    yield alone("upstream_row_longest_s", engine, 1, upstream, "<= 2")
    time.sleep(LONG_IDLE_SECONDS)
    yield alone("upstream_row_after_a_minute_longest_s", engine, 1, _new_rows(lab, ROUNDS)[1], "<= 2")
    for rows, rounds in SIZES.items():
        _fill_up(lab, rows, (parent, child))
        external, upstream = _new_rows(lab, rounds)
        refresh = 1000 * float(child.status["lastRefreshSeconds"])
        yield alone(f"upstream_{rows}_refresh_ms", engine, 1, refresh, "<= inf")
        yield alone(f"upstream_{rows}_external_row_longest_s", engine, 1, external, "<= inf")
        yield alone(f"upstream_{rows}_row_longest_s", engine, 1, upstream, "<= 2" if refresh <= 40 else "<= inf")


def _stages(lab: Lab, engine: str) -> Iterator[Figure]:
    """From a row upstream to its key reserved where there is no worker, by what passes in between; medians."""
    job = populatejob(lab, "stages", refresh={"intervalSeconds": 1}, scaling={"scaleDownDelaySeconds": 1})
    _until(lambda: not job.workers(), "no worker")
    rounds = [_stage_seconds(lab, job, item) for item in _new_items(lab, ROUNDS)]
    for name in rounds[0]:
        yield alone(f"stage_{name}_s", engine, 0, statistics.median(seconds[name] for seconds in rounds), "<= inf")
    job.delete()


def _stage_seconds(lab: Lab, job: Applied, item: int) -> dict[str, float]:
    stages: dict[str, Callable[[], object]] = {
        "refresh": lambda: item in lab.rows(),
        "plan": lambda: any(found["spec"]["replicas"] for found in lab.owned("deployments")),
        "pod_start": lambda: any(_runs(pod) for pod in job.workers().values()),
        "import_and_reserve": lambda: item in lab.hosts(),
    }
    lab.add("wait", first=item)
    seconds, since = {}, time.monotonic()
    for name, passed in stages.items():
        _until(lambda: bool(passed()), name)  # noqa: B023
        seconds[name], since = time.monotonic() - since, time.monotonic()
    lab.let(item)
    _until(lambda: not job.workers() and not lab.rows(), "at rest")
    return seconds


def _runs(pod: Object) -> bool:
    return any("running" in container["state"] for container in pod["status"].get("containerStatuses", ()))


def _new_rows(lab: Lab, rounds: int) -> tuple[float, float]:
    """The longest of several: seconds to the parent's key made, and from then to the child's."""
    external, upstream = [], []
    for item in _new_items(lab, rounds):
        lab.add("insert", first=item)
        start = time.monotonic()
        _until(lambda: _has(lab, "__made", item), "the parent's key is made")  # noqa: B023
        made = time.monotonic()
        _until(lambda: _has(lab, "__reviewed", item), "the child's key is made")  # noqa: B023
        external.append(made - start)
        upstream.append(time.monotonic() - made)
    return max(external), max(upstream)


def _new_items(lab: Lab, rounds: int) -> range:
    """Such as there are not yet."""
    first = int(lab.execute(f"SELECT COALESCE(MAX(item), 0) FROM {lab.name('item')}")[0][0]) + 1
    return range(first, first + rounds)


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
