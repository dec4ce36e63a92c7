"""What workers print: kubectl shows it well already; of one key, the lines that carry its tag."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence

from populate_jobs.errors import PopulateError

from populate_operator.cli.exit_codes import ExitCode
from populate_operator.cli.parser import near
from populate_operator.kube.manifests import assignment, names

from .ask import Kubectl, Refused

_TAGGED = re.compile(r"(?:\[pod/\S+\] )?(?:\d\S+ )?\[(?P<tag>.*?)\] ")
"""kubectl's prefix, its time with --timestamps, and the key, as workers put it: `[subject_id=3,session=2] `."""

_NOTHING = """\
no line of {key} in the logs of {job}'s workers. That can be because
  no worker that is there now has begun this key: pods that are gone took their logs along,
  or make printed nothing for it,
  or a value is written in another way than in the log: kubectl populate logs {job} shows all of it.
Why a key failed is kept in the database: kubectl populate errors {job}"""


def show(kubectl: Kubectl, names_and_key: Sequence[str], options: Sequence[str]) -> int:
    """`options` are kubectl's own."""
    jobs = [word for word in names_and_key if "=" not in word]
    key = _key([word for word in names_and_key if "=" in word])
    if len(jobs) != 1 and key:
        raise PopulateError("a key is of one PopulateJob: kubectl populate logs NAME KEY...")
    command = kubectl.command("logs", *_selecting(jobs), *_whole(options, key), *options)
    if not key:
        return subprocess.call(command)
    _check(kubectl, jobs[0], key)
    return _show_those_of(key, jobs[0], command)


def of_key(lines: Iterable[str], key: Mapping[str, str]) -> Iterable[str]:
    """The lines whose tag holds each of these attributes with its value."""
    for line in lines:
        tagged = _TAGGED.match(line)
        if tagged and all(f",{name}={value}," in f",{tagged['tag']}," for name, value in key.items()):
            yield line


def _key(words: Sequence[str]) -> dict[str, str]:
    """As `errors` shows a key, or as the log does: with or without commas."""
    pairs = (word.removesuffix(",").partition("=") for word in words)
    return {name: value for name, _, value in pairs}


def _selecting(jobs: Sequence[str]) -> list[str]:
    every = f"{names.POPULATEJOB} in ({','.join(jobs)}),{names.COMPONENT}={names.WORKER}"
    return [f"--selector={every}", "--container=worker", "--prefix", "--max-log-requests=100"]


def _whole(options: Sequence[str], key: Mapping[str, str]) -> list[str]:
    """With a selector kubectl shows ten lines of each pod, unless it is told."""
    told = any(option.startswith(("--tail", "--since")) for option in options)
    return ["--tail=-1"] if key and not told else []


def _check(kubectl: Kubectl, job: str, key: Mapping[str, str]) -> None:
    """Whoever may not read the ConfigMap finds nothing where a name is wrong, and no harm is done."""
    try:
        found = json.loads(kubectl("get", "configmap", names.assignment_name(job), "--output=json"))
    except Refused:
        return
    answer = assignment.read(found)
    known = [attribute.name for attribute in answer.document.primary_key] if answer else []
    for name in key:
        if known and name not in known:
            raise PopulateError(f"{name} is not in the primary key of {job}{near(name, known)}: {', '.join(known)}")


def _show_those_of(key: Mapping[str, str], job: str, command: Sequence[str]) -> int:
    shown = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace", bufsize=1) as logs:
        assert logs.stdout is not None
        for line in of_key(logs.stdout, key):
            print(line, end="", flush=True)
            shown += 1
    if logs.returncode:
        raise Refused("kubectl could not show the logs")
    if not shown:
        print(_NOTHING.format(key=",".join(map("=".join, key.items())), job=job), file=sys.stderr)
    return ExitCode.DONE if shown else ExitCode.LEFT_OVER
