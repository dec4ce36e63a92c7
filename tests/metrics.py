"""What the operator and a worker serve Prometheus, all of it told once: for tests, and for the page that lists it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from populate_jobs import Counts, Progress
from populate_jobs.errors import ResolveRefused
from populate_operator.database import tasks
from populate_operator.kube.health import Pulse
from populate_operator.kube.metrics import STATUSES, Metrics
from populate_operator.kube.store import Owner
from populate_operator.plan import Refresh
from populate_worker.supervisor.metrics import Metrics as WorkerMetrics
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "metrics.md"
ALERTS = ROOT / "charts" / "populate-operator" / "files" / "alerts.yaml"
DASHBOARD = ALERTS.with_name("dashboard.json")
OWNER: Owner = ("lab", "heart-rate")
STATUS = {**dict.fromkeys(STATUSES, 1), "workers": {"desired": 3, "ready": 2, "busy": 1}, "conditions": []}
_OF_A_BUCKET = "le"


@dataclass(frozen=True)
class Metric:
    name: str
    """Of a counter with `_total`."""
    type: str
    meaning: str
    series: frozenset[str]
    """Names that a query may have."""
    labels: tuple[str, ...]


def of_operator() -> list[Metric]:
    return list(_read(operator_text()))


def of_worker() -> list[Metric]:
    return list(_read(WorkerMetrics().text().decode()))


def operator_text() -> str:
    """As it is served when all was told once."""
    metrics = Metrics(Pulse())
    tell(metrics, OWNER)
    return generate_latest(metrics.registry).decode()


def tell(metrics: Metrics, owner: Owner) -> None:
    """All that there is to tell of a PopulateJob, and of its database."""
    now = tasks.now()
    metrics.leads()
    metrics.fault()
    metrics.database(owner[0], "datajoint", True)
    metrics.planned(owner, STATUS)
    metrics.refreshed(owner, Refresh(now, now, 5, Progress(9, 4), Counts(), 0.25))
    metrics.resolved(owner)
    metrics.not_resolved(owner, ResolveRefused("ImportFailed", "no module cardio"))
    metrics.wrote_status(owner)


def page() -> str:
    """The page as it should be: its tables are of what is served, and of the alerts there are."""
    text = PAGE.read_text()
    tables = {"operator": _metrics(of_operator()), "worker": _metrics(of_worker()), "alerts": _alerts()}
    for marker, lines in tables.items():
        table = "".join(f"{line}\n" for line in lines)
        text, found = re.subn(rf"(<!-- {marker} -->\n).*?(?=<!-- end -->)", rf"\g<1>{table}", text, flags=re.DOTALL)
        assert found == 1, f"no place for the table {marker} in {PAGE.name}"
    return text


def alerts() -> list[dict[str, Any]]:
    """As Prometheus is given them."""
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def _metrics(metrics: list[Metric]) -> Iterator[str]:
    yield "| metric | type | labels | |"
    yield "|---|---|---|---|"
    for metric in metrics:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        yield f"| `{metric.name}` | {metric.type} | {labels} | {metric.meaning} |"


def _alerts() -> Iterator[str]:
    yield "| alert | severity | after | |"
    yield "|---|---|---|---|"
    for alert in alerts():
        said = "{summary} {description}".format(**alert["annotations"])
        plain = re.sub(r"{{ \$labels\.(\w+) }}", lambda label: label[1].upper(), said)
        yield f"| {alert['alert']} | {alert['labels']['severity']} | {alert.get('for', 'at once')} | {plain} |"


def _read(text: str) -> Iterator[Metric]:
    for family in text_string_to_metric_families(text):
        assert family.samples, f"nothing was told of {family.name}"
        labels = dict.fromkeys(label for sample in family.samples for label in sample.labels)
        labels.pop(_OF_A_BUCKET, None)
        series = frozenset(sample.name for sample in family.samples)
        name = f"{family.name}_total" if family.type == "counter" else family.name
        yield Metric(name, family.type, family.documentation, series, tuple(labels))
