from __future__ import annotations

from populate_operator.local.naming import named_apart
from populate_operator.spec import PopulateJob

from tests.unit.planning import SPEC


def test_only_those_that_share_a_name_get_their_namespace_in_front() -> None:
    jobs = [PopulateJob(name, space, SPEC) for name, space in (("a", "x"), ("a", "y"), ("b", "x"))]
    assert [job.name for job in named_apart(jobs)] == ["x.a", "y.a", "b"]
