"""The images: what they are, and that they run as the operator runs them, where only restricted pods are admitted."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from populate_jobs.document import read_output
from populate_operator.kube.manifests.pod import DATABASE_FOLDER, template
from populate_operator.spec import Spec, Worker

from tests.servers import Server, engine

from . import Cluster, Kubectl, Refused, databases, images, load


@pytest.mark.parametrize(
    ("name", "program", "megabytes"),
    [(images.OPERATOR, "populate-operator", 250), (images.WORKER, "populate-worker", 300)],
)
def test_an_image_is_small_and_starts_its_program_as_nobody(
    cluster: Cluster, name: str, program: str, megabytes: int
) -> None:
    image = engine.connect().images.get(name).attrs
    assert image["Config"]["User"] == "65532:65532"
    assert image["Config"]["Entrypoint"] == [program]
    assert image["Size"] < megabytes * 10**6


@pytest.fixture(scope="session")
def cardio(cluster: Cluster) -> str:
    """The demo pipeline's image: three lines on top of the worker's."""
    images.build_cardio()
    (name,) = load(cluster, images.CARDIO)
    return name


@pytest.fixture
def schema(database: Server) -> Iterator[str]:
    name = f"t_{uuid.uuid4().hex[:8]}"
    yield name
    cascade = " CASCADE" if database.backend == "postgresql" else ""
    database.execute(f"DROP SCHEMA IF EXISTS {name}{cascade}")


def test_a_restricted_pod_resolves_a_pipeline(
    kubectl: Kubectl, namespace: str, database: Server, schema: str, cardio: str
) -> None:
    own = {"name": "worker", "env": [{"name": "CARDIO_SCHEMA", "value": schema}]}
    spec = Spec("cardio.Trace", Worker(cardio, template={"spec": {"restartPolicy": "Never", "containers": [own]}}))
    command = ["populate-worker", "resolve", f"--database={DATABASE_FOLDER}", f"--table={spec.table}"]
    pod = {"apiVersion": "v1", "kind": "Pod", **template(spec, command, {}, {})}
    pod["metadata"] |= {"name": "resolve", "namespace": namespace}
    secret = databases.secret(database)
    secret["metadata"] |= {"namespace": namespace}
    kubectl.apply(secret, pod)
    finished = "--for=jsonpath={.status.phase}=Succeeded"
    try:
        kubectl("wait", finished, "pod/resolve", f"--namespace={namespace}", "--timeout=240s")
    except Refused as error:
        pytest.fail(f"{error}\n{kubectl('describe', 'pod/resolve', f'--namespace={namespace}')}")
    document = read_output(kubectl("logs", "resolve", f"--namespace={namespace}"))
    assert (document.backend, document.schema) == (database.backend, schema)
    assert [attribute.name for attribute in document.primary_key] == ["recording"]
