"""Several namespaces are watched, and one of them goes."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest

from tests.servers import keep
from tests.servers.host import wait_until

from . import Cluster, Kubectl, databases, images
from .api import Api
from .conftest import Install
from .installation import create_namespace
from .lab import Lab


@pytest.mark.long
def test_a_deleted_namespace_stops_nothing_in_the_others(
    together: None, kubectl: Kubectl, api: Api, cluster: Cluster, image: Callable[[str], str], install: Install
) -> None:
    stays, goes = (f"{name}-{uuid.uuid4().hex[:8]}" for name in ("stays", "goes"))
    for name in stays, goes:
        create_namespace(kubectl, name)
    with install(watchNamespaces=[stays, goes], installation=stays) as operator:
        lab = Lab(kubectl, api, stays, keep(databases.NAMES[0], cluster.address), image(images.LAB))
        lab.log_in(goes)
        lab.add("insert", "insert")
        lab.apply("there", goes, restriction="item = 1")
        job = lab.apply(restriction="item <> 1")
        lab.until_made(1, 2)
        kubectl("delete", "namespace", goes, "--timeout=240s")
        wait_until(lambda: f"the namespace {goes} cannot be listed" in operator.log(), "the namespace refused")
        lab.add("insert", first=3)
        lab.until_made(1, 2, 3)

        operator.replace()
        lab.add("insert", first=4)
        lab.until_made(1, 2, 3, 4)
        job.patch(priority=2)
        job.until_settled()
        job.delete()
        lab.until_nothing_is_left()
        kubectl("delete", "namespace", stays, "--wait=false")
    lab.drop()
