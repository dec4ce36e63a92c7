"""Looks at a cluster's objects often: without a process for each look."""

import json
from pathlib import Path
from typing import Any

from kubernetes import client, config

Object = dict[str, Any]
_PATHS = {
    "deployments": "apis/apps/v1",
    "jobs": "apis/batch/v1",
    "populatejobs": "apis/datajoint.io/v1alpha1",
    "events": "apis/events.k8s.io/v1",
    "leases": "apis/coordination.k8s.io/v1",
}
"""By plural; all others are of the core."""


class Api:
    def __init__(self, kubeconfig: Path) -> None:
        self._client: client.ApiClient = config.new_client_from_config(str(kubeconfig))

    def get(self, plural: str, namespace: str, name: str) -> Object:
        """The object; an empty one where there is none."""
        return self._ask(f"{_path(plural, namespace)}/{name}", [])

    def every(self, plural: str, namespace: str, selector: str = "") -> list[Object]:
        return list(self._ask(_path(plural, namespace), [("labelSelector", selector)]).get("items", []))

    def _ask(self, path: str, query: list[tuple[str, str]]) -> Object:
        request = self._client.param_serialize("GET", f"/{path}", query_params=query, auth_settings=["BearerToken"])
        response = self._client.call_api(*request, _request_timeout=60)
        answer: Object = json.loads(response.read())
        if response.status == 404:
            return {}
        assert response.status == 200, answer
        return answer


def _path(plural: str, namespace: str) -> str:
    return f"{_PATHS.get(plural, 'api/v1')}/namespaces/{namespace}/{plural}"
