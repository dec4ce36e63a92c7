"""A Docker engine: the one that answers, or one of our own, installed and started where that is possible."""

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import docker
from docker.errors import APIError, DockerException

from .host import Unavailable, cache, install, locked, say, wait_until

_FOLDER = Path("/run/populate-operator") / hashlib.sha256(str(cache()).encode()).hexdigest()[:8]
OWN = f"unix://{_FOLDER}/docker.sock"


@contextmanager
def session() -> Iterator[docker.DockerClient]:
    """A client of an engine that answers, with other processes kept out. What the engine refuses is Unavailable."""
    with locked("engine"):
        try:
            yield connect()
        except APIError as error:
            raise Unavailable(f"the Docker engine refuses: {error.explanation or error}") from error


def connect() -> docker.DockerClient:
    """Client of an engine that answers; from then on DOCKER_HOST names that engine.

    Raises Unavailable where there is none and none can be started.
    """
    if not _answers(None):
        if not _answers(OWN):
            _launch()
        os.environ["DOCKER_HOST"] = OWN
    return docker.from_env(timeout=900)


def is_own() -> bool:
    return os.environ.get("DOCKER_HOST") == OWN


def stop_idle() -> None:
    """End our own engine when no container is left in it."""
    with locked("engine"):
        if not _answers(OWN):
            return
        with closing(docker.DockerClient(OWN)) as client:
            if client.containers.list(all=True, sparse=True):  # what others remove meanwhile is not asked about
                return
        pidfile = _FOLDER / "pid"
        os.kill(int(pidfile.read_text()), signal.SIGTERM)
        wait_until(lambda: not pidfile.exists(), "Docker engine stopped")


def _answers(url: str | None) -> bool:
    try:
        with closing(docker.DockerClient(url, timeout=60) if url else docker.from_env(timeout=60)) as client:
            return client.ping()
    except (DockerException, OSError):
        return False


def _launch() -> None:
    """Start an engine without a bridge: its containers use the machine's own network, firewall untouched."""
    if sys.platform != "linux" or os.geteuid() != 0:
        raise Unavailable("no Docker engine answers, and only root on Linux can start one here")
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode:
        raise Unavailable("no Docker engine answers, and root may not mount here, so that none can be started")
    install("dockerd", "docker.io")
    if _answers(None):
        return
    _FOLDER.mkdir(parents=True, exist_ok=True)
    say("starting a Docker engine of our own (a few seconds)")
    log = cache() / "docker.log"
    folders = (f"--data-root={cache() / 'docker'}", f"--exec-root={_FOLDER / 'exec'}", f"--pidfile={_FOLDER / 'pid'}")
    network = ("--bridge=none", "--iptables=false", "--ip-forward=false", "--ip-masq=false")
    with log.open("w") as output:
        engine = subprocess.Popen(
            ["dockerd", f"--host={OWN}", *folders, *network], stdout=output, stderr=output, start_new_session=True
        )
    with suppress(TimeoutError):
        wait_until(lambda: _answers(OWN) or engine.poll() is not None, "Docker engine started")
    if not _answers(OWN):
        raise Unavailable(f"dockerd does not start: {log.read_text()[-500:]}")
