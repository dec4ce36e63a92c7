"""The dashboard's panels, answered by Prometheus' own promtool from what operator and workers serve."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.metrics import DASHBOARD

from .kubectl import Program

WINDOW = "5m"
"""What $__rate_interval is."""
HELD = 3
"""Minutes for which the last scrape is repeated."""


class Scraped(NamedTuple):
    text: str
    target: Mapping[str, str]
    """Labels that the scrape gives; those of the text take precedence, as with honorLabels."""


def asked() -> list[str]:
    """Every expression of the dashboard, for all namespaces and PopulateJobs."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    every = (target["expr"] for panel in panels for target in panel["targets"])
    return [re.sub(r"\$\w+", ".*", expression.replace("$__rate_interval", WINDOW)) for expression in every]


def judge(promtool: Program, folder: Path, *rounds: Sequence[Scraped]) -> None:
    """Raises Refused, which names it, where an expression has no number for an answer; rounds are a minute apart."""
    at = f"{len(rounds) - 1 + HELD}m"
    one = [{"labels": "{}", "value": 1}]
    tests = [{"expr": has_a_number(expression), "eval_time": at, "exp_samples": one} for expression in asked()]
    inputs = [{"series": name, "values": " ".join(values)} for name, values in _series(rounds).items()]
    test = {"interval": "1m", "input_series": inputs, "promql_expr_test": tests}
    (folder / "panels.yaml").write_text(yaml.safe_dump({"rule_files": [], "tests": [test]}))
    promtool("test", "rules", str(folder / "panels.yaml"))


def has_a_number(expression: str) -> str:
    """1 where it has; a comparison leaves out what is not a number, such as the quantile of nothing."""
    return f"count(({expression}) >= 0) > bool 0"


def _series(rounds: Sequence[Sequence[Scraped]]) -> dict[str, list[str]]:
    """Values by series, one for each minute, `_` where it has none."""
    found: dict[str, list[str]] = {}
    for minute, scrapes in enumerate(rounds):
        for name, value in (sample for scraped in scrapes for sample in _samples(scraped)):
            found.setdefault(name, ["_"] * minute).append(value)
        for values in found.values():
            values += ["_"] * (minute + 1 - len(values))
    return {name: [*values, *[values[-1]] * HELD] for name, values in found.items()}


def _samples(scraped: Scraped) -> Iterator[tuple[str, str]]:
    for family in text_string_to_metric_families(scraped.text):
        for sample in family.samples:
            labels = {**scraped.target, **sample.labels}
            inside = ", ".join(f"{label}={json.dumps(value)}" for label, value in sorted(labels.items()))
            yield f"{sample.name}{{{inside}}}", str(sample.value)
