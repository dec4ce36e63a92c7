"""What krew would install: the archive and the manifest that krew/build.py makes, run by another Python."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.fake_kubectl import FakeKubectl

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
REPOSITORY = "https://git.example/lab/populate-operator"


@dataclass(frozen=True)
class Built:
    archive: Path
    manifest: dict[str, Any]
    program: Path
    """The link that krew makes, to where it unpacks the archive."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("krew")
    build = [sys.executable, str(ROOT / "krew/build.py"), "--repository", REPOSITORY, "--output", str(folder)]
    subprocess.run(build, check=True)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(folder / "store")
    manifest = yaml.safe_load((folder / "populate.yaml").read_text())
    program = folder / "bin" / "kubectl-populate"
    program.parent.mkdir()
    program.symlink_to(folder / "store" / manifest["spec"]["platforms"][0]["bin"])
    return Built(archive, manifest, program)


def run(built: Built, kubectl: FakeKubectl, *words: str) -> subprocess.CompletedProcess[str]:
    """With the Python that the virtual environment was made of, and none of what is installed in the latter."""
    link = kubectl.folder / "python3"
    if not link.exists():
        link.symlink_to(os.path.realpath(sys.executable))
    environment = {"PATH": f"{built.program.parent}:{kubectl.folder}:{os.defpath}", "PYTHONNOUSERSITE": "1"}
    return subprocess.run(["kubectl-populate", *words], env=environment, capture_output=True, text=True)


def version() -> str:
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])


def test_the_manifest_is_of_this_version_and_of_this_archive(built: Built) -> None:
    (platform,) = built.manifest["spec"]["platforms"]
    assert built.manifest["metadata"]["name"] == "populate"
    assert built.manifest["spec"]["version"] == f"v{version()}"
    assert platform["uri"] == f"{REPOSITORY}/releases/download/v{version()}/{built.archive.name}"
    assert platform["sha256"] == hashlib.sha256(built.archive.read_bytes()).hexdigest()
    assert "$" not in built.manifest["spec"]["description"]


def test_a_candidate_is_named_as_its_tag_is(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.spec_from_file_location("krew_build", ROOT / "krew/build.py")
    assert spec
    assert spec.loader
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    monkeypatch.setattr(build, "version", lambda _: "1.2.0rc1")
    assert build.release() == "v1.2.0-rc.1"
    monkeypatch.setattr(build, "version", lambda _: "1.2.0")
    assert build.release() == "v1.2.0"


def test_the_archive_is_for_every_platform_and_has_the_licence(built: Built) -> None:
    with tarfile.open(built.archive) as packed:
        names = packed.getnames()
    assert "LICENSE" in names
    assert [name for name in names if name.endswith((".so", ".pyd", ".dylib"))] == []


def test_it_runs_without_anything_installed(built: Built, tmp_path: Path) -> None:
    kubectl = FakeKubectl(tmp_path)
    assert run(built, kubectl, "--version").stdout == f"kubectl populate {version()}\n"
    (trace,) = yaml.safe_load(run(built, kubectl, "status", "trace", "-o", "yaml").stdout)
    assert trace["progress"] == "9/9"
    assert "3 PopulateJobs" in run(built, kubectl, "top").stdout
    assert run(built, kubectl, "status", "trac").returncode == 2


def test_the_line_of_the_caveats_completes(built: Built, tmp_path: Path) -> None:
    assert 'exec kubectl-populate __complete "$@"' in built.manifest["spec"]["caveats"]
    assert run(built, FakeKubectl(tmp_path), "__complete", "completion", "z").stdout == "zsh\n:4\n"
