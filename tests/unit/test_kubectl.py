"""`kubectl populate`, whole commands, with a stand-in for kubectl itself."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from populate_operator.kube.manifests import names
from populate_operator.kube.wishes import limit
from populate_operator.kubectl import main
from populate_operator.kubectl.ask import Kubectl
from populate_operator.kubectl.logs import of_key
from populate_operator.kubectl.parser import COMMANDS, parse
from populate_worker.messages import describe
from populate_worker.supervisor.output import Tagger

from tests.unit.fake_kubectl import FakeKubectl, working

HEAVY = ("kopf", "kubernetes", "datajoint", "rich", "yaml", "pymysql", "psycopg")


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeKubectl:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return FakeKubectl(tmp_path)


def table(text: str) -> list[list[str]]:
    """Rows of cells, of which none is empty."""
    head, _, *rows = text.splitlines()
    return [re.split(r" {2,}", line.strip()) for line in (head, *rows)]


# The line


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("statsu", "there is no command statsu (did you mean status?)"),
        ("status --outptu json", "there is no option --outptu (did you mean --output?)"),
        ("status -o xml", "invalid choice: 'xml'"),
        ("retry", "NAME"),
        ("retry heart-rate", "--match TEXT"),
        ("ignore heart-rate --all --match x", "not allowed with"),
        ("refresh heart-rate --timeout soon", "soon is no number of seconds"),
        ("logs recording=3", "a key is of one PopulateJob"),
        ("logs heart-rate summary recording=3", "a key is of one PopulateJob"),
        ("status heart-rat", "there is no PopulateJob heart-rat in this namespace (did you mean heart-rate?)"),
        ("suspend heart-rat -n lab", "there is no PopulateJob heart-rat in namespace lab (did you mean heart-rate?)"),
        ("errors nothing-like-it -A", "there is no PopulateJob nothing-like-it in any namespace"),
        ("", "COMMAND"),
    ],
)
def test_bad_input_is_2_and_changes_nothing(
    kubectl: FakeKubectl, line: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(line.split()) == 2
    assert said in capsys.readouterr().err
    assert not [words for words in kubectl.asked if "patch" in words]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_has_examples_that_are_understood_and_the_exit_codes(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert "  130  interrupted" in text
    examples = re.findall(
        r"kubectl populate ([a-z]+ .+?)(?:\)?   .*| > .*|\))?$", text.split("examples:")[1], re.MULTILINE
    )
    assert examples
    assert {parse(shlex.split(line)).command for line in examples} == {command}


def test_options_may_stand_between_names(kubectl: FakeKubectl) -> None:
    assert main(["suspend", "heart-rate", "--context", "there", "-n", "lab", "summary"]) == 0
    assert [words[:3] for words in kubectl.asked] == [
        ["--context", "there", word] for word in ("get", "patch", "patch", "get")
    ]


def test_what_kubectl_refuses_is_1_in_its_own_words(kubectl: FakeKubectl, capsys: pytest.CaptureFixture[str]) -> None:
    log = 'E1123 03:41:46.310448   20552 memcache.go:265] "Unhandled Error"'
    kubectl.refuses(f"{log}\n{log}\nUnable to connect to the server: no such host")
    assert main(["status"]) == 1
    assert capsys.readouterr().err == "Unable to connect to the server: no such host\n"


def test_a_cluster_that_does_not_answer_is_1_after_a_while(
    kubectl: FakeKubectl, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kubectl.hangs()
    monkeypatch.setattr(sys.modules["populate_operator.kubectl.main"], "Kubectl", partial(Kubectl, patience=0.1))
    assert main(["status"]) == 1
    assert capsys.readouterr().err == "kubectl has had no answer within 0.1 s: is the cluster there?\n"


def test_without_kubectl_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["status"]) == 1
    assert "kubectl is not on the PATH" in capsys.readouterr().err


def test_completion_and_help_import_nothing_heavy() -> None:
    """Somebody waits for Tab."""
    code = f"""
import sys
from populate_operator.kubectl import complete, main
main(["status", "--help"])
complete(["status", "--n"])
loaded = [name for name in {HEAVY} if name in sys.modules]
sys.exit(f"loaded: {{loaded}}" if loaded else 0)
"""
    path = ":".join(entry for entry in sys.path if entry)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": path})
    assert done.returncode == 0, done.stderr


# status and errors


def test_status_as_a_table(kubectl: FakeKubectl, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "-A"]) == 0
    head, heart_rate, *_ = table(capsys.readouterr().out)
    assert head == ["NAMESPACE", "NAME", "PROGRESS", "PENDING", "SCHEDULED", "RUNNING", "ERRORS", "WORKERS", "STATE"]
    assert heart_rate == ["lab", "heart-rate", "40/120", "70", "5", "2", "3", "2", "Populating: 77 keys to make"]
    assert "--all-namespaces" in kubectl.asked[0]


def test_status_wide_adds_what_kubectl_get_wide_has(kubectl: FakeKubectl, capsys: pytest.CaptureFixture[str]) -> None:
    kubectl.has(working(ends_in_minutes=90.5))
    assert main(["status", "-o", "wide"]) == 0
    head, row = table(capsys.readouterr().out)
    shown = dict(zip(head, row, strict=True))
    expected = {"PRIORITY": "3", "THROUGHPUT": "24/min", "ETA": "90 min", "REASON": "Populating", "BUSY": "1"}
    assert {name: shown[name] for name in expected} == expected
    assert shown["MESSAGE"] == "77 keys to make"


@pytest.mark.parametrize(("form", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_status_for_programs(kubectl: FakeKubectl, form: str, read: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "heart-rate", "-o", form]) == 0
    (shown,) = read(capsys.readouterr().out)
    assert (shown["namespace"], shown["name"], shown["progress"], shown["error"]) == ("lab", "heart-rate", "40/120", 3)


def test_errors_with_a_key_to_look_at(kubectl: FakeKubectl, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["errors"]) == 0
    assert table(capsys.readouterr().out)[1] == ["heart-rate", "2", "ValueError: too few beats", "recording=3"]
    assert main(["errors", "-o", "wide"]) == 0
    assert table(capsys.readouterr().out)[1][:3] == ["lab", "heart-rate", "cardio.HeartRate"]
    assert main(["errors", "-o", "yaml"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)[0]["sampleKey"] == {"recording": 3}


@pytest.mark.parametrize("command", ["status", "errors"])
def test_where_there_is_none_it_says_so(kubectl: FakeKubectl, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    kubectl.has()
    assert main([command]) == 0
    assert capsys.readouterr() == ("", "there is no PopulateJob in this namespace\n")
    assert main([command, "-A", "-o", "json"]) == 0
    assert capsys.readouterr() == ("[]\n", "")


def test_where_no_key_failed_it_says_so(kubectl: FakeKubectl, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["errors", "summary"]) == 0
    assert capsys.readouterr().out == "no key failed\n"


# What is asked of the operator


@pytest.mark.parametrize(
    ("line", "spec"), [("suspend heart-rate", {"suspend": True}), ("resume heart-rate", {"suspend": False})]
)
def test_suspending_is_a_field_of_the_spec(kubectl: FakeKubectl, line: str, spec: dict[str, Any]) -> None:
    assert main(line.split()) == 0
    assert patches(kubectl) == [("heart-rate", "lab", {"spec": spec})]


@pytest.mark.parametrize(("command", "annotation"), [("retry", names.RETRY_ERRORS), ("ignore", names.IGNORE_ERRORS)])
@pytest.mark.parametrize(("which", "match"), [(["--match", "too few"], "too few"), (["--all"], None)])
def test_errors_are_named_by_annotations_that_say_all_of_what_they_ask_for(
    kubectl: FakeKubectl, command: str, annotation: str, which: list[str], match: str | None
) -> None:
    assert main([command, "heart-rate", *which]) == 0
    ((_, _, patch),) = patches(kubectl)
    ((name, value),) = patch["metadata"]["annotations"].items()
    assert (name, limit(value)) == (annotation, match)


def test_what_is_set_is_not_set_as_kubectl_whose_fields_flux_takes_back(kubectl: FakeKubectl) -> None:
    assert main(["suspend", "heart-rate"]) == 0
    (words,) = (words for words in kubectl.asked if "patch" in words)
    assert "--field-manager=populate" in words


def test_each_refresh_is_another_value(kubectl: FakeKubectl) -> None:
    assert main(["refresh", "heart-rate", "trace"]) == 0
    assert main(["refresh", "heart-rate"]) == 0
    asked = [(name, where, patch["metadata"]["annotations"][names.REFRESH]) for name, where, patch in patches(kubectl)]
    assert [(name, where) for name, where, _ in asked] == [
        ("heart-rate", "lab"),
        ("trace", "archive"),
        ("heart-rate", "lab"),
    ]
    assert asked[0][2] != asked[2][2]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("retry heart-rate --all", "keys with errors are queued again"),
        ("ignore heart-rate --all", "keys with errors are set aside"),
        ("refresh heart-rate", "new keys were looked for"),
        ("suspend heart-rate", "suspended"),
        ("resume heart-rate", "resumed"),
    ],
)
def test_it_is_said_to_be_done_when_the_operator_has_done_it(
    kubectl: FakeKubectl, line: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(line.split()) == 0
    assert capsys.readouterr() == (f"heart-rate: {said}\n", "")

    kubectl.has_no_operator_for("heart-rate")
    assert main([*line.split(), "--timeout", "0.1"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "heart-rate: asked, but not done within 0.1 s; last known: Populating: 77 keys to make\n" in err
    assert "kubectl get pods -A -l app.kubernetes.io/name=populate-operator" in err

    assert main([*line.split(), "--timeout", "0"]) == 0
    assert capsys.readouterr() == ("heart-rate: asked\n", "")


def test_of_several_those_that_are_late_are_told_apart(
    kubectl: FakeKubectl, capsys: pytest.CaptureFixture[str]
) -> None:
    kubectl.has_no_operator_for("summary")
    assert main(["resume", "summary", "trace", "--timeout", "0.1"]) == 1
    out, err = capsys.readouterr()
    assert out == "trace: resumed\n"
    assert "summary: asked, but not done within 0.1 s; last known: not seen by an operator yet" in err


def patches(kubectl: FakeKubectl) -> list[tuple[str, str, dict[str, Any]]]:
    """Name, namespace and patch of each."""
    found = [words for words in kubectl.asked if "patch" in words]
    given = [next(word for word in words if word.startswith("--patch=")).removeprefix("--patch=") for words in found]
    return [
        (words[words.index("patch") + 2], words[words.index("--namespace") + 1], json.loads(patch))
        for words, patch in zip(found, given, strict=True)
    ]


# logs


LINES = (
    "[pod/a/worker] [runner 7] import",
    "[pod/a/worker] [recording=3] Traceback (most recent call last):",
    "[pod/b/worker] [recording=33] of another key",
    "[pod/b/worker] [recording=3,start=late, and last] of a longer key",
    "[pod/b/worker] [recording=1] prints [recording=3] itself",
    "[pod/a/worker] 2026-03-01T12:00:00.1Z [recording=3] with its time",
)


def test_the_logs_of_one_key_are_its_lines(kubectl: FakeKubectl, capsys: pytest.CaptureFixture[str]) -> None:
    kubectl.logs(*LINES)
    assert main(["logs", "heart-rate", "recording=3", "-n", "lab"]) == 0
    assert capsys.readouterr().out.splitlines() == [LINES[1], LINES[3], LINES[5]]
    logs = kubectl.asked[-1]
    assert "--selector=datajoint.io/populatejob in (heart-rate),datajoint.io/component=worker" in logs
    assert {"--prefix", "--container=worker", "--tail=-1"} <= set(logs)


def test_options_of_kubectl_logs_are_passed_on(kubectl: FakeKubectl, capfd: pytest.CaptureFixture[str]) -> None:
    kubectl.logs(*LINES)
    assert main(["logs", "heart-rate", "summary", "--", "--follow", "--tail", "5"]) == 0
    assert capfd.readouterr().out.splitlines() == list(LINES)
    assert kubectl.asked[-1][-3:] == ["--follow", "--tail", "5"]
    assert "--tail=-1" not in kubectl.asked[-1]


def test_where_no_line_is_of_the_key_it_is_1_with_what_that_can_mean(
    kubectl: FakeKubectl, capsys: pytest.CaptureFixture[str]
) -> None:
    kubectl.logs(*LINES)
    assert main(["logs", "heart-rate", "recording=4"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "no line of recording=4" in captured.err
    assert "pods that are gone took their logs along" in captured.err


def test_an_attribute_that_the_primary_key_has_not_is_2(
    kubectl: FakeKubectl, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["logs", "heart-rate", "recordng=3"]) == 2
    error = capsys.readouterr().err
    assert "recordng is not in the primary key of heart-rate (did you mean recording?): recording" in error


def test_who_may_not_read_the_primary_key_sees_the_lines_all_the_same(
    kubectl: FakeKubectl, capsys: pytest.CaptureFixture[str]
) -> None:
    (kubectl.folder / "assignment.json").unlink()
    kubectl.logs("[pod/a/worker] [subject=3,session=2] one", "[pod/a/worker] [subject=3,session=1] two")
    assert main(["logs", "heart-rate", "session=2", "subject=3"]) == 0
    assert capsys.readouterr().out == "[pod/a/worker] [subject=3,session=2] one\n"


def test_a_key_may_be_pasted_from_errors(kubectl: FakeKubectl, capsys: pytest.CaptureFixture[str]) -> None:
    (kubectl.folder / "assignment.json").unlink()
    kubectl.logs("[pod/a/worker] [subject=3,session=2] one")
    assert main(["logs", "heart-rate", "subject=3,", "session=2"]) == 0
    assert main(["logs", "heart-rate", "subject=3,session=2"]) == 0
    assert capsys.readouterr().out.count("one") == 2


@pytest.mark.parametrize(
    ("key", "given"),
    [
        ({"subject_id": 3, "session": 2}, {"session": "2", "subject_id": "3"}),
        ({"day": date(2026, 3, 1), "file": "a[1],b.tif"}, {"file": "a[1],b.tif", "day": "2026-03-01"}),
        ({"name": "zwölf\n"}, {"name": "zwölf\\n"}),
        ({"hash": b"\x00\xff"}, {"hash": "00ff"}),
    ],
)
def test_a_key_is_found_by_what_a_worker_writes_of_it(key: dict[str, Any], given: dict[str, str]) -> None:
    (line,) = Tagger(b"marker ", "runner 7").feed(f"marker {describe(key)}\nsaid by make\n".encode())
    prefixed = f"[pod/heart-rate-worker-a/worker] {line}"
    assert list(of_key([prefixed], given)) == [prefixed]
    for name, value in given.items():
        assert list(of_key([prefixed], {**given, name: f"{value}1"})) == []
