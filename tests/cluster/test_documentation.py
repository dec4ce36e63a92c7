"""What the documentation has people type and apply, judged by the programs and by a real API server."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.documentation.blocks import Block, every_block
from tests.documentation.objects import SPEC, overlaid
from tests.documentation.shell import commands, typed

from . import Kubectl
from .kubectl import Program

BLOCKS = every_block()
DRY_RUN = ("--dry-run=server", "--validate=strict")


def lines(program: str) -> list[list[str]]:
    """Every command line of the program, once, without its name; not those of its plugins."""
    consoles = (line.command for block in BLOCKS if block.kind == "console" for line in typed(block.text))
    every = (words[words[0] == "xargs" :] for line in consoles for words in commands(line))
    found = {tuple(words[1:]) for words in every if words[0] == program}
    return sorted(list(words) for words in found if words[0] != "populate")


def manifests() -> list[Block]:
    return [block for block in BLOCKS if block.kind == "yaml" and "PopulateJob" in kinds(block)]


def kinds(block: Block) -> set[str]:
    return {document.get("kind", "") for document in yaml.safe_load_all(block.text) if document}


@pytest.mark.parametrize("words", lines("kubectl"), ids=" ".join)
def test_kubectl_knows_what_it_is_told(words: list[str], tmp_path: Path) -> None:
    """With --help it reads its options first, and refuses those that it has not."""
    Program("kubectl", tmp_path / "none")(*words, "--help")


@pytest.mark.parametrize("words", lines("helm"), ids=" ".join)
def test_helm_knows_what_it_is_told(words: list[str], tmp_path: Path) -> None:
    Program("helm", tmp_path / "none")(*words, "--help")


def test_the_api_server_takes_every_manifest(kubectl: Kubectl, namespace: str) -> None:
    assert manifests()
    for block in manifests():
        kubectl("apply", "--filename=-", f"--namespace={namespace}", *DRY_RUN, stdin=block.text)


def test_the_api_server_takes_every_part_of_a_manifest(kubectl: Kubectl, namespace: str) -> None:
    parts = [next(yaml.safe_load_all(block.text)) for block in BLOCKS if block.kind == "yaml" and kinds(block) == {""}]
    specs = [part["spec"] for part in parts if set(part) == {"spec"}]
    assert specs
    head = {"apiVersion": "datajoint.io/v1alpha1", "kind": "PopulateJob"}
    jobs = [{**head, "metadata": {"name": f"part-{n}"}, "spec": overlaid(SPEC, spec)} for n, spec in enumerate(specs)]
    kubectl.apply(*jobs, options=[f"--namespace={namespace}", *DRY_RUN])
