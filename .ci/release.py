"""What a release consists of. Nothing here needs a registry; .github/workflows/release.yml publishes what it makes.

python .ci/release.py versions [--tag v1.2.3]      fails where the versions do not agree
python .ci/release.py notes                        what the changelog says of this version
python .ci/release.py chart --image NAME@DIGEST    the chart, whose operator is that very image
python .ci/release.py check                        all files of a release, judged, in dist/release
"""

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import yaml

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
CHART = Path("charts", "populate-operator")
RELEASE = ROOT / "dist" / "release"
SECTION = re.compile(r"^## \[(?P<version>[^\]]+)\](?: - (?P<date>\d{4}-\d\d-\d\d))?$", re.MULTILINE)
IMAGE = re.compile(r"(?P<repository>[^@\s]+)@(?P<digest>sha256:[0-9a-f]{64})")
SOMEBODY_S = "https://git.example/populate-operator"
MADE_UP = f"registry.example/populate-operator@sha256:{64 * '0'}"


def version(root: Path) -> str:
    return str(tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"])


def published(version: str) -> str:
    """As charts and tags have it: 1.2.0rc1 is 1.2.0-rc.1 in semantic versions."""
    return re.sub(r"rc(\d+)$", r"-rc.\1", version)


def disagreements(root: Path, tag: str) -> Iterator[str]:
    """Where pyproject.toml, the chart, the changelog and, unless it is empty, the tag are not of one version."""
    wanted = published(version(root))
    chart = yaml.safe_load((root / CHART / "Chart.yaml").read_text())
    for field in ("version", "appVersion"):
        if chart[field] != wanted:
            yield f"{CHART}/Chart.yaml: {field} is {chart[field]}, and pyproject.toml says {wanted}"
    sections = {found["version"]: found["date"] for found in SECTION.finditer((root / "CHANGELOG.md").read_text())}
    if tag and tag != f"v{wanted}":
        yield f"the tag is {tag}, and pyproject.toml says {wanted}"
    if tag and not sections.get(wanted):
        yield f"CHANGELOG.md has no section `## [{wanted}] - DATE`"
    if not tag and not {"Unreleased", wanted} & set(sections):
        yield f"CHANGELOG.md has neither a section of {wanted} nor one of what is unreleased"


def notes(root: Path, version: str) -> str:
    """The changelog's section of the version, or of what is unreleased where it has none."""
    text = (root / "CHANGELOG.md").read_text()
    heads = list(SECTION.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    said = {head["version"]: text[head.end() : end].strip() for head, end in zip(heads, ends, strict=True)}
    found = said.get(version) or said.get("Unreleased")
    if not found:
        raise SystemExit(f"CHANGELOG.md says nothing of {version}")
    return f"{found}\n"


def chart(image: str, folder: Path) -> Path:
    """The packaged chart, whose own values name this image by its digest."""
    named = IMAGE.fullmatch(image)
    if not named:
        raise SystemExit(f"--image must be NAME@sha256:..., not {image}")
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / CHART.name
        shutil.copytree(ROOT / CHART, copy)
        (copy / "values.yaml").write_text(with_image((copy / "values.yaml").read_text(), **named.groupdict()))
        _run(_helm(), "lint", "--strict", copy)
        rendered = _run(_helm(), "template", "release", copy, f"--kube-version={_oldest_kubernetes()}")
        if image.split("@")[1] not in rendered:
            raise SystemExit("the chart does not use the digest that it was given")
        _run(_helm(), "package", copy, "--destination", folder)
    return folder / f"{CHART.name}-{published(version(ROOT))}.tgz"


def _oldest_kubernetes() -> str:
    asked = yaml.safe_load((ROOT / CHART / "Chart.yaml").read_text())["kubeVersion"]
    return str(re.findall(r"[\d.]+", asked)[0])


def with_image(values: str, repository: str, digest: str) -> str:
    """The chart's values, comments and all, with another image."""
    given = {"repository: populate-operator": f"repository: {repository}", 'digest: ""': f"digest: {digest}"}
    for before, after in given.items():
        if values.count(before) != 1:
            raise SystemExit(f"values.yaml must have `{before}` once")
        values = values.replace(before, after)
    return values


def check(repository: str) -> None:
    shutil.rmtree(RELEASE, ignore_errors=True)
    RELEASE.mkdir(parents=True)
    _run("uv", "build", "--no-build-isolation", "--quiet", "--out-dir", RELEASE, ROOT)
    (RELEASE / ".gitignore").unlink(missing_ok=True)
    _run("twine", "check", "--strict", *RELEASE.glob("populate_operator-*"))
    chart(MADE_UP, RELEASE)
    _run(sys.executable, ROOT / "krew" / "build.py", "--repository", repository, "--output", RELEASE)
    _bill(RELEASE / f"populate-operator-{version(ROOT)}.cdx.json")
    (RELEASE / "NOTES.md").write_text(notes(ROOT, published(version(ROOT))))
    made = sorted(file for file in RELEASE.iterdir() if file.is_file())
    sums = "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in made)
    (RELEASE / "SHA256SUMS").write_text(sums)
    print(sums, end="")


def _bill(file: Path) -> None:
    """A CycloneDX bill of materials: the wheel with all its extras, as locked. One that its schema refuses fails."""
    locked = file.with_suffix(".txt")
    options = ("--constraints", ROOT / "requirements.lock", "--generate-hashes", "--no-header", "--no-annotate")
    _run("uv", "pip", "compile", "--quiet", "--offline", "pyproject.toml", "--all-extras", *options, "-o", locked)
    told = ("--pyproject", ROOT / "pyproject.toml", "--output-format", "JSON", "--output-file", file)
    _run("cyclonedx-py", "requirements", *told, "--validate", locked)
    locked.unlink()


def _helm() -> str:
    """The machine's, or else the one that the tests build."""
    if found := shutil.which("helm"):
        return found
    sys.path.insert(0, str(ROOT))
    from tests.cluster import golang

    return str(golang.program("helm"))


def _run(*command: object) -> str:
    done = subprocess.run([str(word) for word in command], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stdout}")
    return done.stdout


def _agree(tag: str) -> None:
    if found := list(disagreements(ROOT, tag)):
        raise SystemExit("\n".join(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["versions", "notes", "chart", "check"])
    parser.add_argument("--tag", default="", help="the tag that is released")
    parser.add_argument("--image", default=MADE_UP, help="the operator's, by its digest")
    parser.add_argument("--repository", default=SOMEBODY_S, help="where the files of releases can be downloaded")
    args = parser.parse_args()
    _agree(args.tag)
    if args.action == "notes":
        print(notes(ROOT, published(version(ROOT))), end="")
    elif args.action == "chart":
        RELEASE.mkdir(parents=True, exist_ok=True)
        print(chart(args.image, RELEASE))
    elif args.action == "check":
        check(args.repository)


if __name__ == "__main__":
    main()
