"""The images of operator, worker and demo pipeline, built by the Docker engine that answers."""

import re
from pathlib import Path

import docker
from docker.errors import APIError, BuildError

from tests.servers import debian, engine
from tests.servers.host import Unavailable, cache
from tests.servers.images import exists

from .progress import step

ROOT = Path(__file__).resolve().parents[2]
VERSION = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[1]  # type: ignore[index]
OPERATOR, WORKER = f"populate-operator:{VERSION}", f"populate-worker:{VERSION}"
CARDIO = "registry.example/cardio:1.0"
"""Named as in the demo's manifest."""
LAB, LAB_NEXT = "populate-operator-test/lab:1", "populate-operator-test/lab:2"
"""The tests' own pipeline; the second is the first under another name."""
PRODUCT, TESTED = (OPERATOR, WORKER), (OPERATOR, CARDIO, LAB, LAB_NEXT)

_PYTHON = "populate-operator-test/python:bookworm"
# As public slim images are made; and what usrmerge brings, which is of no use when it has run.
_SLIM = (
    "--include=python3,python3-venv,ca-certificates,usr-is-merged",
    *(f"--dpkgopt=path-exclude=/usr/share/{bulk}/*" for bulk in ("doc", "info", "locale", "man")),
    "--customize-hook=chroot \"$1\" apt-get --quiet --yes purge usrmerge 'perl-modules-5.*'",
    # An image that is built on this machine trusts whom the machine trusts.
    "--customize-hook=copy-in /usr/local/share/ca-certificates /usr/local/share",
    '--customize-hook=chroot "$1" update-ca-certificates',
)


def build() -> None:
    """Have operator and worker, as their sources are now. Raises Unavailable."""
    with engine.session() as client:
        arguments = {"BASE": base(client)}
    for image in PRODUCT:
        name = image.partition(":")[0]
        _build(image, ROOT, f"Dockerfile.{name.removeprefix('populate-')}", arguments)
        engine.connect().images.get(image).tag(name, "latest")


def build_cardio() -> None:
    """Have the demo pipeline's, on the worker as it was built last. Raises Unavailable."""
    _build(CARDIO, ROOT / "examples" / "cardio", "Dockerfile", {})


def build_lab() -> None:
    """Have the tests' pipeline, on the worker as it was built last. Raises Unavailable."""
    _build(LAB, Path(__file__).parent / "pipeline", "Dockerfile", {})
    engine.connect().images.get(LAB).tag(*LAB_NEXT.split(":"))


def _build(image: str, context: Path, dockerfile: str, arguments: dict[str, str]) -> None:
    with step(f"building the image {image}"), engine.session() as client:
        network = "host" if engine.is_own() else None
        try:
            client.images.build(
                path=str(context), dockerfile=dockerfile, tag=image, buildargs=arguments,
                network_mode=network, rm=True, forcerm=True,
            )  # fmt: skip
        except BuildError as error:
            log = "".join(line.get("stream", "") for line in error.build_log)
            raise Unavailable(f"{image} cannot be built: {error}\n{log[-3000:]}") from error


def base(client: docker.DockerClient) -> str:
    """The Dockerfiles' own base where a registry gives it, otherwise Debian's Python by mmdebstrap."""
    found = re.search(r"^ARG BASE=(\S+)$", (ROOT / "Dockerfile.worker").read_text(), re.MULTILINE)
    assert found, "Dockerfile.worker names no base"
    public = found[1]
    for local in (public, _PYTHON):
        if exists(client, local):
            return local
    try:
        client.images.pull(public)
        return public
    except APIError as error:
        doing = f"no registry gives {public} ({error.explanation}): making it with mmdebstrap (a minute or two)"
    with step(doing):
        _import(client)
    return _PYTHON


def _import(client: docker.DockerClient) -> None:
    archive = cache() / "python.tar"
    debian.base("bookworm", archive, *_SLIM)
    repository, tag = _PYTHON.split(":")
    client.api.import_image_from_file(str(archive), repository=repository, tag=tag)
    archive.unlink()
