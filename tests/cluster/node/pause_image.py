"""The image that holds a pod's namespaces open: the program that holds the node's, and nothing else."""

import io
import tarfile
from pathlib import Path

import docker
from docker.errors import ImageNotFound

NAME, TAG = "populate-operator-test/pause", "1"


def build(client: docker.DockerClient, program: Path) -> str:
    """The image's name, in the engine."""
    source = program.parent.name
    try:
        built = client.images.get(f"{NAME}:{TAG}").labels.get("source")
    except ImageNotFound:
        built = None
    if built != source:
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as files:
            files.add(program, arcname="pause")
        changes = ['ENTRYPOINT ["/pause"]', "USER 65535:65535", f"LABEL source={source}"]
        client.api.import_image_from_data(archive.getvalue(), repository=NAME, tag=TAG, changes=changes)
    return f"{NAME}:{TAG}"
