"""What the operator serves Prometheus of PopulateJobs that run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.metrics import of_operator
from tests.servers.host import wait_until

from .conftest import one_engine
from .installation import Installation
from .lab import Applied, Lab

ANSWERS = ("answered", "refused")


class Scraped:
    """Samples of one scrape."""

    def __init__(self, operator: Installation) -> None:
        families = text_string_to_metric_families(operator.metrics())
        self._samples = [sample for family in families for sample in family.samples]

    def value(self, name: str, **labels: str) -> float | None:
        found = [sample.value for sample in self._with(labels) if sample.name == name]
        return sum(found) if found else None

    def names(self, **labels: str) -> set[str]:
        """Of all series with these labels."""
        return {sample.name for sample in self._with(labels)}

    def _with(self, labels: Mapping[str, str]) -> Iterator[Sample]:
        return (sample for sample in self._samples if labels.items() <= sample.labels.items())


def labels(job: Applied) -> dict[str, str]:
    return {"namespace": job.namespace, "populatejob": job.name}


def until(operator: Installation, job: Applied, **wanted: float) -> Scraped:
    """What is served, once that is so many keys of each status."""
    found: list[Scraped] = []

    def has() -> bool:
        found.append(Scraped(operator))
        counted = {status: found[-1].value("populate_queue_keys", status=status, **labels(job)) for status in wanted}
        return counted == wanted

    wait_until(has, f"{job.name} served with {wanted}")
    return found[-1]


def workers(operator: Installation, job: Applied) -> dict[str, float | None]:
    scraped = Scraped(operator)
    return {state: scraped.value(f"populate_workers_{state}", **labels(job)) for state in ("desired", "ready", "busy")}


@one_engine
def test_what_is_served_follows_a_populatejob_until_it_is_gone(lab: Lab, operator: Installation) -> None:
    lab.add("wait", "wait", "wait")
    job = lab.apply()
    until(operator, job, reserved=1, pending=2, done=0, error=0)
    wait_until(lambda: workers(operator, job) == {"desired": 1, "ready": 1, "busy": 1}, "its worker served")
    scraped = Scraped(operator)
    assert scraped.value("populate_refresh_added_keys_total", **labels(job)) == 3
    assert scraped.value("populate_database_up", namespace=job.namespace, secret=f"login-{lab.id}") == 1
    assert scraped.value("populate_operator_leading") == 1
    (begun,) = lab.started()
    failing, good = {1, 2, 3} - {begun}
    lab.change(failing, "fail")
    lab.let(begun, good)
    until(operator, job, reserved=0, pending=0, done=2, error=1)
    job.delete()
    wait_until(lambda: not Scraped(operator).names(**labels(job)), "nothing served of what is gone")


@one_engine
def test_all_that_is_documented_is_served_and_tells_what_is_broken(lab: Lab, operator: Installation) -> None:
    lab.add("insert")
    good = lab.apply()
    broken = lab.apply("broken", worker={"template": lab.template(LAB_BROKEN="no such library")})
    wait_until(lambda: Scraped(operator).value("populate_stalled", **labels(broken)) == 1, "that one is stalled served")
    scraped = until(operator, good, pending=0, done=1)
    assert scraped.value("populate_stalled", **labels(good)) == 0
    # It is asked again now and then.
    assert (scraped.value("populate_resolve_failures_total", reason="ImportFailed", **labels(broken)) or 0) >= 1
    assert (scraped.value("populate_resolves_total", outcome="refused", **labels(broken)) or 0) >= 1
    answers = {answer: scraped.value("populate_resolves_total", outcome=answer, **labels(good)) for answer in ANSWERS}
    assert answers == {"answered": 1, "refused": 0}
    documented = {name for metric in of_operator() for name in metric.series}
    assert scraped.names() & documented == documented
