"""The rules that keep the repository readable, checked over the files themselves."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("jobs", "worker", "operator")
LONGEST_FUNCTION, LONGEST_FILE, LONGEST_TEST = 35, 400, 600

# Spelt in pieces, so that this file does not break its own rule.
HOSTS = ("pypi", "files.pythonhosted", "proxy.golang", "sum.golang", "deb.debian", "security.debian", "registry.npmjs")
REGISTRIES = re.compile(rf"\b(?:{'|'.join(map(re.escape, HOSTS))})\.org\b")
MACHINE_PATHS = re.compile(r"(?<![\w.}])/(?:work|root|home)/\w")


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [file for name in listed.split("\0") if name and (file := ROOT / name).is_file()]


def python_files(*folders: str) -> list[Path]:
    return [file for folder in folders for file in sorted((ROOT / folder).rglob("*.py"))]


def functions(file: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    return (node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def lines(file: Path) -> int:
    return len(file.read_text(encoding="utf-8").splitlines())


def test_no_function_is_longer_than_a_screen() -> None:
    lengths = {
        f"{file.relative_to(ROOT)}:{node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for file in python_files(*SOURCES, "tests", "bench", "examples")
        for node in functions(file)
    }
    assert lengths
    assert {name: length for name, length in lengths.items() if length > LONGEST_FUNCTION} == {}


@pytest.mark.parametrize(
    ("folders", "limit"), [((*SOURCES, "bench", "examples"), LONGEST_FILE), (("tests",), LONGEST_TEST)]
)
def test_no_file_is_longer_than_a_sitting(folders: tuple[str, ...], limit: int) -> None:
    assert {str(file.relative_to(ROOT)): n for file in python_files(*folders) if (n := lines(file)) > limit} == {}


@pytest.mark.parametrize("folder", SOURCES)
def test_a_folder_of_packages_is_not_a_package_itself(folder: str) -> None:
    """A package named `operator` would shadow the standard library's."""
    assert (ROOT / folder).is_dir()
    assert not (ROOT / folder / "__init__.py").exists()


@pytest.mark.parametrize("forbidden", [REGISTRIES, MACHINE_PATHS], ids=["registry host", "path of one machine"])
def test_no_tracked_file_depends_on_where_it_was_written(forbidden: re.Pattern[str]) -> None:
    found = [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()}"
        for file in tracked()
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="ignore").splitlines(), start=1)
        if forbidden.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("page", ["docs/reliability.md", "SECURITY.md"])
def test_every_promise_names_a_test_that_there_is(page: str) -> None:
    promised = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / page).read_text(encoding="utf-8"))
    assert promised
    assert [(file, test) for file, test in promised if test not in {f.name for f in functions(ROOT / file)}] == []


def test_the_lock_fits_the_project() -> None:
    check = subprocess.run([sys.executable, ".ci/lock.py", "--check"], cwd=ROOT, capture_output=True, text=True)
    assert check.returncode == 0, check.stderr


def test_the_chart_has_the_definition_as_it_is() -> None:
    """Templates see nothing outside the chart, so it is a copy."""
    definition, copy = (ROOT / folder / "populatejobs.yaml" for folder in ("crds", "charts/populate-operator/files"))
    assert copy.read_text() == definition.read_text(), "run `make generate` and commit what it changes"
