"""Images of the servers, built once per content of their folder."""

import re
from pathlib import Path

import docker
from docker.errors import APIError, BuildError, ImageNotFound

from . import debian, engine
from .catalog import Product
from .host import Unavailable, cache, say

_REPOSITORY = "populate-operator-test"
_EX_UNAVAILABLE = "returned a non-zero code: 69"


def image(client: docker.DockerClient, product: Product) -> str:
    """Tag of the product's image, built if it is not there yet. Raises Unavailable."""
    assert product.image
    tag = f"{_REPOSITORY}/{product.name}:{product.fingerprint()}"
    if exists(client, tag):
        return tag
    base = _base(client, product.image / "Dockerfile")
    say(f"building an image of {product.name} (about half a minute)")
    network = "host" if engine.is_own() else None
    try:
        client.images.build(
            path=str(product.image), tag=tag, buildargs={"BASE": base}, network_mode=network, rm=True, forcerm=True
        )
    except BuildError as error:
        log = "".join(line.get("stream", "") for line in error.build_log)
        raise Unavailable(f"{error}\n{log[-1500:]}", excused=_EX_UNAVAILABLE in str(error)) from error
    return tag


def _base(client: docker.DockerClient, dockerfile: Path) -> str:
    """The Dockerfile's own base where a registry gives it, otherwise the same Debian suite by mmdebstrap."""
    match = re.search(r"^ARG BASE=(debian:(\w+)-slim)$", dockerfile.read_text(), re.MULTILINE)
    assert match, f"{dockerfile} names no Debian base"
    public, suite = match.groups()
    local = f"{_REPOSITORY}/debian:{suite}"
    if exists(client, public) or exists(client, local):
        return public if exists(client, public) else local
    try:
        client.images.pull(public)
        return public
    except APIError as error:
        say(f"no registry gives {public} ({error.explanation}): making it with mmdebstrap (about half a minute)")
    _import(client, suite, local)
    return local


def _import(client: docker.DockerClient, suite: str, tag: str) -> None:
    archive = cache() / f"{suite}.tar"
    debian.base(suite, archive)
    repository, version = tag.split(":")
    try:
        client.api.import_image_from_file(str(archive), repository=repository, tag=version)
    finally:
        archive.unlink()


def exists(client: docker.DockerClient, tag: str) -> bool:
    try:
        return bool(client.images.get(tag))
    except ImageNotFound:
        return False
