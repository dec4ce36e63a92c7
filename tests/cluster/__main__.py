"""python -m tests.cluster: start, end and describe the cluster."""

import argparse
import sys

from tests.servers.host import Unavailable

from . import cluster, databases, golang
from .progress import say, step


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description="A Kubernetes for tests and trying.")
    actions = parser.add_subparsers(dest="action", required=True)
    for name, action in _ACTIONS.items():
        actions.add_parser(name, help=action.__doc__)
    try:
        _ACTIONS[parser.parse_args().action]()
    except Unavailable as missing:
        say(str(missing))
        return 1
    return 0


def _up() -> None:
    """have a cluster, with databases and images as their sources are now"""
    with step("cluster up"):
        cluster.up()
    _status()


def _down() -> None:
    """end what `up` started"""
    with step("cluster down"):
        cluster.down()


def _images() -> None:
    """build the images, and load them into the cluster if one runs"""
    cluster.provide_images()


def _status() -> None:
    """say which cluster runs, and how to use it"""
    running = _running()
    print(f"# {type(running).__name__}; pods see this machine at {running.address}")
    for server in databases.running(running.address):
        print(f"# {server.name} {server.host}:{server.port} user={server.user} password={server.password}")
    print(f"export KUBECONFIG={running.kubeconfig}")
    print(f'export PATH="{golang.programs()}:$PATH"  # kubectl')


def _kubeconfig() -> None:
    """print the path of the running cluster's kubeconfig"""
    print(_running().kubeconfig)


def _running() -> cluster.Cluster:
    running = cluster.running()
    if running is None:
        raise Unavailable("no cluster runs; start one with: python -m tests.cluster up")
    return running


_ACTIONS = {"up": _up, "down": _down, "images": _images, "status": _status, "kubeconfig": _kubeconfig}

if __name__ == "__main__":
    sys.exit(main())
