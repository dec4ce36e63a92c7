"""Command lines of the documentation, as the programs themselves would understand them."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import yaml
from populate_operator.cli.parser import parse as parse_populate
from populate_operator.kubectl.parser import parse as parse_plugin

from .blocks import ROOT
from .objects import values

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Judge = Callable[[list[str], set[str]], Iterator[str]]
"""Given the words after the program's name, and the files that the page has; yields what is wrong."""
KUBECTL = {
    *("annotate", "apply", "create", "delete", "describe", "drain", "explain", "get", "label", "logs", "patch"),
    *("rollout", "scale", "taint", "wait"),
}
HELM = {"install", "rollback", "template", "test", "uninstall", "upgrade"}
DOCKER = {"build", "buildx", "pull", "push", "run", "tag"}
COSIGN = {"verify", "verify-blob"}


def judge(words: Sequence[str], files: set[str]) -> Iterator[str]:
    program, *rest = words
    if program not in PROGRAMS:
        yield f"{program} is no program that is known here"
    else:
        yield from PROGRAMS[program](rest, files)


def _parsed(parse: Callable[[Sequence[str]], Any], words: list[str]) -> Iterator[str]:
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            parse(words)
    except SystemExit as error:
        if error.code:
            yield said.getvalue().strip()


def _populate(words: list[str], files: set[str]) -> Iterator[str]:
    yield from _parsed(parse_populate, words)
    yield from _files(words, ("-f", "--filename", "--secret-file"), files)


def _kubectl(words: list[str], files: set[str]) -> Iterator[str]:
    if words[0] == "populate":
        yield from _parsed(parse_plugin, words[1:])
        return
    if words[0] not in KUBECTL:
        yield f"kubectl {words[0]} is not known here"
    yield from _files(words, ("-f", "-k", "--filename", "--kustomize"), files)


def _helm(words: list[str], files: set[str]) -> Iterator[str]:
    if words[0] not in HELM:
        yield f"helm {words[0]} is not known here"
    given, files_given = _set(words), {"-f", "--values"} & set(words)
    if words[0] in ("install", "template", "upgrade"):
        charts = [word for word in words[1:] if word.startswith("oci://") or (ROOT / word / "Chart.yaml").exists()]
        if not charts:
            yield "no chart is named"
        elif words[0] == "upgrade":
            yield from _keeps_values(words, given)
        elif not charts[0].startswith("oci://") and "repository" not in given.get("image", {}) and not files_given:
            yield "a chart that is not released names an image that no registry has: --set image.repository"
    if words[0] == "template" and "--skip-tests" not in words:
        yield "what tests a release is no part of it: --skip-tests"
    yield from _files(words, ("-f", "--values"), files)
    yield from values(given)


def _keeps_values(words: list[str], given: dict[str, Any]) -> Iterator[str]:
    """An upgrade keeps what the installation was given, and takes all else from the new chart."""
    if "--reuse-values" in words:
        yield "the new chart's own values, its image's digest among them, are left out: --reset-then-reuse-values"
    if given and "--reset-then-reuse-values" not in words:
        yield "what the installation was given is lost: --reset-then-reuse-values"


def _set(words: list[str]) -> dict[str, Any]:
    """What `--set` gives: `a.b=1`, `a={x,y}`."""
    given: dict[str, Any] = {}
    for word, following in zip(words, [*words[1:], ""], strict=True):
        text = following if word == "--set" else word.removeprefix("--set=") if word.startswith("--set=") else ""
        if text:
            path, _, value = text.partition("=")
            inner: Any = value[1:-1].split(",") if value.startswith("{") else yaml.safe_load(value)
            for name in reversed(path.split(".")[1:]):
                inner = {name: inner}
            given[path.split(".")[0]] = inner
    return given


def _make(words: list[str], _: set[str]) -> Iterator[str]:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for word in words:
        if "=" not in word and word not in targets:
            yield f"make has no target {word}"
        if (chosen := re.match(r"ARGS=.*-k (\w+)", word)) and not _some_test_has(chosen[1]):
            yield f"no test is called {chosen[1]}"


def _some_test_has(name: str) -> bool:
    files = (ROOT / "tests").rglob("test_*.py")
    return any(
        name in file.name or re.search(rf"^def test_\w*{name}", file.read_text(), re.MULTILINE) for file in files
    )


def _pip(words: list[str], _: set[str]) -> Iterator[str]:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    if words[0] not in ("install", "wheel"):
        yield f"pip {words[0]} is not known here"
    for word in words[1:]:
        where, _bracket, names = word.partition("[")
        if where.startswith("-"):
            continue
        if not (ROOT / where / "pyproject.toml").exists():
            yield f"nothing to install in {where}"
        elif where == ".":
            asked = filter(None, names.rstrip("]").split(","))
            yield from (f"there is no extra {name}" for name in asked if name not in extras)


def _python(words: list[str], files: set[str]) -> Iterator[str]:
    if words[:1] == ["-c"]:
        compile(words[1], "python -c", "exec")
    elif words[:1] == ["-m"]:
        if importlib.util.find_spec(words[1]) is None:
            yield f"there is no module {words[1]}"
    elif words and not (ROOT / words[0]).exists() and words[0] not in files:
        yield f"there is no {words[0]}"


def _docker(words: list[str], files: set[str]) -> Iterator[str]:
    if words[0] not in DOCKER:
        yield f"docker {words[0]} is not known here"
    if words[0] == "build" and not (ROOT / words[-1]).is_dir():
        yield f"there is no {words[-1]}"
    yield from _files(words, ("-f", "--file"), files)


def _cosign(words: list[str], _: set[str]) -> Iterator[str]:
    if words[0] not in COSIGN:
        yield f"cosign {words[0]} is not known here"


def _export(words: list[str], _: set[str]) -> Iterator[str]:
    yield from (f"export of no value: {word}" for word in words if "=" not in word)


def _eval(words: list[str], files: set[str]) -> Iterator[str]:
    """Of one `$(command)`."""
    inner = re.fullmatch(r"\$\((.*)\)", words[0])
    yield from judge(inner[1].split(), files) if inner else ["eval of what is no command"]


def _pytest(words: list[str], _: set[str]) -> Iterator[str]:
    yield from (f"there is no {word}" for word in words if not word.startswith("-") and not (ROOT / word).exists())


def _files(words: list[str], options: tuple[str, ...], files: set[str]) -> Iterator[str]:
    """Files that options name: in the repository, or on the page."""
    for word, following in zip(words, [*words[1:], ""], strict=True):
        name, _, joined = word.partition("=")
        if name in options:
            file = joined or following
            if file not in files and file != "-" and not (ROOT / file).exists():
                yield f"there is no {file}, neither on the page nor in the repository"


def _anything(_: list[str], __: set[str]) -> Iterator[str]:
    yield from ()


PROGRAMS: dict[str, Judge] = {
    "cosign": _cosign,
    "docker": _docker,
    "echo": _anything,
    "eval": _eval,
    "export": _export,
    "helm": _helm,
    "kubectl": _kubectl,
    "make": _make,
    "pip": _pip,
    "populate": _populate,
    "pytest": _pytest,
    "python": _python,
    "sed": _anything,
    "source": _anything,
    "xargs": judge,
}
