"""The link between this machine and the node: two addresses that no other node of ours uses."""

import hashlib
import subprocess

from tests.servers.host import Unavailable, cache

_NUMBER = hashlib.sha256(str(cache()).encode()).digest()[0]
_LINK = f"populate{_NUMBER}"
MACHINE, NODE = f"10.213.{_NUMBER}.1", f"10.213.{_NUMBER}.2"
PREFIX = 30


def connect(process: int) -> None:
    """Lay the link into the network namespace of that process, where it is called eth0. Raises Unavailable."""
    _ip("link", "add", _LINK, "type", "veth", "peer", "name", "eth0", "netns", str(process))
    _ip("address", "add", f"{MACHINE}/{PREFIX}", "dev", _LINK)
    _ip("link", "set", _LINK, "up")


def connected() -> bool:
    return subprocess.run(["ip", "link", "show", _LINK], capture_output=True).returncode == 0


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True)
    if done.returncode:
        raise Unavailable(f"ip {' '.join(arguments)} failed: {done.stderr.strip()}")
