"""What is asked of the operator, through the resources."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from typing import Any

from populate_operator.cli.exit_codes import ExitCode
from populate_operator.kube.manifests import names

from .ask import Kubectl, Object


def carry_out(kubectl: Kubectl, jobs: Sequence[Object], args: Namespace) -> int:
    patch, done = _PATCHES[args.command]
    for job in jobs:
        kubectl.merge(job, patch(args))
        print(f"{job['metadata']['name']}: {done}")
    return ExitCode.DONE


def _annotated(annotation: str) -> Callable[[Namespace], dict[str, Any]]:
    """The operator acts once on every new value."""

    def patch(args: Namespace) -> dict[str, Any]:
        now, match = datetime.now(timezone.utc).isoformat(), getattr(args, "match", None)
        value = json.dumps({"at": now, "match": match}) if match else now
        return {"metadata": {"annotations": {annotation: value}}}

    return patch


_PATCHES: dict[str, tuple[Callable[[Namespace], dict[str, Any]], str]] = {
    "retry": (_annotated(names.RETRY_ERRORS), "keys with errors are queued again"),
    "ignore": (_annotated(names.IGNORE_ERRORS), "keys with errors are set aside"),
    "refresh": (_annotated(names.REFRESH), "new keys are looked for"),
    "suspend": (lambda _: {"spec": {"suspend": True}}, "suspended"),
    "resume": (lambda _: {"spec": {"suspend": False}}, "resumed"),
}
