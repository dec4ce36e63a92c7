"""What the operator serves Prometheus, and what asks for it: alerts, dashboard, documentation."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
from collections.abc import Iterator
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from populate_jobs import DatabaseSettings, PopulateError
from populate_jobs.errors import ResolveRefused
from populate_operator.database.lane import Lane
from populate_operator.database.login import OBSERVING
from populate_operator.kube.api import Cluster
from populate_operator.kube.health import Pulse
from populate_operator.kube.metrics import OTHER, REASONS, Metrics, served
from populate_operator.kube.secrets import Secrets
from prometheus_client import generate_latest

from tests.clock import Clock
from tests.metrics import ALERTS, DASHBOARD, OWNER, PAGE, ROOT, STATUS, alerts, of_operator, of_worker, page, tell
from tests.servers.host import PATIENCE, free_port

NEIGHBOUR = ("lab", "mean-rate")
SCRAPED = {"namespace", "pod", "populatejob"}
"""Labels that scraping adds: where, and of workers whose they are."""


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(Pulse())


def series(metrics: Metrics, *words: str) -> list[str]:
    """Those that have all of these words, with their value."""
    lines = generate_latest(metrics.registry).decode().splitlines()
    return [line for line in lines if not line.startswith("#") and all(word in line for word in words)]


# What is told


def test_series_of_a_deleted_populatejob_go_and_its_neighbours_stay(metrics: Metrics) -> None:
    tell(metrics, OWNER)
    tell(metrics, NEIGHBOUR)
    before = series(metrics, '"mean-rate"')
    assert before
    assert len(series(metrics, '"heart-rate"')) == len(before)
    metrics.forget(OWNER)
    assert series(metrics, '"heart-rate"') == []
    assert series(metrics, '"mean-rate"') == before


def test_what_a_status_does_not_say_yet_has_no_series(metrics: Metrics) -> None:
    unknown = {"workers": {"desired": 1, "ready": 0, "busy": 0}, "conditions": [{"type": "Stalled"}]}
    metrics.planned(OWNER, unknown)
    assert series(metrics, "populate_queue_keys") == []
    assert series(metrics, "populate_stalled") == ['populate_stalled{namespace="lab",populatejob="heart-rate"} 1.0']
    metrics.planned(OWNER, {**unknown, "pending": 7, "conditions": []})
    assert [line.split()[-1] for line in series(metrics, "populate_queue_keys")] == ["7.0"]
    assert series(metrics, "populate_stalled") == ['populate_stalled{namespace="lab",populatejob="heart-rate"} 0.0']


def test_answers_to_resolve_are_counted_from_zero_so_that_the_first_is_an_increase(metrics: Metrics) -> None:
    metrics.planned(OWNER, STATUS)
    where = 'populate_resolves_total{namespace="lab",outcome="%s",populatejob="heart-rate"} %s'
    assert series(metrics, "populate_resolves_total{") == [where % ("answered", "0.0"), where % ("refused", "0.0")]
    metrics.not_resolved(OWNER, ResolveRefused("ImportFailed", "no module cardio"))
    metrics.resolved(OWNER)
    metrics.resolved(OWNER)
    assert series(metrics, "populate_resolves_total{") == [where % ("answered", "2.0"), where % ("refused", "1.0")]


def test_a_reason_that_an_image_made_up_is_no_series_of_its_own(metrics: Metrics) -> None:
    for reason in ("ImportFailed", "Whim1", "Whim2"):
        metrics.not_resolved(OWNER, ResolveRefused(reason, "so it says"))
    counted = {line.partition('reason="')[2] for line in series(metrics, "populate_resolve_failures_total{")}
    assert counted == {'ImportFailed"} 1.0', f'{OTHER}"}} 2.0'}


def test_every_reason_that_the_sources_have_is_known() -> None:
    worker, operator = ROOT / "worker", ROOT / "operator" / "populate_operator" / "kube"
    sources = "\n".join(file.read_text() for folder in (worker, operator) for file in folder.rglob("*.py"))
    found = set(re.findall(r'(?:ResolveRefused|_refused)\(\s*"(\w+)"|database_reason\(error\) or "(\w+)"', sources))
    assert len(found) > 10
    assert {reason for pair in found for reason in pair if reason} - REASONS == set()


# Databases


class Kept(Cluster):
    """A FAKE API server: it has one Secret, for a port at which nobody listens."""

    def __init__(self) -> None:
        self._data = {"host": "127.0.0.1", "user": "me", "password": "secret", "port": str(free_port())}

    async def find(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        if name != "datajoint":
            return None
        return {"data": {key: base64.b64encode(value.encode()).decode() for key, value in self._data.items()}}


async def told(secrets: Secrets, metrics: Metrics, name: str) -> list[str]:
    """What is told of the database of that Secret, once anything is."""
    deadline = time.monotonic() + PATIENCE
    while not (found := series(metrics, "populate_database_up", f'"{name}"')):
        assert time.monotonic() < deadline, "nothing was told"
        login = secrets.login("lab", name)
        if not isinstance(login, PopulateError | None):
            login.observe.submit(lambda connection: None)
        await asyncio.sleep(0.01)
        secrets.collect()
    return found


def test_a_database_that_does_not_answer_and_a_secret_that_is_missing_are_down_until_nobody_names_them(
    metrics: Metrics,
) -> None:
    async def scenario() -> None:
        secrets = Secrets(Kept(), lambda: None, lambda *_: None, metrics)
        for name in ("datajoint", "forgotten"):
            down = f'populate_database_up{{namespace="lab",secret="{name}"}} 0.0'
            assert await told(secrets, metrics, name) == [down]
        secrets.keep_only({("lab", "datajoint")}, ())
        assert len(series(metrics, "populate_database_up{")) == 1
        secrets.keep_only((), ())
        assert series(metrics, "populate_database_up{") == []

    asyncio.run(scenario())


def test_it_is_not_said_that_a_database_is_down_before_it_was_asked() -> None:
    lane = Lane(DatabaseSettings("127.0.0.1", "me", "secret", port=free_port()), "test", OBSERVING)
    assert lane.is_up is None
    with pytest.raises(PopulateError):
        lane.submit(lambda connection: None).result(PATIENCE)
    assert lane.is_up is False
    lane.close()


# How it is served


def test_it_is_served_also_while_the_loop_hangs() -> None:
    clock = Clock(0.0)
    metrics = Metrics(Pulse(clock.monotonic))
    clock.now = 1000.0
    port = free_port()
    with served(("127.0.0.1", port), metrics), urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE) as answer:
        lines = answer.read().decode().splitlines()
    (turned,) = (line for line in lines if line.startswith("populate_operator_last_turn_timestamp_seconds "))
    assert time.time() - float(turned.split()[-1]) == pytest.approx(1000, abs=60)
    with pytest.raises(URLError):
        urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE)


def test_a_port_that_is_taken_is_told(metrics: Metrics) -> None:
    address = ("127.0.0.1", free_port())
    told = f"cannot be served at 127.0.0.1:{address[1]}"
    with served(address, metrics), pytest.raises(PopulateError, match=told), served(address, metrics):
        pass


# Who asks for it


def asked() -> Iterator[tuple[str, str]]:
    """Where, and an expression: of alerts, panels and variables."""
    for alert in alerts():
        yield alert["alert"], alert["expr"]
    dashboard = json.loads(DASHBOARD.read_text())
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], variable["query"]["query"]


def test_alerts_and_dashboard_ask_for_what_is_served_by_the_labels_it_has() -> None:
    known = {name: {*metric.labels} for metric in (*of_operator(), *of_worker()) for name in metric.series}
    served = {name: {*labels, *SCRAPED} for name, labels in known.items()}
    names = 0
    for where, expression in asked():
        for name, braces in re.findall(r"\b(populate_\w+)(\{[^}]*\})?", expression):
            names += 1
            assert name in served, f"{where}: nobody serves {name}"
            labels = set(re.findall(r"(\w+)(?:=~|!~|!=|=)\"", braces))
            assert labels <= served[name], f"{where}: {name} has no {labels - served[name]}"
    assert names > 30


def test_every_label_that_is_grouped_by_is_one_of_what_is_asked_for() -> None:
    known = {name: {*metric.labels} for metric in (*of_operator(), *of_worker()) for name in metric.series}
    for where, expression in asked():
        there = set().union(*(known[name] for name in re.findall(r"\b(populate_\w+)", expression)), SCRAPED, {"le"})
        grouped = {label for labels in re.findall(r"\bby \(([^)]*)\)", expression) for label in labels.split(", ")}
        assert grouped <= there, f"{where}: nothing has {grouped - there}"


def test_the_page_describes_what_is_served() -> None:
    assert PAGE.read_text() == page(), "run `make generate` and commit what it changes"


def test_no_two_alerts_have_one_name() -> None:
    names = [alert["alert"] for alert in alerts()]
    assert len(set(names)) == len(names) == ALERTS.read_text().count("- alert:")
