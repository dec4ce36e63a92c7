"""Which cluster is used: one that is named, else one by kind, else a node of our own."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import docker

from tests.servers import engine
from tests.servers.host import Unavailable, locked

from . import databases, golang, images
from .given import KUBECONFIG, Given
from .kind import Kind
from .node import SingleNode
from .progress import say, step


class Cluster(Protocol):
    """Where pods run."""

    @property
    def kubeconfig(self) -> Path: ...

    @property
    def address(self) -> str:
        """This machine's address as pods see it."""

    def running(self) -> bool: ...

    def up(self, client: docker.DockerClient) -> None:
        """Start it. Raises Unavailable."""

    def down(self) -> None: ...

    def load(self, client: docker.DockerClient, image: str) -> str:
        """Give it an image of the engine; the name by which pods find it. Raises Unavailable."""


def running() -> Cluster | None:
    return next((cluster for cluster in _candidates() if cluster.running()), None)


def up() -> Cluster:
    """A cluster that runs, with databases and images as their sources are now. Raises Unavailable."""
    with locked("cluster"):
        with engine.session() as client:
            cluster = running() or _start(client)
        with step("starting databases that pods reach"):
            databases.up(cluster.address)
        _provide(cluster)
        return cluster


@contextmanager
def borrow() -> Iterator[Cluster]:
    """The cluster that runs or, while the block does, one that is started for it. Raises Unavailable."""
    found = running()
    try:
        yield up()
    finally:
        if found is None:
            down()


def provide_images() -> None:
    """Build the images, and load them where a cluster runs. Raises Unavailable."""
    with locked("cluster"):
        _provide(running())


def provide_pipelines(cluster: Cluster) -> None:
    """Build the demo's image and the tests', on the worker as it is, and give the cluster what tests run. Raises
    Unavailable."""
    with locked("cluster"):
        images.build_cardio()
        images.build_lab()
        load(cluster, *images.TESTED)


def build_programs() -> None:
    """Have the programs that `up` and the tests would build on their way. Raises Unavailable."""
    with engine.session():
        own = engine.is_own()
    cluster = ("pause", "node") if own else ("kind",)
    for name in ("kubectl", "helm", *cluster, "helm-docs", "judge", "promtool"):
        golang.program(name)


def load(cluster: Cluster, *names: str) -> list[str]:
    """Give the cluster images of the engine; the names by which pods find them. Raises Unavailable."""
    with engine.session() as client:
        return [cluster.load(client, name) for name in names]


def down() -> None:
    """End what `up` started."""
    with locked("cluster"):
        for cluster in _candidates():
            if cluster.running():
                databases.down(cluster.address)
            cluster.down()
    engine.stop_idle()


def _candidates() -> list[Cluster]:
    """In order of preference."""
    named = os.environ.get(KUBECONFIG)
    return [Given(Path(named))] if named else [Kind(), SingleNode()]


def _start(client: docker.DockerClient) -> Cluster:
    *preferred, last = _candidates()
    for cluster in preferred:
        try:
            cluster.up(client)
            return cluster
        except Unavailable as reason:
            say(f"{type(cluster).__name__} is left out: {reason}")
    last.up(client)
    return last


def _provide(cluster: Cluster | None) -> None:
    images.build()
    if cluster:
        load(cluster, *images.PRODUCT)
