"""The quickstart's part in a cluster, typed as it stands, and what other pages have one type to the operator then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.documentation.blocks import ROOT, Block, blocks
from tests.servers import Server

from . import Cluster, Kubectl, images
from .reader import Reader

PAGE, CHART = ROOT / "docs" / "quickstart.md", ROOT / "charts" / "populate-operator" / "README.md"
IN_A_CLUSTER = "## In a cluster"


def consoles(page: Path, after: str, before: str = "") -> list[Block]:
    """Those between two headings, or up to the end."""
    lines = page.read_text().splitlines()
    first, last = lines.index(after), lines.index(before) if before else len(lines)
    return [block for block in blocks(page) if block.kind == "console" and first < block.line <= last]


@pytest.fixture
def reader(
    namespace: str,
    kubectl: Kubectl,
    cluster: Cluster,
    image: Callable[[str], str],
    empty_database: Server,
    tmp_path: Path,
) -> Iterator[Reader]:
    """Of the quickstart, with its files in a folder."""
    image(images.OPERATOR)
    reader = Reader.of(cluster.kubeconfig, tmp_path, namespace, empty_database)
    reader.saves(list(blocks(PAGE)))
    yield reader
    kubectl("delete", "namespace", f"{namespace}-operator", "--ignore-not-found", "--wait=false")


@pytest.mark.long
def test_it_goes_as_the_quickstart_says(reader: Reader, kubectl: Kubectl) -> None:
    install(reader)
    for block in consoles(PAGE, IN_A_CLUSTER):
        reader.types(block)
    assert reader.server.execute("SELECT count(*), min(hertz) > 1 FROM pulse.__rate") == [(20, True)]
    here = f"--namespace={reader.namespace}"
    kubectl("wait", "pod", "--all", "--for=delete", here, "--timeout=240s")
    assert kubectl.get("populatejobs,secrets", here)["items"] == []


@pytest.mark.long
def test_an_operator_is_limited_and_upgraded_and_keeps_its_values(reader: Reader) -> None:
    install(reader)
    how_to = ROOT / "docs" / "how-to"
    (limited,) = consoles(how_to / "priorities.md", "# Have some keys made before others")
    for block in (limited, *consoles(how_to / "upgrading.md", "## The operator", "## The workers")):
        reader.types(block, ROOT)
    values = yaml.safe_load(reader.runs(f"helm get values populate-operator --namespace={reader.namespace}-operator"))
    assert values["maxWorkersPerDatabase"] == 40
    assert values["image"] == {"repository": "registry.example/populate-operator"}


def install(reader: Reader) -> None:
    """From a checkout, as the chart's page says."""
    _, from_a_checkout, *_ = consoles(CHART, "## Install", "## Without Helm")
    reader.types(from_a_checkout, ROOT)
