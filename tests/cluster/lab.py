"""A lab: the tests' pipeline on a real server, and PopulateJobs in a namespace with the login to it."""

from __future__ import annotations

import importlib.util
import json
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.database.pipeline import datajoint
from tests.servers import Server
from tests.servers.host import PATIENCE, wait_until

from . import databases, images
from .api import Api, Object
from .kubectl import Kubectl

PIPELINE = Path(__file__).parent / "pipeline" / "lab.py"
TABLE = "lab.Made"


class Lab:
    """Every schema, Secret and PopulateJob of it has a name that ends with `id`."""

    def __init__(self, kubectl: Kubectl, api: Api, namespace: str, server: Server, image: str = images.LAB) -> None:
        self.id = uuid.uuid4().hex[:8]
        self.kubectl = kubectl
        self.api = api
        self.namespace = namespace
        self.server = server
        self.image = image
        self.schema = f"t_{self.id}"
        declare(server, self.schema)
        self.log_in()

    # -- the cluster --------------------------------------------------------------------------------------------------

    def log_in(self, namespace: str = "", name: str = "login", **changed: str) -> None:
        """Has the Secret there, with these entries changed."""
        secret = databases.secret(self.server, f"{name}-{self.id}")
        secret["metadata"]["namespace"] = namespace or self.namespace
        secret["stringData"] |= changed
        self.kubectl.apply(secret)

    def apply(self, name: str = "job", namespace: str = "", **spec: Any) -> Applied:
        """A PopulateJob of the table Made, with this spec over one that is quick."""
        job = Applied(self, f"{name}-{self.id}", namespace or self.namespace)
        job.apply(**spec)
        return job

    def spec(self, **changed: Any) -> dict[str, Any]:
        """`worker` is laid over the worker, all else takes the place of what is here."""
        worker = {"image": self.image, "drainSeconds": 2, "template": self.template()} | changed.pop("worker", {})
        return {
            "table": TABLE,
            "database": {"secretRef": {"name": f"login-{self.id}"}},
            "refresh": {"intervalSeconds": 1},
            "scaling": {"maxWorkers": 1},
            "retry": {"limit": 0},
            "worker": worker,
            **changed,
        }

    def template(self, resources: Mapping[str, Any] | None = None, **environment: str) -> dict[str, Any]:
        """A pod template whose worker has this environment, and LAB_SCHEMA."""
        variables = {"LAB_SCHEMA": self.schema} | environment
        env = [{"name": name, "value": value} for name, value in variables.items()]
        return {"spec": {"containers": [{"name": "worker", "env": env, "resources": dict(resources or {})}]}}

    def owned(self, plural: str, namespace: str = "") -> list[Object]:
        """What belongs to the lab's PopulateJobs: pods, deployments, jobs, configmaps."""
        found = self.api.every(plural, namespace or self.namespace, "datajoint.io/populatejob")
        return [item for item in found if item["metadata"]["labels"]["datajoint.io/populatejob"].endswith(self.id)]

    def until_nothing_is_left(self, namespace: str = "") -> None:
        for plural in ("pods", "deployments", "configmaps", "jobs"):
            wait_until(lambda plural=plural: not self.owned(plural, namespace), f"no {plural} left")  # type: ignore[misc]

    # -- the database -------------------------------------------------------------------------------------------------

    def add(self, *behaviours: str, first: int = 1) -> None:
        """Items first, first + 1, ... with these behaviours."""
        rows = ", ".join(f"({item}, '{behaviour}')" for item, behaviour in enumerate(behaviours, start=first))
        self.execute(f"INSERT INTO {self.name('item')} (item, behaviour) VALUES {rows}")

    def change(self, item: int, behaviour: str) -> None:
        self.execute(f"UPDATE {self.name('item')} SET behaviour = '{behaviour}' WHERE item = {item}")

    def change_all(self, behaviour: str) -> None:
        """Of makes that have not begun."""
        self.execute(f"UPDATE {self.name('item')} SET behaviour = '{behaviour}'")

    def let(self, *items: int) -> None:
        """Ends the waiting of these items' makes."""
        self.execute(f"INSERT INTO {self.name('leave')} (item) VALUES {', '.join(f'({item})' for item in items)}")

    def until_in_make(self, *items: int) -> None:
        wait_until(lambda: set(items) <= set(self.started()), f"items {items} in make")

    def until_made(self, *items: int, seconds: float = PATIENCE) -> None:
        """Until these and no others are made, and no row of the queue is left."""
        wait_until(lambda: self.made() == list(items) and not self.rows(), f"{items} made", seconds)

    def until_rows(self, rows: Mapping[int, str], seconds: float = PATIENCE) -> None:
        """Until the queue has these rows, by item and status."""
        wait_until(lambda: self.rows() == rows, f"rows {rows}", seconds)

    def started(self) -> list[int]:
        """Items in the order in which their makes were begun, each as often as it was."""
        return [item for (item,) in self.execute(f"SELECT item FROM {self.name('start')} ORDER BY moment")]

    def makers(self) -> dict[int, str]:
        """LAB_MAKER of the worker that made it, by item."""
        return dict(self.execute(f"SELECT item, maker FROM {self.name('__made')} ORDER BY item"))

    def made(self) -> list[int]:
        return list(self.makers())

    def rows(self) -> dict[int, str]:
        """Status by item."""
        return dict(self.execute(f"SELECT item, status FROM {self.name('~~made')} ORDER BY item"))

    def hosts(self) -> dict[int, str]:
        """Of the items that are reserved."""
        return dict(self.execute(f"SELECT item, host FROM {self.name('~~made')} WHERE status = 'reserved'"))

    def messages(self) -> dict[int, str]:
        """Of the items with errors."""
        return dict(self.execute(f"SELECT item, error_message FROM {self.name('~~made')} WHERE status = 'error'"))

    def name(self, table: str) -> str:
        return f"{self.quoted(self.schema)}.{self.quoted(table)}"

    def quoted(self, name: str) -> str:
        quote = '"' if self.server.backend == "postgresql" else "`"
        return f"{quote}{name}{quote}"

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        return self.server.execute(statement)

    # -- the end ------------------------------------------------------------------------------------------------------

    def release(self) -> None:
        """Lets every make end."""
        self.execute(
            f"INSERT INTO {self.name('leave')} (item) SELECT item FROM {self.name('item')} "
            f"WHERE item NOT IN (SELECT item FROM {self.name('leave')})"
        )

    def drop(self) -> None:
        cascade = " CASCADE" if self.server.backend == "postgresql" else ""
        self.execute(f"DROP SCHEMA IF EXISTS {self.schema}{cascade}")


class Applied:
    """A PopulateJob in the cluster."""

    def __init__(self, lab: Lab, name: str, namespace: str) -> None:
        self.lab = lab
        self.name = name
        self.namespace = namespace

    def apply(self, **spec: Any) -> None:
        metadata = {"name": self.name, "namespace": self.namespace}
        manifest = {"apiVersion": "datajoint.io/v1alpha1", "kind": "PopulateJob", "metadata": metadata}
        self.lab.kubectl.apply({**manifest, "spec": self.lab.spec(**spec)})

    def patch(self, **spec: Any) -> None:
        """Merges it into the spec."""
        self("patch", "--type=merge", f"--patch={json.dumps({'spec': spec})}")

    def annotate(self, **annotations: str) -> None:
        self(
            "annotate",
            "--overwrite",
            *(f"datajoint.io/{name.replace('_', '-')}={value}" for name, value in annotations.items()),
        )

    def delete(self, seconds: float = 240.0) -> None:
        """Until it is gone. Raises Refused where that takes longer."""
        self("delete", f"--timeout={seconds:.0f}s")

    def delete_within(self, seconds: float) -> bool:
        """Until it is gone, which may take longer."""
        began = time.monotonic()
        self.delete()
        return time.monotonic() - began < seconds

    def __call__(self, action: str, *options: str) -> str:
        """What kubectl says to the action on it."""
        return self.lab.kubectl(action, f"populatejob/{self.name}", f"--namespace={self.namespace}", *options)

    @property
    def seen(self) -> Object:
        return self.lab.api.get("populatejobs", self.namespace, self.name)

    @property
    def status(self) -> Object:
        return dict(self.seen.get("status", {}))

    def condition(self, name: str) -> Object:
        """Empty where it has none of that type."""
        conditions: Iterable[Object] = self.status.get("conditions", [])
        return next((condition for condition in conditions if condition["type"] == name), {})

    def until(self, seconds: float = PATIENCE, **status: Any) -> None:
        """Until the status has these fields."""
        wait_until(lambda: self._has(status), f"{self.name} with {status}", seconds)

    def until_condition(self, name: str, status: str, reason: str, seconds: float = PATIENCE) -> Object:
        """The condition, once it is so."""
        wanted = {"status": status, "reason": reason}
        wait_until(lambda: wanted.items() <= self.condition(name).items(), f"{self.name} {name} {wanted}", seconds)
        return self.condition(name)

    def until_settled(self) -> None:
        """Until the status is about the spec as it is."""
        wait_until(lambda: self._is_observed(), f"{self.name} observed")

    def workers(self) -> dict[str, Object]:
        """Its worker pods that were not told to end, by name."""
        owned = f"datajoint.io/populatejob={self.name},datajoint.io/component=worker"
        found = self.lab.api.every("pods", self.namespace, owned)
        return {pod["metadata"]["name"]: pod for pod in found if "deletionTimestamp" not in pod["metadata"]}

    def until_workers(self, are: Callable[[dict[str, Object]], bool], what: str) -> None:
        wait_until(lambda: are(self.workers()), f"{self.name} {what}")

    def events(self) -> set[str]:
        """Reasons of the events about it."""
        found = self.lab.api.every("events", self.namespace)
        return {event["reason"] for event in found if event.get("regarding", {}).get("name") == self.name}

    def _has(self, wanted: Mapping[str, Any]) -> bool:
        return wanted.items() <= self.status.items()

    def _is_observed(self) -> bool:
        seen = self.seen
        return bool(seen["status"]["observedGeneration"] == seen["metadata"]["generation"])


def declare(server: Server, schema: str) -> None:
    """The pipeline's tables, and the queue of the one that is made."""
    instance = datajoint(server)
    found = importlib.util.spec_from_file_location(f"lab_{schema}", PIPELINE)
    assert found
    assert found.loader
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    module.schema.activate(schema, connection=instance.connection)
    assert module.Made().jobs.primary_key == ["item"]  # looking declares it
    instance.connection.close()


def describe(kubectl: Kubectl, namespace: str) -> str:
    """What a failed test is explained by."""
    here = f"--namespace={namespace}"
    told = [kubectl("get", "populatejobs,deployments,jobs,pods", here, "--output=wide")]
    told += [kubectl("get", "populatejobs", here, "--output=yaml")]
    told += [kubectl("get", "events", here, "--sort-by=.metadata.creationTimestamp")]
    told += [kubectl("logs", here, "--selector=datajoint.io/component=worker", "--tail=30", "--prefix")]
    return "\n".join(told)
