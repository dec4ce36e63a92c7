"""Nodes that are emptied."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.servers import keep
from tests.servers.host import wait_until

from . import Cluster, Kubectl, databases, images
from .api import Api
from .conftest import leave
from .installation import Installation
from .lab import Lab

KEYS = 1000
"""More than are made while a worker, or the node's drain, is late."""
OPTIONS = ("--ignore-daemonsets", "--delete-emptydir-data", "--timeout=240s")


@pytest.mark.alone
def test_a_node_that_is_drained_costs_no_key_and_begins_none_twice(
    alone: None, operator: Installation, watched: tuple[str, str], kubectl: Kubectl, api: Api, cluster: Cluster,
    image: Callable[[str], str],
) -> None:  # fmt: skip
    lab = Lab(kubectl, api, watched[0], keep(databases.NAMES[0], cluster.address), image(images.LAB))
    lab.add(*["nap"] * KEYS)
    job = lab.apply(scaling={"maxWorkers": 3}, worker={"drainSeconds": 120})
    wait_until(lambda: len(set(lab.hosts().values())) == 3 and len(lab.made()) > 5, "three workers at work")
    before = job.workers()
    nodes = sorted({pod["spec"]["nodeName"] for pod in before.values()})
    try:
        kubectl("drain", *nodes, "--pod-selector=datajoint.io/populatejob", *OPTIONS)
        wait_until(lambda: not before.keys() & job.workers().keys(), "those workers gone")
        held = lab.hosts
        wait_until(lambda: not before.keys() & {host.partition(".")[0] for host in held().values()}, "nothing held")
        assert lab.messages() == {}
        assert len(lab.made()) < KEYS
    finally:
        kubectl("uncordon", *nodes)
    lab.change_all("insert")
    lab.until_made(*range(1, KEYS + 1))
    assert sorted(lab.started()) == list(range(1, KEYS + 1))
    leave(lab, *watched)
    lab.until_nothing_is_left()
    lab.drop()
