"""The repositories to begin from: what they would apply is taken, and what they point at is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from populate_operator.manifest import load

from tests.documentation.blocks import ROOT
from tests.documentation.objects import CHART, values

GITOPS = ROOT / "examples" / "gitops"
PIPELINES = sorted(GITOPS.glob("*/pipeline/**/*.yaml"))


def documents(*kinds: str) -> Iterator[dict[str, Any]]:
    for file in sorted(GITOPS.rglob("*.yaml")):
        found = yaml.safe_load_all(file.read_text())
        yield from (document for document in found if document.get("kind") in kinds)


def names(pattern: str) -> set[str]:
    return {job.name for file in GITOPS.glob(pattern) for job in load(file).jobs}


@pytest.mark.parametrize("file", PIPELINES, ids=lambda file: str(file.relative_to(GITOPS)))
def test_a_populate_job_of_theirs_is_taken(file: Path) -> None:
    (job,) = load(file).jobs
    hook = "argocd.argoproj.io/hook" in job.annotations
    assert hook == (job.spec.ttl_seconds_after_finished is not None), "a TTL is for hooks, and they are kept with one"
    assert not hook or job.spec.mode == "Once"


def test_both_populate_the_demo_pipeline() -> None:
    whole = {job.name for job in load(ROOT / "examples" / "cardio" / "populate.yaml").jobs}
    assert names("argocd/pipeline/*.yaml") == names("flux/pipeline/*/*.yaml") == whole


def test_one_is_a_step_and_one_a_hook() -> None:
    jobs = {job.name: job for file in GITOPS.glob("argocd/pipeline/*.yaml") for job in load(file).jobs}
    wave = "argocd.argoproj.io/sync-wave"
    assert jobs["trace"].spec.mode == "Once"
    assert int(jobs["trace"].annotations[wave]) < int(jobs["heart-rate"].annotations[wave])
    assert jobs["summary"].annotations["argocd.argoproj.io/hook"] == "PostSync"


def test_what_they_point_at_is_there() -> None:
    applications = {found["metadata"]["name"]: found["spec"] for found in documents("Application")}
    assert (ROOT / applications["cardio"]["source"]["path"]).samefile(GITOPS / "argocd" / "pipeline")
    assert not any("ignoreDifferences" in spec for spec in applications.values())
    kustomizations = {found["metadata"]["name"]: found["spec"] for found in documents("Kustomization")}
    applied = {(ROOT / spec["path"]).resolve() for spec in kustomizations.values()}
    assert applied == {GITOPS / "flux" / "operator", *(file.parent for file in PIPELINES if "flux" in file.parts)}
    before = [other["name"] for spec in kustomizations.values() for other in spec.get("dependsOn", [])]
    assert [*before, "cardio-summary"] == list(kustomizations)
    assert all(spec["wait"] for spec in kustomizations.values())


def test_they_install_the_chart_there_is_with_values_that_it_knows() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    (application,) = (found for found in documents("Application") if "chart" in found["spec"]["source"])
    (release,), (repository,) = documents("HelmRelease"), documents("OCIRepository")
    source = application["spec"]["source"]
    assert (source["chart"], source["targetRevision"]) == (chart["name"], chart["version"])
    assert repository["spec"]["url"].endswith(f"/{chart['name']}")
    assert repository["spec"]["ref"]["tag"] == chart["version"]
    for given in source["helm"]["valuesObject"], release["spec"]["values"]:
        assert list(values(given)) == []
