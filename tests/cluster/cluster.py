"""Which cluster is used: one that is named, else one by kind, else a node of our own."""

import os
from pathlib import Path
from typing import Protocol

import docker

from tests.servers import engine
from tests.servers.host import Unavailable, locked

from . import databases, images
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
    def up(self, client: docker.DockerClient) -> None: ...
    def down(self) -> None: ...

    def load(self, client: docker.DockerClient, image: str) -> str:
        """Give the cluster an image of the engine; the name by which pods find it."""


def candidates() -> list[Cluster]:
    """In order of preference."""
    named = os.environ.get(KUBECONFIG)
    return [Given(Path(named))] if named else [Kind(), SingleNode()]


def running() -> Cluster | None:
    return next((cluster for cluster in candidates() if cluster.running()), None)


def up() -> Cluster:
    """A cluster that runs, with databases and images as their sources are now. Raises Unavailable."""
    with locked("cluster"):
        with engine.session() as client:
            cluster = running() or _start(client)
        with step("starting databases that pods reach"):
            databases.up(cluster.address)
        images.build()
        with engine.session() as client:
            for image in images.PRODUCT:
                cluster.load(client, image)
        return cluster


def down() -> None:
    """End what `up` started."""
    with locked("cluster"):
        for cluster in candidates():
            if cluster.running():
                with step("ending the cluster and its databases"):
                    databases.down(cluster.address)
                    cluster.down()
    engine.stop_idle()


def _start(client: docker.DockerClient) -> Cluster:
    *preferred, last = candidates()
    for cluster in preferred:
        try:
            cluster.up(client)
            return cluster
        except Unavailable as reason:
            say(f"{type(cluster).__name__} is left out: {reason}")
    last.up(client)
    return last
