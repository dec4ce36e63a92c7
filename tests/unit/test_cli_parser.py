from __future__ import annotations

import re
from pathlib import Path

import pytest
from populate_operator.cli import main
from populate_operator.cli.parser import COMMANDS, parse


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("statsu", "there is no command statsu (did you mean status?)"),
        ("run -f a.yaml --onec", "there is no option --onec (did you mean --once?)"),
        ("run -f a.yaml --max-worker=3", "there is no option --max-worker=3 (did you mean --max-workers?)"),
        ("run -f a.yaml --max-workers 0", "--max-workers: 0 is no whole number from 1 on"),
        ("errors -f a.yaml --most x", "--most: x is no whole number from 1 on"),
        ("run -f a.yaml --database-timeout inf", "--database-timeout: inf is no number of seconds"),
        ("exec -f a.yaml python load.py", "put -- before the command that is to be run: -- python"),
        ("run a.yaml", "a.yaml is a word too many: is it a manifest? -f a.yaml"),
        ("run -f a.yaml made", "made is a word too many\n"),
        ("run", "-f FILE is required"),
        ("status", "name a manifest, -f FILE, or a table, schema.table"),
        ("retry -f a.yaml", "--match TEXT"),
        ("ignore cardio.heart_rate", "--all"),
        ("exec -f a.yaml", "Put it after --"),
        ("status -f a.yaml --embedded --secret-file b.yaml", "not allowed with"),
        ("status a.yaml", "a.yaml is no table: is it a manifest? -f a.yaml"),
        ("-f a.yaml", "the first word must be a COMMAND: run, status,"),
        ("", "COMMAND: run"),
    ],
)
def test_what_cannot_be_understood_is_said_with_the_way_out(
    line: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(line.split()) == 2
    error = capsys.readouterr().err
    assert said in error
    assert re.search(r"Try: populate( \w+)? --help", error)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_has_examples_and_the_exit_codes(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"  populate {command} " in text
    assert "  130  interrupted" in text
    assert "--secret-file, else" in text


@pytest.mark.parametrize("command", COMMANDS)
def test_every_example_of_the_help_is_understood(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    main([command, "--help"])
    lines = re.findall(r"^  populate (.+?)(?:   .*)?$", capsys.readouterr().out, re.MULTILINE)
    assert lines
    for line in lines:
        words = [word.strip("'\"") for word in re.findall(r"'[^']*'|\"[^\"]*\"|\S+", line)]
        assert parse(words).command == command


def test_what_follows_two_dashes_is_left_as_it_is() -> None:
    args = parse(["exec", "-f", "a.yaml", "--data", "d", "--", "python", "-f", "--data", "x", "--"])
    assert args.words == ["python", "-f", "--data", "x", "--"]
    assert (args.filename, args.data) == (["a.yaml"], Path("d"))


def test_names_follow_several_files() -> None:
    args = parse(["errors", "-f", "a.yaml", "-f", "b.yaml", "heart-rate", "-o", "json"])
    assert (args.filename, args.subjects, args.output) == (["a.yaml", "b.yaml"], ["heart-rate"], "json")
