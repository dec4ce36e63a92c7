"""The CustomResourceDefinition: the one place that says what a PopulateJob may hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class Definition:
    """What a reader needs of the CustomResourceDefinition."""

    kind: str
    api_version: str
    """Such as `datajoint.io/v1alpha1`."""
    schema: Mapping[str, Any]
    """Its openAPIV3Schema."""


@lru_cache(maxsize=1)
def definition() -> Definition:
    crd = yaml.load(_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    spec = crd["spec"]
    (version,) = (version for version in spec["versions"] if version["storage"])
    return Definition(
        kind=spec["names"]["kind"],
        api_version=f"{spec['group']}/{version['name']}",
        schema=version["schema"]["openAPIV3Schema"],
    )


def _text() -> str:
    """In a wheel the file is part of the package, in a checkout it lies at the top."""
    packaged = files("populate_operator") / "crds" / "populatejobs.yaml"
    found = packaged if packaged.is_file() else Path(__file__).parents[3] / "crds" / "populatejobs.yaml"
    return found.read_text(encoding="utf-8")
