"""How many random examples: few in every run, many with POPULATE_DEEP=1 set."""

import os

import pytest
from hypothesis import HealthCheck, settings

_DEEP = os.environ.get("POPULATE_DEEP") == "1"
_CHECKS = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]

# A failing example is made small for up to five minutes.
patient = pytest.mark.timeout(7200 if _DEEP else 900)


def examples(quick: int, deep: int, steps: int = 50) -> settings:
    """Settings for a test that talks to a server: no deadline, and every failing example printed."""
    return settings(
        max_examples=deep if _DEEP else quick,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=_CHECKS,
        print_blob=True,
    )


def repetitions(quick: int, deep: int) -> int:
    """How often something is done whose moment is left to chance."""
    return deep if _DEEP else quick
