"""What PopulateJobs are called where there are no namespaces to keep them apart."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

from populate_operator.spec import PopulateJob


def named_apart(jobs: Sequence[PopulateJob]) -> list[PopulateJob]:
    """Those that share a name get their namespace's in front: `lab.heart-rate`."""
    times = Counter(job.name for job in jobs)
    return [
        job if times[job.name] == 1 else dataclasses.replace(job, name=f"{job.namespace}.{job.name}") for job in jobs
    ]
