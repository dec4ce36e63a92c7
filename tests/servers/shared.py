"""Servers by name: private ones, and shared ones that survive from run to run while somebody uses them."""

import dataclasses
import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from . import engine
from .catalog import LOCAL, PRODUCTS, TOO_OLD, Product
from .container import Container
from .host import Unavailable, cache, free_port, locked, say
from .mysql import MySQL
from .postgresql import PostgreSQL
from .server import Runtime, Server

_RUNTIMES: dict[str, type[Any]] = {kind.__name__: kind for kind in (Container, PostgreSQL, MySQL)}


@contextmanager
def serve(
    name: str, *settings: str, address: str = LOCAL, disk_mib: int | None = None, folder: Path | None = None
) -> Iterator[Server]:
    """A server of one's own, to be stopped and broken at will; gone afterwards. Raises Unavailable.

    `settings` are options of its command line besides its own, and may contradict them; `folder` is one that they name.
    With `disk_mib` its data is on a disk of that size, which is to be had in a container only, and does not outlast a
    stop.
    """
    _sweep()
    product, key = _at(name, address), f"{name}.{os.getpid()}.{free_port()}"
    try:
        more = (*product.settings, *settings)
        yield _create(dataclasses.replace(product, settings=more, disk_mib=disk_mib, folder=folder), key)
    finally:
        _remove(key)


@contextmanager
def borrow(name: str) -> Iterator[Server]:
    """The shared server, started unless it runs. The last borrower stops it unless `keep` was called for it."""
    product = _at(name, LOCAL)
    key = _key(product)
    with _state(key).with_suffix(".users").open("w") as users:
        try:
            with locked(key):
                fcntl.flock(users, fcntl.LOCK_SH)
                server = _running(product)
            yield server
        finally:
            with locked(key), suppress(BlockingIOError):
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not _state(key).with_suffix(".keep").exists():
                    _remove(key)


def keep(name: str, address: str = LOCAL) -> Server:
    """The shared server, started unless it runs, and left running until `drop` or `discard`. Raises Unavailable.

    At another address of this machine it is another server.
    """
    product = _at(name, address)
    key = _key(product)
    with locked(key):
        server = _running(product)
        _state(key).with_suffix(".keep").touch()
        return server


def kept(name: str, address: str = LOCAL) -> Server | None:
    """The shared server if it is up."""
    product = _at(name, address)
    server = _load(_key(product), product)
    return server if server and server.answers() else None


def discard(name: str, address: str) -> None:
    """Remove the shared server there, if there is one."""
    key = _key(_at(name, address))
    with locked(key):
        _remove(key)


def drop() -> None:
    """Remove every server this cache knows, private and outdated ones included."""
    for state in (cache() / "servers").glob("*.json"):
        say(f"removing {state.stem}")
        _remove(state.stem)
    engine.stop_idle()


def _at(name: str, address: str) -> Product:
    return dataclasses.replace(PRODUCTS[name], address=address)


def _key(product: Product) -> str:
    key = f"{product.name}-{product.fingerprint()}"
    return key if product.address == LOCAL else f"{key}-{product.address.replace('.', '-')}"


def _state(key: str) -> Path:
    folder = cache() / "servers"
    folder.mkdir(exist_ok=True)
    return folder / f"{key}.json"


def _running(product: Product) -> Server:
    key = _key(product)
    server = _load(key, product)
    if server is None:
        return _create(product, key)
    if not server.runtime.running():
        server.runtime.start()
    server.wait()
    return server


def _create(product: Product, key: str) -> Server:
    port = free_port()
    runtime = _launch(product, port, _state(key).with_suffix(".data"))
    kind, fields = type(runtime).__name__, dataclasses.asdict(runtime)
    _state(key).write_text(json.dumps({"name": product.name, "port": port, "kind": kind, "runtime": fields}))
    server = Server.of(product, port, runtime)
    server.wait()
    return server


def _launch(product: Product, port: int, data: Path) -> Any:
    """Start a new server in a container where possible, otherwise as plain processes. Raises Unavailable."""
    if product.image is None:
        return PostgreSQL.create(product, port, data)
    try:
        return Container.create(product, port)
    except Unavailable as no_container:
        if product.name == TOO_OLD or product.disk_mib:
            raise Unavailable(f"{product.name} runs in a container only: {no_container}", excused=True) from None
        say(f"{product.name} will run as a plain process, for there is no container: {no_container}")
        return (MySQL if product.backend == "mysql" else PostgreSQL).create(product, port, data)


def _load(key: str, product: Product) -> Server | None:
    if not _state(key).exists():
        return None
    record = json.loads(_state(key).read_text())
    runtime: Runtime = _RUNTIMES[record["kind"]](**record["runtime"])
    return Server.of(product, record["port"], runtime)


def _sweep() -> None:
    """Remove private servers whose process did not live to do it."""
    for state in (cache() / "servers").glob("*.json"):
        private = re.search(r"\.(\d+)\.\d+$", state.stem)
        if private and not psutil.pid_exists(int(private[1])):
            _remove(state.stem)


def _remove(key: str) -> None:
    state = _state(key)
    if state.exists():
        server = _load(key, PRODUCTS[json.loads(state.read_text())["name"]])
        assert server
        server.runtime.remove()
    shutil.rmtree(state.with_suffix(".data"), ignore_errors=True)
    for suffix in (".json", ".keep"):
        state.with_suffix(suffix).unlink(missing_ok=True)
    engine.stop_idle()
