"""python -m tests.cluster.generated: writes anew what is made from definition, chart and metrics."""

import os
import re
from collections.abc import Callable
from pathlib import Path

from tests import metrics

from . import argocd, golang
from .installation import CHART, DEFINITION, ROOT
from .kubectl import Program

GOLDEN = Path(__file__).parent / "golden"
_NAME = "populate-operator"
_HELM_S = re.compile(r"^ +(helm\.sh/chart|app\.kubernetes\.io/managed-by): .*\n", re.MULTILINE)
_HEAD = "# Generated from the chart: `make generate`.\n"


def _definition() -> str:
    """A copy: templates see nothing outside the chart, and Flux leaves out what is a link."""
    return DEFINITION.read_text()


def _readme() -> str:
    helm_docs = Program("helm-docs", Path(os.devnull))
    return helm_docs(f"--chart-search-root={CHART}", "--dry-run", "--log-level=error")


def _manifests() -> str:
    """The chart by its defaults, without the definition, and without what says that Helm has it."""
    return _HEAD + _HELM_S.sub("", render("--set=crds.install=false", "--skip-tests"))


def _every_value() -> str:
    return _HEAD + render(f"--values={GOLDEN / 'values.yaml'}")


def render(*options: str, stdin: str | None = None) -> str:
    """The chart as a release of the operator's name in the namespace of that name. Raises Refused."""
    helm = Program("helm", Path(os.devnull))
    known = f"--kube-version={golang.version()}"
    return helm("template", _NAME, str(CHART), f"--namespace={_NAME}", known, *options, stdin=stdin)


GENERATED: dict[Path, Callable[[], str]] = {
    CHART / "files" / DEFINITION.name: _definition,
    CHART / "README.md": _readme,
    ROOT / "deploy" / "operator.yaml": _manifests,
    GOLDEN / "every-value.yaml": _every_value,
    **argocd.GENERATED,
    metrics.PAGE: metrics.page,
}

if __name__ == "__main__":
    for file, make in GENERATED.items():
        file.write_text(make())
