"""Manifests as the API server would judge them: by the project's reader, the chart's schema, the client's models."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import yaml
from kubernetes import client
from populate_operator.manifest import ManifestError, load
from populate_operator.manifest.crd import definition

from .blocks import ROOT

CHART = ROOT / "charts" / "populate-operator"
OURS = {"PopulateJob", "Secret"}
FOREIGN = {
    "argoproj.io",
    "kustomize.toolkit.fluxcd.io",
    "source.toolkit.fluxcd.io",
    "helm.toolkit.fluxcd.io",
    "kustomize.config.k8s.io",
}
"""API groups whose definitions are not here: these must be whole objects, no more is known of them."""
PLAIN: dict[str, type | tuple[type, ...]] = {
    "bool": bool, "bytes": str, "datetime": str, "float": (int, float), "int": int, "object": object, "str": str,
}  # fmt: skip
SPEC = {"table": "cardio.HeartRate", "worker": {"image": "registry.example/cardio:1.0"}}


def judge(text: str, title: str, folder: Path) -> Iterator[str]:
    """What is wrong with a YAML block: values of the chart, a part of a PopulateJob, or whole objects."""
    documents = [document for document in yaml.safe_load_all(text) if document is not None]
    for document in documents:
        if title.endswith("values.yaml"):
            yield from values(document)
        elif set(document) == {"spec"}:
            whole = {"apiVersion": "datajoint.io/v1alpha1", "kind": "PopulateJob", "metadata": {"name": "part"}}
            yield from _ours(yaml.safe_dump({**whole, "spec": overlaid(SPEC, document["spec"])}), folder)
            yield from template(document["spec"])
        elif not {"apiVersion", "kind"} <= set(document):
            yield f"neither an object nor `spec:` alone nor a values.yaml: {', '.join(document)}"
        else:
            yield from _object(document)
    if any(document.get("kind") == "PopulateJob" for document in documents):
        yield from _ours(text, folder)


def spec_fields() -> set[str]:
    return set(definition().schema["properties"]["spec"]["properties"])


def values(given: Mapping[str, Any]) -> Iterator[str]:
    """Over the chart's own, by its schema."""
    schema = yaml.safe_load((CHART / "values.schema.json").read_text())
    whole = overlaid(yaml.safe_load((CHART / "values.yaml").read_text()), given)
    for error in jsonschema.Draft7Validator(schema).iter_errors(whole):
        yield f"values: {error.json_path}: {error.message}"


def template(spec: Mapping[str, Any]) -> Iterator[str]:
    """The definition leaves the pod template to the API server, who refuses it later."""
    found = spec.get("worker", {}).get("template")
    yield from misfits(found, "V1PodTemplateSpec", "template") if found else ()


def misfits(value: Any, type_name: str, path: str) -> Iterator[str]:
    """Fields that the Kubernetes client's models do not know, and values of another type."""
    if inner := re.fullmatch(r"List\[(.+)\]", type_name):
        for index, item in enumerate(value if isinstance(value, list) else []):
            yield from misfits(item, inner[1], f"{path}[{index}]")
        yield from [] if isinstance(value, list) else [f"{path} must be a list"]
    elif inner := re.fullmatch(r"Dict\[str, (.+)\]", type_name):
        for name, item in value.items():
            yield from misfits(item, inner[1], f"{path}.{name}")
    elif type_name in PLAIN:
        quantity = ".limits." in path or ".requests." in path
        if not quantity and not isinstance(value, PLAIN[type_name]):
            yield f"{path} must be {type_name}, not {value!r}"
    else:
        yield from _fields(value, type_name, path)


def _fields(value: Mapping[str, Any], type_name: str, path: str) -> Iterator[str]:
    model = getattr(client, type_name)
    types = {name: model.openapi_types[attribute] for attribute, name in model.attribute_map.items()}
    for name, item in value.items():
        if name not in types:
            yield f"{path} has no field {name}"
        else:
            yield from misfits(item, types[name], f"{path}.{name}")


def _object(document: Mapping[str, Any]) -> Iterator[str]:
    group, _, version = document["apiVersion"].rpartition("/")
    kind = document["kind"]
    if kind == "PopulateJob":
        yield from template(document["spec"])
    elif model := _model(group, version, kind):
        yield from misfits(document, model, kind)
    elif group not in FOREIGN:
        yield f"{document['apiVersion']} {kind} is of no kind that is known here"
    elif "name" not in document.get("metadata", {}) and kind != "Kustomization":
        yield f"{kind} has no metadata.name"


@functools.lru_cache
def _model(group: str, version: str, kind: str) -> str | None:
    """The client's name of it; the version is a part, and the group only where two would be called the same."""
    known = group == "" or group in ("apps", "batch", "policy") or group.endswith(".k8s.io")
    name = f"{version[0].upper()}{version[1:]}{kind}"
    return name if known and hasattr(client, name) else None


def _ours(text: str, folder: Path) -> Iterator[str]:
    file = folder / "block.yaml"
    file.write_text(text)
    try:
        load(file)
    except ManifestError as error:
        yield str(error)


def overlaid(under: Any, over: Any) -> Any:
    if not isinstance(under, dict) or not isinstance(over, Mapping):
        return over
    return {**under, **{name: overlaid(under.get(name), value) for name, value in over.items()}}
