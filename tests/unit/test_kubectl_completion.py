"""What Tab offers after `kubectl populate`, and that shells take it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from populate_operator.kubectl import complete, completion, main
from populate_operator.kubectl.parser import COMMANDS, SHELLS
from populate_operator.kubectl.shells import SCRIPTS

from tests.servers.host import PATIENCE
from tests.unit.fake_kubectl import FakeKubectl


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeKubectl:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(completion, "_PATIENCE", PATIENCE)
    return FakeKubectl(tmp_path)


@pytest.mark.parametrize(
    ("before", "typed", "offered"),
    [
        ("", "re", ["retry", "refresh", "resume"]),
        ("status", "--c", ["--context"]),
        ("status", "--m", []),
        ("status -o", "", ["table", "json", "yaml", "wide"]),
        ("completion", "", ["bash", "zsh", "fish"]),
        ("status", "", ["heart-rate", "summary", "trace"]),
        ("retry heart-rate --match x", "s", ["summary"]),
        ("status heart-rate --all-namespaces", "", ["summary", "trace"]),
        ("top -n", "l", ["lab"]),
        ("top --context", "", ["here", "there"]),
        ("logs heart-rate --", "--f", []),
        ("statsu", "", []),
    ],
)
def test_tab_offers_what_may_stand_there(
    kubectl: FakeKubectl, before: str, typed: str, offered: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert complete([*before.split(), typed]) == 0
    *lines, directive = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[0] for line in lines] == offered
    assert directive == ":4"


@pytest.mark.parametrize(("line", "asked"), [("status", "--namespace lab"), ("status -A", "--all-namespaces")])
def test_names_are_looked_for_where_the_line_looks(kubectl: FakeKubectl, line: str, asked: str) -> None:
    complete([*line.split(), "--context", "there", *(["-n", "lab"] if "-A" not in line else []), ""])
    (words,) = kubectl.asked
    assert " ".join(words).startswith("--context there get ")
    assert asked in " ".join(words)


def test_a_cluster_that_is_away_is_silence(kubectl: FakeKubectl, capsys: pytest.CaptureFixture[str]) -> None:
    kubectl.refuses("Unable to connect to the server")
    assert complete(["status", ""]) == 0
    assert capsys.readouterr() == (":4\n", "")


def test_the_hidden_command_is_the_same_program(kubectl: FakeKubectl, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["__complete", "status", "he"]) == 0
    assert capsys.readouterr().out == "heart-rate\n:4\n"


def test_every_shell_has_a_script(capsys: pytest.CaptureFixture[str]) -> None:
    assert SCRIPTS.keys() == set(SHELLS)
    for shell in SHELLS:
        assert main(["completion", shell]) == 0
        assert "kubectl-populate __complete" in capsys.readouterr().out


_TYPED = {
    "bash": 'COMP_WORDS=(kubectl-populate status -n ""); COMP_CWORD=3; _kubectl_populate; echo "${COMPREPLY[@]}"',
    "zsh": "_describe() { print -rl -- ${(P)2} }; words=(kubectl-populate status -n ''); CURRENT=4; _kubectl_populate",
    "fish": "complete -C 'kubectl-populate status -n '",
}
_SOURCED = {"bash": "", "zsh": "compdef() { true }\n", "fish": ""}
_QUIET = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_offers_it(kubectl: FakeKubectl, shell: str) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    installed = kubectl.folder / "kubectl-populate"
    code = "import sys; from populate_operator.kubectl import main; sys.exit(main())"
    installed.write_text(f"#!/bin/sh\nexec '{sys.executable}' -c '{code}' \"$@\"\n")
    installed.chmod(0o755)
    path = ":".join(entry for entry in sys.path if entry)
    done = subprocess.run(
        [program, *_QUIET[shell], "-c", f"{_SOURCED[shell]}{SCRIPTS[shell]}\n{_TYPED[shell]}"],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert done.stdout.split() == ["default", "lab"], done.stderr


def test_commands_are_offered_with_what_they_do(capsys: pytest.CaptureFixture[str]) -> None:
    complete([""])
    *lines, _ = capsys.readouterr().out.splitlines()
    assert dict(line.split("\t") for line in lines) == COMMANDS
