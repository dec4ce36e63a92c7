"""What is taken at one moment, and how that grows."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

WARM_UP = 0.25
"""Share of the whole after which growth is judged: imports, pools and caches fill before."""
MEMORY_MIB_PER_HOUR, COUNT_PER_HOUR = 1.0, 1.0


@dataclass(frozen=True)
class Sample:
    seconds: float
    """Since the beginning."""
    values: Mapping[str, float]
    """By name; memory in MiB under a name that ends with _mib, all else is a number of things."""


@dataclass(frozen=True)
class Growth:
    name: str
    first: float
    last: float
    most: float
    per_hour: float

    @property
    def limit(self) -> float:
        return MEMORY_MIB_PER_HOUR if self.name.endswith("_mib") else COUNT_PER_HOUR

    @property
    def is_flat(self) -> bool:
        return self.per_hour <= self.limit


def growths(samples: Sequence[Sample]) -> Iterator[Growth]:
    """Of each value, by least squares over what comes after the warm-up; two samples at least."""
    warm = [sample for sample in samples if sample.seconds >= WARM_UP * samples[-1].seconds]
    hours = [sample.seconds / 3600 for sample in warm]
    for name in samples[-1].values:
        values = [sample.values[name] for sample in warm]
        slope = statistics.linear_regression(hours, values).slope
        yield Growth(name, values[0], values[-1], max(values), slope)
