"""The demo with an operator as the chart has it by default: for the whole cluster."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.servers import Server, keep
from tests.servers.host import wait_until

from . import Cluster, Kubectl, databases, images
from .conftest import Install
from .installation import create_namespace
from .test_resource import DEMO

WINDOWS, FAILING = 404, 28
LAST = {
    "trace": ("Complete", 3, 3),
    "heart-rate": ("KeysFailed", WINDOWS - FAILING, WINDOWS),
    "summary": ("Complete", 3, 3),
}
"""Reason of Ready, keys made and keys that there are, in the end."""
ORDER = ["", "Resolving", "Refreshing", "WaitingForUpstream", "Populating", "Complete", "KeysFailed"]
"""Reasons of Ready, in the order in which a PopulateJob of mode Once may come by them; between the two in the middle it
may go to and fro."""
LINE = '{.metadata.name} {.status.conditions[?(@.type=="Ready")].reason} {.status.done} {.status.total}{"\\n"}'


class Demo:
    """The demo's manifest in a namespace of its own, with a schema of its own, watched from the start."""

    def __init__(self, kubectl: Kubectl, server: Server, folder: Path) -> None:
        self.server = server
        self.namespace = f"cardio-{uuid.uuid4().hex[:8]}"
        self.schema = self.namespace.replace("-", "_")
        self._kubectl = kubectl
        self._output = folder / server.name
        create_namespace(kubectl, self.namespace)
        self("apply", "--filename=-", stdin=yaml.safe_dump(databases.secret(server)))
        with self._output.open("w") as output:
            self._watch = kubectl.start("get", "pj", "--watch", f"--output=jsonpath={LINE}", self._here, output=output)
        self("apply", "--filename=-", stdin=self._manifest())

    def __call__(self, *arguments: str, stdin: str | None = None) -> str:
        return self._kubectl(*arguments, self._here, stdin=stdin)

    def until_over(self) -> None:
        self("wait", "pj/trace", "pj/summary", "--for=condition=Complete", "--timeout=240s")
        self("wait", "pj/heart-rate", "--for=condition=Failed", "--timeout=240s")
        self("wait", "pod", "--all", "--for=delete", "--timeout=240s")

    def history(self, name: str) -> list[tuple[str, int, int]]:
        """Reason of Ready, keys made and keys that there are, whenever one of them changed."""
        lines = (line.split(" ") for line in self._output.read_text().rpartition("\n")[0].splitlines())
        found = [(reason, int(done or 0), int(total or 0)) for job, reason, done, total in lines if job == name]
        return [now for now, before in zip(found, [None, *found], strict=False) if now != before]

    def until_told(self, last: Mapping[str, tuple[str, int, int]]) -> None:
        """Until that is what was seen of each of these at last."""
        wait_until(lambda: all(self.history(name)[-1:] == [at] for name, at in last.items()), f"{last} seen")

    def count(self, table: str) -> int:
        quote = '"' if self.server.backend == "postgresql" else "`"
        return int(self.server.execute(f"SELECT count(*) FROM {self.schema}.{quote}{table}{quote}")[0][0])

    def close(self) -> None:
        self._watch.terminate()
        self._watch.wait()
        self._kubectl("delete", "namespace", self.namespace, "--timeout=240s")
        cascade = " CASCADE" if self.server.backend == "postgresql" else ""
        self.server.execute(f"DROP SCHEMA IF EXISTS {self.schema}{cascade}")

    def _manifest(self) -> str:
        own = {"name": "worker", "env": [{"name": "CARDIO_SCHEMA", "value": self.schema}]}
        jobs: list[dict[str, Any]] = list(yaml.safe_load_all(DEMO.read_text()))
        for job in jobs:
            job["spec"]["worker"]["template"] = {"spec": {"containers": [own]}}
        return yaml.safe_dump_all(jobs)

    @property
    def _here(self) -> str:
        return f"--namespace={self.namespace}"


@pytest.fixture
def demos(
    alone: None, kubectl: Kubectl, cluster: Cluster, install: Install, image: Callable[[str], str], tmp_path: Path
) -> Iterator[list[Demo]]:
    """One on each server, side by side."""
    image(images.CARDIO)
    with install():
        demos = [Demo(kubectl, keep(name, cluster.address), tmp_path) for name in databases.NAMES]
        yield demos
        for demo in demos:
            demo.close()


@pytest.mark.alone
def test_the_demo_runs_to_its_end_and_says_how_far_it_is(demos: list[Demo]) -> None:
    for demo in demos:
        demo.until_over()
        assert [demo.count(table) for table in ("_trace", "__heart_rate", "__summary")] == [3, WINDOWS - FAILING, 3]
        assert demo.count("~~heart_rate") == FAILING
        assert [demo.count(table) for table in ("~~trace", "~~summary")] == [0, 0]
        demo.until_told(LAST)
        stages = {name: demo.history(name) for name in LAST}
        for history in stages.values():
            assert_goes_forward(history)
        assert "WaitingForUpstream" in [reason for reason, _, _ in stages["summary"]]


def assert_goes_forward(history: list[tuple[str, int, int]]) -> None:
    ranks = [ORDER.index(reason.replace("WaitingForUpstream", "Populating")) for reason, _, _ in history]
    assert ranks == sorted(ranks)
    assert {"Resolving", "Populating"} <= {reason for reason, _, _ in history}
    made = [done for _, done, _ in history]
    assert made == sorted(made)
    assert all(done <= total for _, done, total in history)
