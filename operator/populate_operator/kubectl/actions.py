"""What the commands do: everything is read from the resources, and asked of the operator through them."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timezone
from typing import Any

from populate_jobs.errors import PopulateError

from populate_operator.cli.exit_codes import ExitCode
from populate_operator.cli.parser import near
from populate_operator.cli.show import as_json, as_table, key_text
from populate_operator.kube.api import Cluster, Object
from populate_operator.kube.manifests import names

Action = Callable[[Cluster, Sequence[Object], Namespace], Awaitable[int]]

_COUNTS = {"PENDING": "pending", "SCHEDULED": "scheduled", "RUNNING": "reserved", "ERRORS": "error"}


async def chosen(cluster: Cluster, namespace: str, wanted: Sequence[str]) -> list[Object]:
    """Those of these names, or all; raises PopulateError where one is not there."""
    found = {job["metadata"]["name"]: job for job in await cluster.populatejobs([namespace])}
    for name in wanted:
        if name not in found:
            raise PopulateError(f"no PopulateJob {name} in {namespace or 'any namespace'}{near(name, found)}")
    return [found[name] for name in wanted] if wanted else list(await cluster.populatejobs([namespace]))


async def _status(_: Cluster, jobs: Sequence[Object], args: Namespace) -> int:
    if args.output == "json":
        as_json([{**_where(job), **job.get("status", {})} for job in jobs])
        return ExitCode.DONE
    rows = [_row(job) for job in jobs]
    as_table(("NAMESPACE", "NAME", "PROGRESS", *_COUNTS, "WORKERS", "STATE"), rows, wide="STATE")
    return ExitCode.DONE


async def _errors(_: Cluster, jobs: Sequence[Object], args: Namespace) -> int:
    groups = [(job, group) for job in jobs for group in job.get("status", {}).get("topErrors", [])]
    if args.output == "json":
        as_json([{**_where(job), **group} for job, group in groups])
    elif groups:
        rows = [
            (job["metadata"]["name"], group["count"], group["message"], key_text(group.get("sampleKey", {})))
            for job, group in groups
        ]
        as_table(("NAME", "KEYS", "ERROR", "SUCH AS"), rows, wide="ERROR")
    else:
        print("no key failed")
    return ExitCode.DONE


def _patching(patch: Callable[[Namespace], dict[str, Any]], done: str) -> Action:
    async def action(cluster: Cluster, jobs: Sequence[Object], args: Namespace) -> int:
        for job in jobs:
            where = _where(job)
            await cluster.merge("PopulateJob", where["namespace"], where["name"], patch(args))
            print(f"{where['name']}: {done}")
        return ExitCode.DONE

    return action


def _annotated(annotation: str) -> Callable[[Namespace], dict[str, Any]]:
    """The operator acts once on every new value."""

    def patch(args: Namespace) -> dict[str, Any]:
        asked = {annotation: datetime.now(timezone.utc).isoformat()}
        limit = {names.MATCH: args.match} if "match" in args else {}
        return {"metadata": {"annotations": {**asked, **limit}}}

    return patch


ACTIONS: dict[str, Action] = {
    "status": _status,
    "errors": _errors,
    "retry": _patching(_annotated(names.RETRY_ERRORS), "keys with errors are queued again"),
    "ignore": _patching(_annotated(names.IGNORE_ERRORS), "keys with errors are set aside"),
    "refresh": _patching(_annotated(names.REFRESH), "new keys are looked for"),
    "suspend": _patching(lambda _: {"spec": {"suspend": True}}, "suspended"),
    "resume": _patching(lambda _: {"spec": {"suspend": False}}, "resumed"),
}


def _where(job: Object) -> dict[str, str]:
    return {"namespace": job["metadata"]["namespace"], "name": job["metadata"]["name"]}


def _row(job: Object) -> tuple[object, ...]:
    status = job.get("status", {})
    counts = (status.get(field, 0) for field in _COUNTS.values())
    workers = status.get("workers", {}).get("ready", 0)
    return (*_where(job).values(), status.get("progress", ""), *counts, workers, _state(status))


def _state(status: dict[str, Any]) -> str:
    ready = next((found for found in status.get("conditions", []) if found["type"] == "Ready"), None)
    return f"{ready['reason']}: {ready['message']}" if ready else "not seen by an operator yet"
