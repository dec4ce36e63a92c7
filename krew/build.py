"""Makes what krew installs the kubectl plugin from: an archive, and the manifest that fits it.

    python krew/build.py --repository https://git.example/lab/populate-operator

writes dist/kubectl-populate-vVERSION.tar.gz, to be put among the files of the release vVERSION there, and
dist/populate.yaml, for krew's index. No manifest is kept in the repository: it names an archive by its digest.

The archive holds the plugin and the libraries it needs beside a small program, and no compiled module: one serves every
Linux and macOS that has a Python.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import string
import subprocess
import sys
import tarfile
import tempfile
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PROGRAM = "kubectl-populate"
DOES_WITHOUT = ("yaml",)
"""Libraries that have compiled modules and run, more slowly, without them."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repository", required=True, metavar="URL", help="where the releases can be downloaded")
    parser.add_argument("--output", type=Path, default=ROOT / "dist", metavar="DIR", help="default dist")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    archive = build_archive(args.output)
    (args.output / "populate.yaml").write_text(manifest(archive, args.repository.rstrip("/")))


def build_archive(folder: Path) -> Path:
    """With the versions of requirements.lock."""
    archive = folder / f"{PROGRAM}-{release()}.tar.gz"
    with tempfile.TemporaryDirectory() as scratch:
        install(Path(scratch) / "lib")
        with tarfile.open(archive, "w:gz") as packed:
            for source in (HERE / PROGRAM, ROOT / "LICENSE", Path(scratch) / "lib"):
                packed.add(source, source.name, filter=_of_nobody)
    return archive


def install(target: Path) -> None:
    """Raises SystemExit where a library needs a compiled module."""
    options = ("--quiet", "--no-build-isolation", f"--constraints={ROOT / 'requirements.lock'}", f"--target={target}")
    subprocess.run(["uv", "pip", "install", f"--python={sys.executable}", *options, f"{ROOT}[kubectl]"], check=True)
    for compiled in (*target.rglob("*.so"), *target.rglob("*.pyd")):
        if compiled.relative_to(target).parts[0] not in DOES_WITHOUT:
            raise SystemExit(f"{compiled.relative_to(target)} runs on one platform only")
        compiled.unlink()
    shutil.rmtree(target / "bin")
    (target / ".lock").unlink()


def manifest(archive: Path, repository: str) -> str:
    return string.Template((HERE / "populate.yaml.in").read_text()).substitute(
        version=release(),
        repository=repository,
        uri=f"{repository}/releases/download/{release()}/{archive.name}",
        sha256=hashlib.sha256(archive.read_bytes()).hexdigest(),
    )


def release() -> str:
    """As tags and krew have it: 1.2.0rc1 is v1.2.0-rc.1."""
    sys.path.insert(0, str(ROOT / ".ci"))
    from release import published

    return f"v{published(version('populate-operator'))}"


def _of_nobody(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


if __name__ == "__main__":
    main()
