"""A real Kubernetes, with databases that its pods reach and the images in it."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import Server, Unavailable, keep

from . import Cluster, Kubectl, borrow, databases

HERE = Path(__file__).parent
DEFINITION = HERE.parents[1] / "crds" / "populatejobs.yaml"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """These tests run where they are asked for by path: `make cluster-test`."""
    asked = (Path(argument.partition("::")[0]).resolve() for argument in config.args)
    return None if any(path.is_relative_to(HERE) for path in asked) else True


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The cluster that `make cluster` left running, or one for this run."""
    try:
        with borrow() as running:
            yield running
    except Unavailable as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(f"a cluster must be there in CI: {missing}", pytrace=False)
        pytest.skip(f"no cluster can be had: {missing}")


@pytest.fixture(scope="session")
def kubectl(cluster: Cluster) -> Kubectl:
    """kubectl in a cluster that knows PopulateJobs."""
    kubectl = Kubectl(cluster.kubeconfig)
    kubectl("apply", f"--filename={DEFINITION}")
    kubectl("wait", "--for=condition=Established", f"--filename={DEFINITION}", "--timeout=30s")
    return kubectl


@pytest.fixture
def namespace(kubectl: Kubectl) -> Iterator[str]:
    """A namespace of the test's own that admits restricted pods only."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    kubectl("wait", "--for=create", "serviceaccount/default", f"--namespace={name}", "--timeout=30s")
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(params=databases.NAMES)
def database(request: pytest.FixtureRequest, cluster: Cluster) -> Server:
    """Each server that pods reach."""
    return keep(request.param, cluster.address)
