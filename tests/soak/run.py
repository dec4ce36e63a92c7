"""One run: an operator beside the cluster, two workers in it, and a new key every second."""

from __future__ import annotations

import itertools
import json
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.laboratory import laboratory
from bench.site import CRD
from tests.cluster import borrow, databases
from tests.cluster.beside import Operator
from tests.cluster.lab import Applied, Lab
from tests.database.users import user
from tests.servers.host import wait_until

from .samples import Sample

KEY_EVERY = 1.0
LEAST_SAMPLES = 4
"""However slow the machine is: growth is judged by those after the warm-up."""
WORKERS = 2
MIB = 2**20
# Runs in the worker's container; one line for each process of the worker, but not for itself.
_INSIDE = """
import json, os
found = []
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        words = open(f"/proc/{pid}/cmdline").read()
        status = dict(line.split(":", 1) for line in open(f"/proc/{pid}/status"))
        files = len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        continue
    if "populate" in words and int(pid) != os.getpid():
        role = "runner" if "runner" in words else "supervisor"
        found.append([role, int(status["VmRSS"].split()[0]) / 1024, files])
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Soaked:
    samples: list[Sample]
    keys: int
    made: int
    begun: int
    """Starts of make; one for each key where nothing went wrong."""


def run(seconds: float, every: float) -> Soaked:
    with (
        borrow() as cluster,
        laboratory(cluster, databases.NAMES[0]) as lab,
        user(lab, "ALL PRIVILEGES") as login,
        tempfile.TemporaryDirectory() as folder,
    ):
        lab.kubectl("apply", f"--filename={CRD}")
        lab.log_in(**login)
        with Operator(cluster.kubeconfig, lab.namespace, Path(folder, "operator.log")) as operator:
            operator.until_well()
            job = lab.apply(scaling={"minWorkers": WORKERS, "maxWorkers": WORKERS})
            wait_until(lambda: job.status.get("workers", {}).get("ready") == WORKERS, "the workers are ready")
            samples, keys = _trickle(lab, job, operator, login["user"], seconds, every)
            wait_until(lambda: len(lab.made()) == keys, "the last keys are made")
            soaked = Soaked(samples, keys, len(lab.made()), len(lab.started()))
            job.delete()
        return soaked


def _trickle(
    lab: Lab, job: Applied, operator: Operator, user_name: str, seconds: float, every: float
) -> tuple[list[Sample], int]:
    """The samples, and how many keys there were."""
    began = time.monotonic()
    samples: list[Sample] = []
    for item in itertools.count(1):
        clock = time.monotonic() - began
        if clock >= len(samples) * every:
            samples.append(Sample(clock, _sample(lab, job, operator, user_name)))
        if clock >= seconds and len(samples) >= LEAST_SAMPLES:
            return samples, item - 1
        lab.add("insert", first=item)
        time.sleep(max(0.0, began + item * KEY_EVERY - time.monotonic()))
    raise AssertionError


def _sample(lab: Lab, job: Applied, operator: Operator, user_name: str) -> Mapping[str, float]:
    process = psutil.Process(operator.pid)
    found = {
        "operator_mib": process.memory_info().rss / MIB,
        "operator_files": process.num_fds(),
        "operator_threads": process.num_threads(),
    }
    for number, pod in enumerate(sorted(job.workers())):
        inside = lab.kubectl("exec", pod, f"--namespace={lab.namespace}", "--", "python", "-c", _INSIDE)
        for role, memory, files in json.loads(inside):
            found[f"worker_{number}_{role}_mib"] = memory
            found[f"worker_{number}_{role}_files"] = files
    ((connections,),) = lab.execute(f"SELECT COUNT(*) FROM information_schema.processlist WHERE user = '{user_name}'")
    return {**found, "connections": connections}
