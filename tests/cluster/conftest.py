"""A real Kubernetes with databases and images in it, and an operator for each process of tests."""

import fcntl
import os
import uuid
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.servers import Server, Unavailable, keep, serve
from tests.servers.host import cache, wait_until
from tests.servers.server import drop_database

from . import Cluster, Kubectl, Refused, borrow, cluster, databases, images, load
from .api import Api
from .apiproxy import ApiProxy
from .beside import Beside
from .installation import DEFINITION, Installation, create_namespace
from .kubectl import Program
from .lab import Lab, describe

HERE = Path(__file__).parent

one_engine = pytest.mark.parametrize("database", [databases.NAMES[-1]], indirect=True)
"""For what has nothing to do with the kind of database."""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """These tests run where they are asked for by path: `make cluster-test`."""
    asked = (Path(argument.partition("::")[0]).resolve() for argument in config.args)
    return None if any(path.is_relative_to(HERE) for path in asked) else True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first; what needs the cluster for itself comes last."""
    items.sort(key=lambda item: (item.get_closest_marker("alone") is not None, item.get_closest_marker("long") is None))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call" and report.failed:
        for used in getattr(item, "funcargs", {}).values():
            with suppress(Refused):
                if isinstance(used, Lab):
                    report.sections.append(("the lab's namespace", describe(used.kubectl, used.namespace)))
                elif isinstance(used, Installation | Beside):
                    report.sections.append(("the operator", used.log(200)))
    return report


@pytest.fixture(scope="session", name="cluster")
def cluster_fixture() -> Iterator[Cluster]:
    """The cluster that runs already; for tests in one process, else one for this run."""
    try:
        with _found() if "PYTEST_XDIST_WORKER" in os.environ else borrow() as running:
            yield running
    except Unavailable as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(f"a cluster must be there in CI: {missing}", pytrace=False)
        pytest.skip(f"no cluster can be had: {missing}")


@contextmanager
def _found() -> Iterator[Cluster]:
    """Tests in many processes cannot agree on who starts it and who ends it."""
    running = cluster.running()
    if running is None:
        raise Unavailable("no cluster runs; give the tests one with: python -m tests.cluster run pytest ...")
    yield running


@pytest.fixture(scope="session")
def kubectl(cluster: Cluster) -> Kubectl:
    """kubectl in a cluster that knows PopulateJobs."""
    kubectl = Kubectl(cluster.kubeconfig)
    kubectl.define(DEFINITION)
    return kubectl


@pytest.fixture(scope="session")
def api(cluster: Cluster) -> Api:
    return Api(cluster.kubeconfig)


@pytest.fixture(scope="session")
def image(cluster: Cluster) -> Callable[[str], str]:
    """The name by which pods find an image; pipelines are built here unless that was done for many processes."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        images.build_cardio()
        images.build_lab()
    return lambda name: load(cluster, name)[0]


@pytest.fixture
def together() -> Iterator[None]:
    """Not while a test has the cluster for itself."""
    with _holding(fcntl.LOCK_SH):
        yield


@pytest.fixture
def alone() -> Iterator[None]:
    """No other test uses the cluster."""
    with _holding(fcntl.LOCK_EX):
        yield


@contextmanager
def _holding(lock: int) -> Iterator[None]:
    with open(cache() / "cluster-tests.lock", "w") as handle:
        fcntl.flock(handle, lock)
        yield


@pytest.fixture
def namespace(together: None, kubectl: Kubectl) -> Iterator[str]:
    """A namespace of the test's own that no operator watches."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    create_namespace(kubectl, name)
    yield name
    kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")


@pytest.fixture(params=databases.NAMES)
def database(request: pytest.FixtureRequest, cluster: Cluster) -> Server:
    """Each server that pods reach."""
    return keep(request.param, cluster.address)


@pytest.fixture(params=databases.NAMES)
def own_database(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[Server]:
    """A server of the test's own, which pods reach: to be stopped."""
    with serve(request.param, address=cluster.address) as server:
        yield server


@pytest.fixture
def empty_database(cluster: Cluster) -> Iterator[Server]:
    """A server's database of the test's own, for a pipeline whose schemas have the names that everybody uses."""
    server = keep("postgresql-15", cluster.address)
    name = f"d_{uuid.uuid4().hex[:8]}"
    server.execute(f"CREATE DATABASE {name}")
    yield replace(server, database=name)
    drop_database(server, name)


Install = Callable[..., AbstractContextManager[Installation]]


@pytest.fixture(scope="session")
def install(kubectl: Kubectl, cluster: Cluster, image: Callable[[str], str]) -> Install:
    """An operator with some values, while a block runs; it must have been allowed all it tried, and met no fault."""
    helm = Program("helm", cluster.kubeconfig)

    @contextmanager
    def install(**values: object) -> Iterator[Installation]:
        release = f"populate-operator-{uuid.uuid4().hex[:8]}"
        with Installation(kubectl, helm, release, image(images.OPERATOR), **values) as installed:
            yield installed
            log = installed.log()
        assert not refused(log, kubectl)
        assert "Traceback" not in log

    return install


def refused(log: str, kubectl: Kubectl) -> list[str]:
    """What it was not allowed to do, but for namespaces that are going: rights there go with them."""
    active = kubectl.get("namespaces", "--field-selector=status.phase=Active")["items"]
    places = [f'in the namespace "{namespace["metadata"]["name"]}"' for namespace in active]
    lines = [line for line in log.splitlines() if "is forbidden: User" in line]
    return [line for line in lines if "in the namespace" not in line or any(place in line for place in places)]


@pytest.fixture(scope="session")
def watched(kubectl: Kubectl) -> Iterator[tuple[str, str]]:
    """The two namespaces that this process's operator watches: tests take the first, and two tenants both."""
    name = f"lab-{uuid.uuid4().hex[:8]}"
    names = (name, f"{name}-other")
    for name in names:
        create_namespace(kubectl, name)
    yield names
    for name in names:
        kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="session")
def operator(install: Install, watched: tuple[str, str]) -> Iterator[Installation]:
    """The operator of this process's labs."""
    with install(watchNamespaces=list(watched), installation=watched[0]) as installed:
        yield installed


@pytest.fixture(scope="session")
def labs() -> Iterator[list[Lab]]:
    """Those whose pods may still be ending; their schemas go when none is left."""
    ended: list[Lab] = []
    yield ended
    for lab in ended:
        with suppress(TimeoutError):
            wait_until(lambda lab=lab: not lab.owned("pods"), "the last pods gone")  # type: ignore[misc]
        lab.drop()


@pytest.fixture
def lab(
    together: None,
    operator: Installation,
    watched: tuple[str, str],
    kubectl: Kubectl,
    api: Api,
    database: Server,
    image: Callable[[str], str],
    labs: list[Lab],
) -> Iterator[Lab]:
    """The tests' pipeline, empty, in a schema of each server, and a namespace that the operator watches."""
    lab = Lab(kubectl, api, watched[0], database, image(images.LAB))
    yield lab
    leave(lab, *watched)
    labs.append(lab)


@pytest.fixture
def outage_lab(
    together: None,
    operator: Installation,
    watched: tuple[str, str],
    kubectl: Kubectl,
    api: Api,
    own_database: Server,
    image: Callable[[str], str],
) -> Iterator[Lab]:
    """As `lab`, with a server that nobody else uses: to be stopped."""
    lab = Lab(kubectl, api, watched[0], own_database, image(images.LAB))
    yield lab
    leave(lab, *watched)
    lab.until_nothing_is_left()


@pytest.fixture
def own_lab(
    namespace: str, kubectl: Kubectl, api: Api, cluster: Cluster, image: Callable[[str], str], labs: list[Lab]
) -> Iterator[Lab]:
    """A lab in a namespace that nobody watches but the operators that the test starts beside the cluster."""
    lab = Lab(kubectl, api, namespace, keep(databases.NAMES[0], cluster.address), image(images.LAB))
    yield lab
    lab.release()
    labs.append(lab)


@pytest.fixture
def beside(cluster: Cluster, namespace: str, tmp_path: Path) -> Iterator[Beside]:
    """Operators of the test's own, as processes."""
    beside = Beside(cluster.kubeconfig, namespace, tmp_path)
    yield beside
    beside.kill()


@pytest.fixture
def proxy(cluster: Cluster, tmp_path: Path) -> Iterator[ApiProxy]:
    """Between an operator beside the cluster and the API server."""
    with ApiProxy(cluster.kubeconfig, tmp_path).running() as proxy:
        yield proxy


def leave(lab: Lab, *namespaces: str) -> None:
    """Ends what the lab has going, without waiting for it."""
    lab.release()
    for name in namespaces:
        every = lab.api.every("populatejobs", name)
        mine = [job["metadata"]["name"] for job in every if job["metadata"]["name"].endswith(lab.id)]
        if mine:
            lab.kubectl("delete", "populatejob", *mine, f"--namespace={name}", "--wait=false", "--ignore-not-found")
