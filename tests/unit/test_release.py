"""What a release needs to be true before it is tagged, and the workflow that makes it."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from tests.documentation.blocks import pages

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def _release() -> ModuleType:
    spec = importlib.util.spec_from_file_location("release", ROOT / ".ci" / "release.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


release = _release()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The files that name a version."""
    for name in ("pyproject.toml", "CHANGELOG.md", "charts/populate-operator/Chart.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def replace(file: Path, pattern: str, by: str) -> None:
    changed, times = re.subn(pattern, by, file.read_text(), count=1, flags=re.MULTILINE)
    assert times == 1
    file.write_text(changed)


def test_the_versions_agree() -> None:
    assert list(release.disagreements(ROOT, "")) == []


def test_the_documentation_names_images_of_the_version() -> None:
    named = re.compile(r"populate-(?:operator|worker):(\d[\w.-]*)")
    found = {(page.name, tag) for page in pages() for tag in named.findall(page.read_text())}
    assert {page for page, _ in found} >= {"README.md", "quickstart.md"}
    assert {tag for _, tag in found} == {release.published(release.version(ROOT))}


@pytest.mark.parametrize("field", ["version", "appVersion"])
def test_a_chart_of_another_version_is_found(project: Path, field: str) -> None:
    replace(project / "charts/populate-operator/Chart.yaml", rf"^{field}: .*$", f"{field}: 99.0.0")
    (found,) = release.disagreements(project, "")
    assert field in found
    assert "99.0.0" in found


def test_a_tag_asks_for_its_version_and_its_section_of_the_changelog(project: Path) -> None:
    tag = f"v{release.version(project)}"
    (section,) = release.disagreements(project, tag)
    assert "CHANGELOG" in section
    replace(project / "CHANGELOG.md", r"^## \[Unreleased\]$", f"## [Unreleased]\n\n## [{tag[1:]}] - 2026-12-01")
    assert list(release.disagreements(project, tag)) == []
    assert "v99.0.0" in next(release.disagreements(project, "v99.0.0"))


def test_a_candidate_is_the_same_version_in_python_and_in_the_chart(project: Path) -> None:
    replace(project / "pyproject.toml", r'^version = ".*"$', 'version = "9.1.0rc2"')
    for field in ("version", "appVersion"):
        replace(project / "charts/populate-operator/Chart.yaml", rf"^{field}: .*$", f"{field}: 9.1.0-rc.2")
    assert list(release.disagreements(project, "")) == []


def test_the_notes_are_the_section_of_the_version(project: Path) -> None:
    sections = (
        "## [Unreleased]\n\n- To come.\n\n## [2.0.0] - 2026-12-01\n\n- New.\n\n## [1.0.0] - 2026-11-01\n\n- Old.\n"
    )
    (project / "CHANGELOG.md").write_text(f"# Changelog\n\n{sections}")
    told = {version: release.notes(project, version) for version in ("2.0.0", "1.0.0", "3.0.0")}
    assert told == {"2.0.0": "- New.\n", "1.0.0": "- Old.\n", "3.0.0": "- To come.\n"}


def test_the_chart_that_is_published_names_its_image_by_digest() -> None:
    digest = f"sha256:{64 * 'a'}"
    own = (ROOT / "charts/populate-operator/values.yaml").read_text()
    values = yaml.safe_load(release.with_image(own, "registry.example/operator", digest))
    image = {**yaml.safe_load(own)["image"], "repository": "registry.example/operator", "digest": digest}
    assert values == {**yaml.safe_load(own), "image": image}


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda file: file.name)
def test_a_workflow_uses_actions_by_their_commit_and_has_no_rights_but_those_it_names(workflow: Path) -> None:
    text = workflow.read_text()
    used = re.findall(r"uses: (.*)$", text, re.MULTILINE)
    assert [use for use in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v[\d.]+", use)] == []
    read = yaml.safe_load(text)
    assert read["permissions"] == {}
    assert all("permissions" in job for job in read["jobs"].values())


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda file: file.name)
def test_a_workflow_s_scripts_can_be_parsed_and_fail_where_a_part_of_them_does(workflow: Path) -> None:
    read = yaml.safe_load(workflow.read_text())
    assert read["defaults"]["run"]["shell"] == "bash"
    scripts = [step["run"] for job in read["jobs"].values() for step in job["steps"] if "run" in step]
    assert scripts
    for script in scripts:
        assert "${{" not in script, "what comes from outside is handed to a script in its environment"
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def test_images_are_for_the_processors_that_nodes_have() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())["jobs"]
    (steps,) = (job["steps"] for job in jobs.values())
    (emulator,) = (step for step in steps if step.get("uses", "").startswith("docker/setup-qemu-action@"))
    (build,) = (step["run"] for step in steps if step.get("name") == "Images")
    platforms = {platform for said in re.findall(r"--platform (\S+)", build) for platform in said.split(",")}
    assert platforms == {"linux/amd64", f"linux/{emulator['with']['platforms']}"}


def test_a_workflow_calls_targets_that_there_are() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    called = [
        word
        for file in WORKFLOWS
        for line in re.findall(r"\bmake ([a-z -]+)", file.read_text())
        for word in line.split()
    ]
    assert "release-check" in called
    assert {word for word in called if not word.startswith("-")} - targets == set()
