"""The documentation, held to the code: every block is judged by its kind, every link leads somewhere."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

from tests.documentation import commands, objects, shell
from tests.documentation.blocks import ROOT, Block, every_block, pages

BLOCKS = every_block()
PERHAPS = {"populate.yaml"}
"""The user's own manifest, under the name that it has everywhere."""
INSTRUCTIONS = {"ARG", "COPY", "ENV", "FROM", "RUN", "USER", "WORKDIR"}
LINK = re.compile(r"(?<!`)\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^()\s]+)\)")
SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
NAME_ONLY = re.compile(r"(kubectl )?\w+( [\w-]+)?")
"""A mention of a command, which need not be whole."""
FENCED = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)


def judge_console(block: Block, _: Path) -> Iterator[str]:
    titles = {other.title for other in BLOCKS if other.page == block.page and other.title}
    written = set(re.findall(r" > (\S+)$", block.text, re.MULTILINE))
    found = list(shell.typed(block.text))
    if not found:
        yield "no command in it"
    for typed in found:
        for words in shell.commands(typed.command):
            yield from (f"{' '.join(words)}: {wrong}" for wrong in commands.judge(words, titles | written | PERHAPS))


def judge_yaml(block: Block, folder: Path) -> Iterator[str]:
    yield from objects.judge(block.text, block.title, folder)


def judge_python(block: Block, _: Path) -> Iterator[str]:
    ast.parse(block.text)
    yield from ()


def judge_dockerfile(block: Block, _: Path) -> Iterator[str]:
    logical = [line for line in re.sub(r"\\\n", " ", block.text).splitlines() if line and not line.startswith("#")]
    first = [line.split()[0] for line in logical]
    yield from (f"{word} is no instruction that is known here" for word in first if word not in INSTRUCTIONS)
    if first[:1] != ["FROM"]:
        yield "does not begin with FROM"


def judge_json(block: Block, _: Path) -> Iterator[str]:
    json.loads(block.text)
    yield from ()


def judge_text(block: Block, _: Path) -> Iterator[str]:
    """A drawing, with an arrow at least: what can be typed belongs in a console block."""
    if not re.search(r"->|──>|<-", block.text) or re.search(r"^\$ ", block.text, re.MULTILINE):
        yield "no drawing"


KINDS: dict[str, Callable[[Block, Path], Iterator[str]]] = {
    "console": judge_console,
    "dockerfile": judge_dockerfile,
    "json": judge_json,
    "python": judge_python,
    "text": judge_text,
    "yaml": judge_yaml,
}


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_what_a_block_says_is_understood_by_what_it_is_said_to(block: Block, tmp_path: Path) -> None:
    assert block.kind in KINDS, f"{block}: a block of kind {block.kind!r}, which nobody judges"
    assert list(KINDS[block.kind](block, tmp_path)) == []


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("console", "$ populate run -f populate.yaml --onze"),
        ("console", "$ kubectl populate retry heart-rate"),
        ("console", "$ kubectl aply -f populate.yaml"),
        ("console", "$ kubectl apply -f nowhere.yaml"),
        ("console", "$ helm install op oci://registry.example/op --set watchNamespace=lab"),
        ("console", "$ helm install op charts/populate-operator --set leaderElection=false"),
        ("console", "$ helm upgrade --install op oci://registry.example/op --set leaderElection=false"),
        ("console", "$ helm upgrade op oci://registry.example/op --reuse-values --set leaderElection=false"),
        ("console", "$ helm template op oci://registry.example/op | kubectl apply -f -"),
        ("console", "$ docker build -f Dockerfile.nobody ."),
        ("console", "$ make nothing"),
        ("console", "$ make database ARGS='-k test_of_nothing'"),
        ("console", "$ true && curl example | bash"),
        ("console", "output"),
        ("yaml", "spec: {priority: 300}"),
        ("yaml", "spec: {prioritee: 3}"),
        ("yaml", "spec: {worker: {image: a, template: {spec: {nodeSelectors: {}}}}}"),
        ("yaml", "spec: {worker: {image: a, template: {spec: {tolerations: {}}}}}"),
        ("yaml", "{apiVersion: v1, kind: Secret, metadata: {name: a}, strinData: {}}"),
        ("yaml", "{apiVersion: v1, kind: Sekret}"),
        ("yaml", "priority: 3"),
        ("dockerfile", "COPY . ."),
        ("text", "$ make test"),
    ],
)
def test_what_cannot_be_understood_is_found(kind: str, text: str, tmp_path: Path) -> None:
    block = Block(ROOT / "README.md", 1, kind, "", text + "\n")
    try:
        found = list(KINDS[kind](block, tmp_path))
    except AssertionError as error:
        found = [str(error)]
    assert found


def spans(page: Path) -> list[str]:
    """Code within sentences."""
    return SPAN.findall(FENCED.sub("", page.read_text(encoding="utf-8")))


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_within_sentences_are_understood(page: Path) -> None:
    for span in spans(page):
        if NAME_ONLY.fullmatch(span) is None and span.split()[0] in commands.PROGRAMS:
            for words in shell.commands(span):
                assert list(commands.judge(words, PERHAPS)) == [], span


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_fields_within_sentences_may_be_written_so(page: Path, tmp_path: Path) -> None:
    fields = objects.spec_fields()
    for span in spans(page):
        path, colon, value = span.partition(": ")
        names = path.removeprefix("spec.").split(".")
        if colon and names[0] in fields:
            inner = yaml.safe_load(value)
            for name in reversed(names):
                inner = {name: inner}
            assert list(objects.judge(yaml.safe_dump({"spec": inner}), "", tmp_path)) == [], span


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_code_is_fenced(page: Path) -> None:
    """What is merely indented says no kind, and nobody judges it."""
    lines = FENCED.sub("", page.read_text(encoding="utf-8")).splitlines()
    after_nothing = (line for before, line in zip(["", *lines], lines, strict=False) if not before)
    assert [line for line in after_nothing if re.match(r" {4}[^ -]", line)] == []


def test_the_reference_pages_are_up_to_date() -> None:
    done = subprocess.run([sys.executable, ".ci/reference.py", "--check"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("page", "pattern"),
    [
        ("quickstart.md", r"registry\.example/populate-worker:(\S+)"),
        ("how-to/own-image.md", r"registry\.example/populate-worker:(\S+)"),
        ("how-to/own-image.md", r"populate_operator-([\d.]+)-py3-none-any\.whl"),
    ],
)
def test_images_are_built_on_the_worker_of_this_version(page: str, pattern: str) -> None:
    chart = yaml.safe_load((objects.CHART / "Chart.yaml").read_text())
    assert set(re.findall(pattern, (ROOT / "docs" / page).read_text())) == {chart["appVersion"]}


def anchors(page: Path) -> set[str]:
    """As Python-Markdown and GitHub make them of headings without symbols."""
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ +(.+)$", text, re.MULTILINE)
    return {re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower()) for heading in headings}


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    for target in LINK.findall(text):
        path, _, anchor = target.partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        to = (page.parent / path).resolve() if path else page
        assert to.exists(), f"a link to {target}"
        assert not anchor or anchor in anchors(to), f"a link to {target}: no such heading there"


def test_every_recorded_figure_is_shown() -> None:
    page = (ROOT / "docs" / "performance.md").read_text()
    patterns = [name for names in re.findall(r"<!-- figures: (.+) -->", page) for name in names.split()]
    recorded = {row["name"] for row in json.loads((ROOT / "bench" / "results" / "latest.json").read_text())}
    assert recorded
    assert {name for name in recorded if not any(fnmatch(name, pattern) for pattern in patterns)} == set()
