"""python -m tests.cluster: start, end and describe the cluster."""

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.servers.host import Unavailable

from . import cluster, databases, golang, images
from .progress import say, step

_DEMO = Path(__file__).parents[2] / "examples" / "cardio" / "cluster-demo.sh"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description="A Kubernetes for tests and trying.")
    actions = parser.add_subparsers(dest="action", required=True)
    for name, action in _ACTIONS.items():
        actions.add_parser(name, help=action.__doc__)
    given = actions.add_parser("load", help="give the cluster an image of the engine, as a push to a registry would")
    given.add_argument("image", metavar="NAME")
    run = actions.add_parser("run", help="run a command while a cluster is up that has all that the tests need")
    run.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND")
    options = parser.parse_args()
    try:
        if options.action == "run":
            return _run(options.command)
        if options.action == "load":
            print(*cluster.load(_running(), options.image))
        else:
            _ACTIONS[options.action]()
    except Unavailable as missing:
        say(str(missing))
        return 1
    return 0


def _run(command: list[str]) -> int:
    """Where no cluster can be had the command is left out, which is an error in CI."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # unwind: the cluster is to go
    try:
        with cluster.borrow() as running:
            cluster.provide_pipelines(running)
            return subprocess.call(command)
    except Unavailable as missing:
        say(f"LEFT OUT {' '.join(command)}: {missing}")
        return int(os.environ.get("CI") == "true")


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


def _programs() -> None:
    """build kubectl, helm and the node, once a machine"""
    cluster.build_programs()


def _demo() -> None:
    """run the demo pipeline in a cluster, and leave all as it is then"""
    _up()
    running = _running()
    images.build_cardio()
    cluster.load(running, images.CARDIO)
    server = databases.running(running.address)[0]
    path = os.pathsep.join([*map(str, _folders()), os.environ["PATH"]])
    own = {"KUBECONFIG": str(running.kubeconfig), "PATH": path}
    subprocess.run([_DEMO], env={**os.environ, **server.environment(), **own}, check=True)


def _status() -> None:
    """say which cluster runs, and how to use it"""
    running = _running()
    print(f"# {type(running).__name__}; pods see this machine at {running.address}")
    for server in databases.running(running.address):
        print(f"# {server.name} {server.host}:{server.port} user={server.user} password={server.password}")
    print(f"export KUBECONFIG={running.kubeconfig}")
    print(f'export PATH="{":".join(map(str, _folders()))}:$PATH"  # kubectl, helm')


def _folders() -> list[Path]:
    return [golang.program(name).parent for name in ("kubectl", "helm")]


def _kubeconfig() -> None:
    """print the path of the running cluster's kubeconfig"""
    print(_running().kubeconfig)


def _running() -> cluster.Cluster:
    running = cluster.running()
    if running is None:
        raise Unavailable("no cluster runs; start one with: python -m tests.cluster up")
    return running


_ACTIONS = {
    "up": _up,
    "down": _down,
    "images": _images,
    "programs": _programs,
    "demo": _demo,
    "status": _status,
    "kubeconfig": _kubeconfig,
}

if __name__ == "__main__":
    sys.exit(main())
