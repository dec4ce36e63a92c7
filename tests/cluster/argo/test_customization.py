"""The settings for Argo CD, taken by its own command line: no cluster."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.argocd import CUSTOMIZATION, FOLDER

from .server import run

TESTS: list[dict[str, Any]] = yaml.safe_load((CUSTOMIZATION / "health_test.yaml").read_text())["tests"]
ACTIONS: dict[str, list[dict[str, Any]]] = yaml.safe_load((CUSTOMIZATION / "actions" / "action_test.yaml").read_text())


def overrides(word: str, file: Path, *more: str) -> str:
    """What Argo CD says with these settings."""
    settings = f"--argocd-cm-path={FOLDER / 'argocd-cm.yaml'}"
    return run("admin", "settings", "resource-overrides", word, str(file), *more, settings)


@pytest.mark.parametrize("test", TESTS, ids=lambda test: test["inputPath"])
def test_the_health_is_as_in_the_test_files(test: dict[str, Any]) -> None:
    health = test["healthStatus"]
    said = overrides("health", CUSTOMIZATION / test["inputPath"])
    assert said == f"STATUS: {health['status']}\nMESSAGE: {health['message']}\n"


@pytest.mark.parametrize("test", ACTIONS["discoveryTests"], ids=lambda test: test["inputPath"])
def test_the_actions_are_as_in_the_test_files(test: dict[str, Any]) -> None:
    said = overrides("list-actions", CUSTOMIZATION / "actions" / test["inputPath"])
    found = dict(re.findall(r"^(\S+)\s+(true|false)$", said, re.MULTILINE))
    assert found == {action["name"]: str(action["disabled"]).lower() for action in test["result"]}
