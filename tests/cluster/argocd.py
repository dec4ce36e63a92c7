"""Argo CD's resource customization of PopulateJob: what is generated from and for it, and a judge that runs it."""

from __future__ import annotations

import json
import subprocess
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.unit.states import STATES, UNSEEN, State, manifest, populate_job

from . import golang
from .installation import ROOT

Object = dict[str, Any]
FOLDER = ROOT / "examples" / "gitops" / "argocd"
CUSTOMIZATION = FOLDER / "resource_customizations" / "datajoint.io" / "PopulateJob"
HEALTH = CUSTOMIZATION / "health.lua"
DISCOVERY = CUSTOMIZATION / "actions" / "discovery.lua"
ACTIONS = {script.parent.name: script for script in sorted(CUSTOMIZATION.glob("actions/*/action.lua"))}

_CONFIG_MAP = """\
# Generated from resource_customizations: `make generate`. It is laid over the ConfigMap that Argo CD has:
# kubectl patch configmap argocd-cm --namespace argocd --patch-file argocd-cm.yaml
apiVersion: v1
kind: ConfigMap
metadata:
  name: argocd-cm
data:
"""


def health(*objects: Object) -> list[Object]:
    """`status` and `message` of each."""
    return run(HEALTH, objects)


def run(script: Path, objects: Sequence[Object]) -> list[Object]:
    """What it returns for each object."""
    return _judge("lua", str(script), objects=objects)


def kstatus(*objects: Object) -> list[Object]:
    """`status` and `message` of each."""
    return _judge("kstatus", objects=objects)


def _judge(*arguments: str, objects: Sequence[Object]) -> list[Object]:
    program = [str(golang.program("judge")), *arguments]
    done = subprocess.run(program, input=json.dumps(objects), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    answers: list[Object] = json.loads(done.stdout)
    return answers


def _config_map() -> str:
    definitions = "".join(f"- name: {name}\n{_block('  action.lua', script)}" for name, script in ACTIONS.items())
    actions = _block("discovery.lua", DISCOVERY) + "definitions:\n" + definitions
    key = "resource.customizations.{}.datajoint.io_PopulateJob: |\n"
    data = key.format("health") + _indented(HEALTH.read_text(), 2) + key.format("actions") + _indented(actions, 2)
    return _CONFIG_MAP + _indented(data, 2)


def _block(key: str, script: Path) -> str:
    """The key with the script as its value."""
    return f"{key}: |\n" + _indented(script.read_text(), key.count(" ") + 2)


def _indented(text: str, width: int) -> str:
    return textwrap.indent(text, width * " ")


def _unseen() -> Object:
    return {**manifest(State().spec), "status": UNSEEN}


def _edited() -> Object:
    return populate_job(STATES["up-to-date"], generation=2)


def _retry_asked() -> Object:
    failed = populate_job(STATES["once-failed"])
    annotations = {"annotations": {"datajoint.io/retry-errors": "1.5"}}
    answered = {"lastHandledRetryErrors": "1.4"}
    return {**failed, "metadata": failed["metadata"] | annotations, "status": failed["status"] | answered}


def _testdata() -> dict[Path, Callable[[], str]]:
    objects: dict[str, Callable[[], Object]] = {"unseen": _unseen, "edited": _edited, "retry-asked": _retry_asked}
    for name, state in STATES.items():
        objects[name] = lambda state=state: populate_job(state)  # type: ignore[misc]
    folder = CUSTOMIZATION / "testdata"
    return {
        folder / f"{name}.yaml": lambda make=make: yaml.safe_dump(make(), sort_keys=False)  # type: ignore[misc]
        for name, make in objects.items()
    }


GENERATED: dict[Path, Callable[[], str]] = {FOLDER / "argocd-cm.yaml": _config_map, **_testdata()}
