"""A stand-in for kubectl, with a cluster's answers in files: what the real one says is tested on a real cluster."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from populate_jobs import ErrorGroup
from populate_operator.kube.manifests.assignment import Answer, assignment
from populate_operator.kube.manifests.names import HANDLED
from populate_operator.plan.metav1 import timestamp

from tests.unit.kube import job, resource
from tests.unit.planning import DOCUMENT, NOW, SPEC, a_problem, a_refresh, a_tally, plan_of, seen
from tests.unit.states import UNSEEN

_SCRIPT = """\
#!/bin/sh
cd {folder}
for word; do printf '%s\\n' "$word"; done >> asked
echo >> asked
test -e refusal && {{ cat refusal >&2; exit 1; }}
case " $* " in
*" get populatejobs."*"--output=json"*) cat populatejobs.json ;;
*" get populatejobs."*) cat names ;;
*" get namespaces "*) printf 'namespace/default\\nnamespace/lab\\n' ;;
*" get-contexts "*) printf 'here\\nthere\\n' ;;
*" get configmap "*) cat assignment.json || exit 1 ;;
*" logs "*) cat log ;;
*" patch "*) {python} answer.py "$@" ;;
*) echo "no answer to: $*" >&2; exit 1 ;;
esac
"""
_OPERATOR = """\
import json, sys
from pathlib import Path

words = sys.argv[1:]
name = words[words.index("patch") + 2]
patch = json.loads(next(word for word in words if word.startswith("--patch=")).removeprefix("--patch="))
found = json.loads(Path("populatejobs.json").read_text())
(job,) = (job for job in found["items"] if job["metadata"]["name"] == name)
asked = patch.get("metadata", {{}}).get("annotations", {{}})
job["metadata"]["generation"] += "spec" in patch
if name not in Path("unwatched").read_text().split():
    job["status"].update({{field: asked[wish] for wish, field in {handled}.items() if wish in asked}})
    job["status"]["observedGeneration"] = job["metadata"]["generation"]
Path("populatejobs.json").write_text(json.dumps(found))
"""
"""The API server takes a patch, and an operator answers at once where it watches."""


class FakeKubectl:
    """The first word on the PATH is its folder's; `asked` are the command lines it was given."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        program = folder / "kubectl"
        program.write_text(_SCRIPT.format(folder=shlex.quote(str(folder)), python=shlex.quote(sys.executable)))
        self._write("answer.py", _OPERATOR.format(handled=HANDLED))
        program.chmod(0o755)
        self.has_no_operator_for()
        self.has(working(), waiting(), finished())
        answer = Answer(DOCUMENT, "q-1", NOW)
        self._write("assignment.json", json.dumps(assignment(job(), resource(), answer, NOW)))

    def has(self, *jobs: dict[str, Any]) -> None:
        names = (found["metadata"]["name"] for found in jobs)
        self._write("names", "".join(f"populatejob.datajoint.io/{name}\n" for name in names))
        self._write("populatejobs.json", json.dumps({"items": jobs}))

    def logs(self, *lines: str) -> None:
        self._write("log", "".join(f"{line}\n" for line in lines))

    def refuses(self, message: str) -> None:
        self._write("refusal", f"{message}\n")

    def has_no_operator_for(self, *names: str) -> None:
        self._write("unwatched", "\n".join(names))

    def hangs(self) -> None:
        """As where the cluster does not answer."""
        (self.folder / "kubectl").write_text("#!/bin/sh\nexec sleep 600\n")

    def _write(self, name: str, text: str) -> None:
        """At once, for it may be read at any time."""
        (self.folder / "new").write_text(text)
        (self.folder / "new").replace(self.folder / name)

    @property
    def asked(self) -> Sequence[list[str]]:
        path = self.folder / "asked"
        return [words.split("\n") for words in path.read_text().strip().split("\n\n")] if path.exists() else []


def working(ends_in_minutes: float = 12.5) -> dict[str, Any]:
    """In the middle of its keys, some of which have failed; the end is reckoned from now."""
    errors = (ErrorGroup("…", 2, "ValueError: too few beats", {"recording": 3}),)
    tally = a_tally(pending=70, reserved=2, error=3, scheduled=5)
    status = _status(refresh=a_refresh(total=120, done=40, pending=80), tally=replace(tally, errors=errors))
    status |= {
        "workers": {"desired": 3, "ready": 2, "busy": 1},
        "throughputPerMinute": 24.0,
        "estimatedCompletionTime": timestamp(datetime.now(timezone.utc) + timedelta(minutes=ends_in_minutes)),
    }
    return _resource("heart-rate", "lab", status, priority=3)


def waiting() -> dict[str, Any]:
    """No operator has seen it yet."""
    return _resource("summary", "lab", UNSEEN)


def finished() -> dict[str, Any]:
    return _resource("trace", "archive", _status(refresh=a_refresh(total=9, done=9)))


def stalled() -> dict[str, Any]:
    return _resource("spikes", "lab", _status(database=a_problem("LoginRefused")))


def _resource(name: str, namespace: str, status: dict[str, Any], **spec: Any) -> dict[str, Any]:
    found = resource(**{"priority": 10, **spec})
    return {**found, "metadata": {**found["metadata"], "name": name, "namespace": namespace}, "status": status}


def _status(**fields: Any) -> dict[str, Any]:
    """As the operator itself writes it."""
    return dict(plan_of(SPEC, seen(**fields)).status)
