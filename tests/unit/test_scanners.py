"""What checkov has against the manifests we make, but for what we can give a reason for. Bandit looks at each lint."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CHECKOV = "checkov==3.3.30"
"""In an environment of its own, which uv keeps: it pins what we do not."""

CPU_LIMIT, UID, TOKEN, PULL, DIGEST = "CKV_K8S_11", "CKV_K8S_40", "CKV_K8S_38", "CKV_K8S_15", "CKV_K8S_43"
LIVENESS, READINESS, NETWORK_POLICY = "CKV_K8S_8", "CKV_K8S_9", "CKV2_K8S_6"
CPU_REQUEST, MEMORY_REQUEST, MEMORY_LIMIT = "CKV_K8S_10", "CKV_K8S_12", "CKV_K8S_13"

EXCEPTIONS = {
    CPU_LIMIT: "a limit only slows it down while the node has time to give; memory is limited",
    UID: "the image's user is 65532; where a platform gives out user ids, as OpenShift does, a fixed one is refused",
    TOKEN: "the operator works by the API server, and its check asks it; workers have no token",
    PULL: "tags are versions and are never moved; `image.pullPolicy`, or a digest, for who wants more",
    DIGEST: "`image.digest`; the chart cannot know that of an image that is built after it",
    LIVENESS: "the check of `helm test` runs once and ends",
    READINESS: "the check of `helm test` runs once and ends",
    NETWORK_POLICY: "`networkPolicy.enabled`: who may reach what is known where it is installed",
    CPU_REQUEST: "what make needs is the lab's to know: `spec.worker.template`",
    MEMORY_REQUEST: "what make needs is the lab's to know: `spec.worker.template`",
    MEMORY_LIMIT: "what make needs is the lab's to know: `spec.worker.template`",
}
OPERATOR = {(check, "Deployment") for check in (CPU_LIMIT, UID, TOKEN)}
OF_LAB = (CPU_LIMIT, UID, PULL, DIGEST, CPU_REQUEST, MEMORY_REQUEST, MEMORY_LIMIT)
EXPECTED = {
    "deploy/operator.yaml": OPERATOR | {(PULL, "Deployment"), (DIGEST, "Deployment")},
    "tests/cluster/golden/every-value.yaml": OPERATOR
    | {(check, "Pod") for check in (CPU_LIMIT, UID, TOKEN, LIVENESS, READINESS, NETWORK_POLICY)},
    "tests/unit/golden/deployment.yaml": {(check, "Deployment") for check in OF_LAB} | {(NETWORK_POLICY, "Pod")},
    "tests/unit/golden/resolve.yaml": {(check, "Job") for check in OF_LAB} | {(NETWORK_POLICY, "Pod")},
}


def findings() -> dict[str, set[tuple[str, str]]]:
    """Checks that failed, each with the kind of object, by file."""
    index = {"UV_DEFAULT_INDEX": os.environ["PIP_INDEX_URL"]} if "PIP_INDEX_URL" in os.environ else {}
    checkov = (sys.executable, "-m", "uv", "tool", "run", "--quiet", f"--from={CHECKOV}", "checkov")
    options = ("--skip-download", "--quiet", "--output=json", "--framework=kubernetes", "--file", *EXPECTED)
    done = subprocess.run([*checkov, *options], env={**os.environ, **index}, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    assert report["summary"]["passed"] > 400
    assert not report["summary"]["parsing_errors"]
    found: dict[str, set[tuple[str, str]]] = {file: set() for file in EXPECTED}
    for failed in report["results"]["failed_checks"]:
        found[failed["file_path"].lstrip("/")].add((failed["check_id"], failed["resource"].partition(".")[0]))
    return found


def test_checkov_has_nothing_against_our_manifests_that_we_have_no_reason_for() -> None:
    assert findings() == EXPECTED


def test_no_exception_is_for_nothing() -> None:
    assert {check for those in EXPECTED.values() for check, _ in those} == set(EXCEPTIONS)
