"""Lock every dependency with hashes: `lock.py` writes requirements.lock, `lock.py --check` tells whether it is current.

The lock's first line is a digest of what pyproject.toml asks for, so that the check needs no network.
Versions stay as they are unless uv is told otherwise: `lock.py --upgrade`.
"""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
COMPILE = (
    "uv", "pip", "compile", "--quiet", "pyproject.toml", "--universal", "--python-version=3.10", "--all-extras",
    "--group=dev", "--group=demo", "--group=docs", "--group=release", "--generate-hashes", "--no-header",
    "--no-emit-index-url", f"--output-file={LOCK}",
)  # fmt: skip


def digest() -> str:
    """First line of a lock that fits pyproject.toml."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project = pyproject["project"]
    asked = [project["requires-python"], project["dependencies"], project["optional-dependencies"]]
    inputs = json.dumps([*asked, pyproject["dependency-groups"], COMPILE[:-1]], sort_keys=True)
    return f"# inputs: sha256:{hashlib.sha256(inputs.encode()).hexdigest()}\n"


def is_current() -> bool:
    return LOCK.exists() and LOCK.read_text().startswith(digest())


def write(*options: str) -> None:
    subprocess.run([*COMPILE, *options], cwd=ROOT, check=True)
    LOCK.write_text(digest() + LOCK.read_text())


if __name__ == "__main__":
    if sys.argv[1:] != ["--check"]:
        write(*sys.argv[1:])
    elif not is_current():
        sys.exit("requirements.lock does not fit pyproject.toml: run `make lock` and commit it")
