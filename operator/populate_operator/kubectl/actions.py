"""What is asked of the operator, through the resources; and whether it has answered."""

from __future__ import annotations

import json
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from populate_operator.cli.exit_codes import ExitCode
from populate_operator.kube.manifests import names

from .ask import Kubectl, Object

LOOK_EVERY = 0.5
"""Seconds between two looks at whether it is done."""
_NOBODY = """\
It is done as soon as an operator comes to it. Whether there is one:
  kubectl get pods -A -l app.kubernetes.io/name=populate-operator"""


@dataclass(frozen=True)
class Action:
    done: str
    """What is said of it once it is."""
    patch: Callable[[str, Namespace], Mapping[str, Any]]
    """Takes the moment at which it is asked for."""
    is_done: Callable[[Object, str], bool]


def carry_out(kubectl: Kubectl, jobs: Sequence[Object], args: Namespace) -> int:
    """Raises Refused."""
    action, asked = _ACTIONS[args.command], datetime.now(timezone.utc).isoformat()
    for job in jobs:
        kubectl.merge(job, action.patch(asked, args))
    wanted = [job["metadata"]["name"] for job in jobs]
    late = _late(kubectl, wanted, lambda job: action.is_done(job, asked), args.timeout) if args.timeout else {}
    for name in wanted:
        if name not in late:
            print(f"{name}: {action.done if args.timeout else 'asked'}")
    return _complain(late, args.timeout) if late else ExitCode.DONE


def _late(
    kubectl: Kubectl, wanted: Sequence[str], is_done: Callable[[Object], bool], seconds: float
) -> dict[str, Object]:
    """Those for which it is not done by then, as they are then."""
    deadline = time.monotonic() + seconds
    while True:
        time.sleep(min(LOOK_EVERY, seconds))
        found = {job["metadata"]["name"]: job for job in kubectl.populatejobs()}
        late = {name: found[name] for name in wanted if name in found and not is_done(found[name])}
        if not late or time.monotonic() >= deadline:
            return late


def _complain(late: Mapping[str, Object], seconds: float) -> int:
    from .views import verdict

    for name, job in late.items():
        known = ": ".join(filter(None, verdict(job)))
        print(f"{name}: asked, but not done within {seconds:g} s; last known: {known}", file=sys.stderr)
    print(_NOBODY, file=sys.stderr)
    return ExitCode.LEFT_OVER


def _button(annotation: str, done: str) -> Action:
    """The operator acts once on every new value of the annotation, and a field of the status says which was last."""
    field = names.HANDLED[annotation]

    def patch(asked: str, args: Namespace) -> dict[str, Any]:
        match = getattr(args, "match", None)
        value = json.dumps({"at": asked, "match": match}) if match else asked
        return {"metadata": {"annotations": {annotation: value}}}

    return Action(done, patch, lambda job, asked: asked in job.get("status", {}).get(field, ""))


def _switch(suspend: bool, done: str) -> Action:
    """A field of the spec, which the operator has seen once the status is about it."""

    def is_done(job: Object, _: str) -> bool:
        return bool(job.get("status", {}).get("observedGeneration") == job["metadata"].get("generation"))

    return Action(done, lambda *_: {"spec": {"suspend": suspend}}, is_done)


_ACTIONS = {
    "retry": _button(names.RETRY_ERRORS, "keys with errors are queued again"),
    "ignore": _button(names.IGNORE_ERRORS, "keys with errors are set aside"),
    "refresh": _button(names.REFRESH, "new keys were looked for"),
    "suspend": _switch(True, "suspended"),
    "resume": _switch(False, "resumed"),
}
