"""Somebody who follows the documentation on the tests' cluster and types what it says, as it stands there."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from tests.documentation.blocks import Block
from tests.documentation.shell import Typed, typed
from tests.local.lab import environment
from tests.servers import Server, engine
from tests.servers.host import PATIENCE, wait_until

from . import databases, images
from .plugin import ASKING, path, write_kubeconfig


def otherwise(server: Server, namespace: str) -> dict[str, str]:
    """What is typed otherwise than on the pages: a pattern, and what takes its place."""
    login = yaml.safe_dump({"stringData": databases.secret(server)["stringData"] | {"tls": "disabled"}})
    with engine.session() as client:
        base, network = images.base(client), "host" if engine.is_own() else "default"
    return {
        # There is no registry: images go from the engine into the cluster.
        r"docker push (\S+)": r"python -m tests.cluster load \1",
        # Nor one to pull Python from; and the tests' own engine has no network but the machine's.
        r"docker build --file": f"docker build --build-arg=BASE={base} --network={network} --file",
        r"oci://\$REGISTRY/charts/populate-operator --version \$VERSION": "charts/populate-operator",
        # Nodes are as this machine is.
        r"--platform linux/amd64 ": "",
        # The cluster has other operators: this one works in this namespace, and the definition stays theirs.
        r"--create-namespace": f"--create-namespace --set=watchNamespaces={{{namespace}}}"
        f" --set=installation={namespace},crds.install=false",
        r"--namespace populate-operator": f"--namespace {namespace}-operator",
        # The login.
        r"stringData:\n(?:  .+\n)+": login,
        r"DJ_HOST=\S+ DJ_USER=\S+ DJ_PASS=\S+ DJ_BACKEND=\S+": shlex.join(
            f"{name}={value}" for name, value in server.environment().items()
        ),
        # The pipelines of the how-to pages are in the image of the tests' own, and a small machine.
        r"registry\.example/(?:cardio:1\.0|ephys:2\.1)": images.LAB,
        r"64Gi": "256Mi",
        # A busy machine.
        rf"kubectl populate ({'|'.join(ASKING)})\b": r"kubectl populate \1 --timeout=150",
        # The environment of the tests has it.
        r"pip install '.*'": "true",
    }


@dataclass
class Reader:
    namespace: str
    folder: Path
    """Where the pipeline is, and the files of the page."""
    kubeconfig: Path
    server: Server
    otherwise: Mapping[str, str]
    exported: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, kubeconfig: Path, folder: Path, namespace: str, server: Server) -> Reader:
        write_kubeconfig(kubeconfig, folder / "kubeconfig", namespace)
        return cls(namespace, folder, folder / "kubeconfig", server, otherwise(server, namespace))

    def saves(self, blocks: list[Block]) -> None:
        """Those that are files."""
        for block in blocks:
            if block.title:
                (self.folder / block.title).write_text(self.reads(block.text))

    def reads(self, text: str) -> str:
        for pattern, instead in self.otherwise.items():
            text = re.sub(pattern, instead, text)
        return text

    def types(self, block: Block, folder: Path | None = None) -> None:
        """All commands of the block, each of which must go well and show what the page says."""
        for each in typed(block.text):
            command = self.reads(each.command).strip()
            if command.startswith("export "):
                self.exported |= dict(word.split("=", 1) for word in shlex.split(command)[1:])
            elif command.endswith("--watch"):
                self._watches(command, each)
            else:
                self.shows(each, self.runs(command, folder))

    def runs(self, command: str, folder: Path | None = None) -> str:
        """What it printed."""
        done = subprocess.run(
            ["bash", "-c", command], env=self._environment, cwd=folder or self.folder, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=2 * PATIENCE,
        )  # fmt: skip
        said = done.stdout + done.stderr
        assert done.returncode == 0, f"{command}\n{said}"
        return said

    @contextmanager
    def begins(self, command: str) -> Iterator[subprocess.Popen[str]]:
        """Runs it while the block does, and presses Ctrl-C at its end."""
        with (self.folder / "said").open("w") as said:
            process = subprocess.Popen(
                shlex.split(command), env=self._environment, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=said,
                stderr=said, text=True,
            )  # fmt: skip
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()

    def shows(self, typed: Typed, said: str) -> None:
        for line in typed.shown:
            assert re.search(pattern(line), said), f"{typed.command}shows no line like {line}:\n{said}"

    def _watches(self, command: str, typed: Typed) -> None:
        assert typed.shown, f"{command}: nothing is said of what it shows in the end"
        said = self.folder / "said"
        with self.begins(command):
            for line in typed.shown:
                wait_until(lambda line=line: bool(re.search(pattern(line), said.read_text())), line)  # type: ignore[misc]

    @property
    def _environment(self) -> dict[str, str]:
        return environment(PATH=path(), KUBECONFIG=str(self.kubeconfig), **self.exported)


def pattern(shown: str) -> str:
    """`…` stands for what differs from run to run, and columns are as wide as they are."""
    return ".*".join(r"\s+".join(map(re.escape, part.split())) for part in shown.split("…"))
