"""Manifests for tests, by what they differ in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from populate_operator.manifest import Manifest, ManifestError, load

HEAD = "apiVersion: datajoint.io/v1alpha1\nkind: PopulateJob\n"


def a_job(name: str = "job", **spec: Any) -> str:
    """A PopulateJob as YAML: metadata is line 3, each field of spec a line from line 5 on, table and worker first."""
    fields = {"table": "cardio.HeartRate", "worker": {"image": "cardio"}, **spec}
    lines = "".join(f"  {field}: {json.dumps(value)}\n" for field, value in fields.items())
    return f"{HEAD}metadata: {{name: {json.dumps(name)}}}\nspec:\n{lines}"


def read(folder: Path, text: str) -> Manifest:
    path = folder / "populate.yaml"
    path.write_text(text)
    return load(path)


def problems(folder: Path, text: str) -> list[str]:
    """The lines of the error, without the folder."""
    with pytest.raises(ManifestError) as caught:
        read(folder, text)
    assert len(caught.value.problems) == len(str(caught.value).splitlines())
    return str(caught.value).replace(f"{folder}/", "").splitlines()
