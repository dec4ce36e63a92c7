"""docs/troubleshooting.md has an entry for every reason of a condition or an event that the code can write."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from populate_jobs import errors
from populate_jobs.errors import PopulateError, ResolveRefused

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "troubleshooting.md"
FOLDERS = ("operator/populate_operator", "worker/populate_worker")
TELLING = {"Condition", "Event", "Obstacle", "Problem", "ResolveRefused", "_problem", "_refused"}
"""What is called with a reason."""
WORD = re.compile(r"[A-Z][a-z]+(?:[A-Z][A-Za-z]*)?")
CONDITIONS = {"DatabaseReachable", "Failed", "ForeignReservations", "JobsFailing", "Ready", "Reconciling", "Stalled"}
"""Types of conditions that are not reasons as well."""
OTHERS = {
    *("ConfigMap", "Deployment", "Event", "Job", "Lease", "List", "Namespace", "Pod", "PopulateJob", "Secret"),
    *("Error", "False", "Never", "Normal", "Succeeded", "True", "Unknown", "Warning"),
    *("Continuous", "Ignore", "Once", "RemovePending", "Retain"),
    *("Part", "Reconcile"),
}
"""Words of the same form that are something else: kinds, phases and levels, values of fields, classes."""
KUBERNETES = re.compile(
    ".*BackOff|CreateContainer.*|RunContainerError|DeadlineExceeded|ErrImage.*|InvalidImageName|RegistryUnavailable"
    "|Completed|ContainerCannotRun|StartError|PodReadyToStartContainers|PodScheduled|ReplicaFailure"
)
"""Reasons and conditions of its own that we read."""


def entries() -> set[str]:
    return set(re.findall(r"^### (\w+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE))


def conditions_told() -> set[str]:
    return set(re.findall(r"^\| `(\w+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))


def modules() -> Iterator[ast.Module]:
    for folder in FOLDERS:
        for file in sorted((ROOT / folder).rglob("*.py")):
            yield ast.parse(file.read_text(encoding="utf-8"))


def telling(module: ast.Module) -> bool:
    """Whether anything in it tells a reason, or names one for others to tell."""
    names = {node.id for node in ast.walk(module) if isinstance(node, ast.Name)}
    return bool(names & TELLING) or "_REASONS" in names or "REASON" in names


def words(module: ast.Module) -> set[str]:
    """Texts in it that could be a reason."""
    exported = {id(item) for node in ast.walk(module) if is_export(node) for item in ast.walk(node)}
    texts = (node for node in ast.walk(module) if isinstance(node, ast.Constant) and id(node) not in exported)
    return {node.value for node in texts if isinstance(node.value, str) and WORD.fullmatch(node.value)}


def is_export(node: ast.AST) -> bool:
    return isinstance(node, ast.Assign) and any(isinstance(to, ast.Name) and to.id == "__all__" for to in node.targets)


def told() -> set[str]:
    found = set().union(*(words(module) for module in modules() if telling(module)))
    return {word for word in found - OTHERS - CONDITIONS if not KUBERNETES.fullmatch(word)}


def conditions_written() -> set[str]:
    """First arguments of Condition(...)."""
    calls = (node for module in modules() for node in ast.walk(module) if isinstance(node, ast.Call))
    ours = (call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "Condition")
    firsts = (item for call in ours for item in ast.walk(call.args[0]))
    return {item.value for item in firsts if isinstance(item, ast.Constant) and isinstance(item.value, str)}


def errors_of_resolve() -> set[str]:
    """Resolve tells an error that brings no reason by its name, but for those that it has another word for."""
    every = (found for found in vars(errors).values() if isinstance(found, type) and issubclass(found, PopulateError))
    return {found.__name__ for found in every} - {ResolveRefused.__name__, "SettingsError"}


def test_every_reason_has_an_entry() -> None:
    assert (told() | errors_of_resolve()) - entries() == set()


def test_every_entry_is_of_a_reason() -> None:
    assert entries() - told() - errors_of_resolve() == set()


def test_every_condition_is_told() -> None:
    outcomes = {"Complete", "Failed"}
    assert conditions_written() | outcomes == conditions_told()
