"""The one place that talks to the cluster. Objects are plain, as the API server has them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import aiohttp
from kubernetes.aio import client, config
from kubernetes.aio.config.config_exception import ConfigException
from populate_jobs.errors import PopulateError

from .manifests.names import COMPONENT, GROUP, MANAGER

Object = Mapping[str, Any]

PATHS = {
    "Pod": "api/v1/{}pods",
    "Secret": "api/v1/{}secrets",
    "ConfigMap": "api/v1/{}configmaps",
    "Namespace": "api/v1/namespaces",
    "Deployment": "apis/apps/v1/{}deployments",
    "Job": "apis/batch/v1/{}jobs",
    "Event": "apis/events.k8s.io/v1/{}events",
    "Lease": "apis/coordination.k8s.io/v1/{}leases",
    "PopulateJob": f"apis/{GROUP}/v1alpha1/{{}}populatejobs",
}
CHILDREN = ("Pod", "ConfigMap", "Deployment", "Job")
"""The kinds that the operator makes, or that come of what it makes; each carries the label COMPONENT."""

EVERYWHERE = ""
"""In place of a namespace."""

REQUEST_SECONDS = 30.0
MOST_REQUESTS = 32
"""At a time: thousands of them, made up and waiting, take more memory than all that the operator knows."""
TOO_MANY_REQUESTS = 429
LOG_LINES = 500
LOG_BYTES = 2**22
LONGEST_NAME = 253
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


class ClusterError(PopulateError):
    """The API server refused a request, or could not be asked; `status` is HTTP's, 0 where there was no answer."""

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status

    @property
    def says_no(self) -> bool:
        """To what was asked: it will say so again."""
        return self.status in (400, 403, 413, 422)

    @property
    def is_refusal(self) -> bool:
        """An answer at all, and not one of a server that is in trouble or too busy."""
        return 400 <= self.status < 500 and self.status != TOO_MANY_REQUESTS


def always() -> bool:
    return True


class Cluster:
    def __init__(self, api: client.ApiClient, may_write: Callable[[], bool] = always) -> None:
        """`may_write` is asked before each write."""
        self._api = api
        self._may_write = may_write
        self._gate = asyncio.Semaphore(MOST_REQUESTS)

    async def close(self) -> None:
        await self._api.close()

    async def get(self, kind: str, namespace: str, name: str) -> dict[str, Any]:
        return await self._json("GET", _path(kind, namespace, name))

    async def find(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        """None where there is no such object."""
        try:
            return await self.get(kind, namespace, name)
        except ClusterError as error:
            if error.status == 404:
                return None
            raise

    async def served(self, version: str) -> set[str]:
        """Plural names of the kinds of an API group's version, such as `apps/v1`; none where it is unknown."""
        try:
            found = await self._json("GET", f"apis/{version}")
        except ClusterError as error:
            if error.status == 404:
                return set()
            raise
        return {resource["name"] for resource in found["resources"]}

    async def children(self, kind: str, namespace: str) -> list[dict[str, Any]]:
        """All objects of a kind that the operator makes or watches; EVERYWHERE is all namespaces."""
        return await self._list(kind, namespace, [("labelSelector", COMPONENT)])

    async def populatejobs(self, namespace: str) -> list[dict[str, Any]]:
        return await self._list("PopulateJob", namespace, [])

    async def _list(self, kind: str, namespace: str, query: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
        found = await self._json("GET", _path(kind, namespace), query)
        # The items of a list do not say what they are.
        return [{"apiVersion": found["apiVersion"], "kind": kind, **item} for item in found["items"]]

    async def apply(self, wanted: Object) -> dict[str, Any]:
        """Creates it or makes it so; fields that others have set and we do not name stay."""
        query = [("fieldManager", MANAGER), ("force", "true")]
        return await self._json("PATCH", _path_of(wanted), query, wanted, "application/apply-patch+yaml")

    async def create(self, wanted: Object, *, dry_run: bool = False) -> dict[str, Any]:
        """With `dry_run` it is only judged, by all that judges what is created."""
        query = [("dryRun", "All")] if dry_run else []
        return await self._json("POST", _path(wanted["kind"], wanted["metadata"]["namespace"]), query, wanted)

    async def merge(self, kind: str, namespace: str, name: str, patch: Object, part: str = "") -> dict[str, Any]:
        """`part` is a subresource, such as `status`."""
        path = _path(kind, namespace, name) + (f"/{part}" if part else "")
        return await self._json("PATCH", path, [], patch, "application/merge-patch+json")

    async def delete(self, kind: str, namespace: str, name: str, uid: str) -> None:
        """With all that belongs to it; nothing where it, or one of that uid, is not there."""
        options = {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
        try:
            await self._json("DELETE", _path(kind, namespace, name), [], options)
        except ClusterError as error:
            if error.status not in (404, 409):
                raise

    async def log(self, namespace: str, pod: str, container: str) -> str:
        query = [("container", container), ("tailLines", str(LOG_LINES)), ("limitBytes", str(LOG_BYTES))]
        answer = await self._ask("GET", _path("Pod", namespace, pod) + "/log", query)
        return answer.decode(errors="replace")

    async def _json(
        self,
        method: str,
        path: str,
        query: Sequence[tuple[str, str]] = (),
        body: Object | None = None,
        content: str = "application/json",
    ) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(await self._ask(method, path, query, body, content))
        return found

    async def _ask(
        self,
        method: str,
        path: str,
        query: Sequence[tuple[str, str]] = (),
        body: Object | None = None,
        content: str = "application/json",
    ) -> bytes:
        async with self._gate:
            request = await self._api.param_serialize(
                method,
                f"/{path}",
                query_params=list(query),
                header_params={"Accept": "application/json", "Content-Type": content},
                body=body,
                auth_settings=["BearerToken"],
            )
            if method != "GET" and not self._may_write():
                raise ClusterError("another operator may lead now: nothing is written any more")
            try:
                response = await self._api.call_api(*request, _request_timeout=REQUEST_SECONDS)
                answer = bytes(await response.read())
            except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
                raise ClusterError(f"the API server cannot be asked: {error!r}") from error
        if response.status >= 400:
            raise ClusterError(_message(answer), status=response.status)
        return answer


async def connect(may_write: Callable[[], bool] = always) -> Cluster:
    """From the pod's service account, else from the kubeconfig; raises ClusterError where there is neither."""
    settings = client.Configuration()
    try:
        config.load_incluster_config(client_configuration=settings)
    except ConfigException:
        try:
            await config.load_kube_config(client_configuration=settings)
        except (ConfigException, OSError) as error:
            raise ClusterError(f"there is no cluster to talk to: {error}") from error
    return Cluster(client.ApiClient(settings), may_write)


def _path_of(wanted: Object) -> str:
    return _path(wanted["kind"], wanted["metadata"]["namespace"], wanted["metadata"]["name"])


def _path(kind: str, namespace: str, name: str = "") -> str:
    """Names may come from a database: one that is no name leads nowhere."""
    for part in filter(None, (namespace, name)):
        if not _NAME.fullmatch(part):
            raise ClusterError(f"{part[:LONGEST_NAME]!r} is no name", status=404)
    path = PATHS[kind].format(f"namespaces/{namespace}/" if namespace else "")
    return f"{path}/{name}" if name else path


def _message(answer: bytes) -> str:
    try:
        return str(json.loads(answer)["message"])
    except (ValueError, KeyError, TypeError):
        return answer[:500].decode(errors="replace")
