"""A soak of some seconds: what `make soak` does for an hour."""

from tests.soak.run import run
from tests.soak.samples import growths


def test_keys_that_come_one_by_one_are_made_while_what_it_takes_is_measured(together: None) -> None:
    soaked = run(8.0, 2.0)
    assert soaked.keys == soaked.made == soaked.begun > 0
    measured = {grown.name: grown.most for grown in growths(soaked.samples)}
    assert {name.rsplit("_", 1)[0] for name in measured if name.endswith("_mib")} == {
        "operator", "worker_0_supervisor", "worker_0_runner", "worker_1_supervisor", "worker_1_runner",
    }  # fmt: skip
    assert all(most > 0 for most in measured.values())
    assert measured["connections"] >= 2 + 2 * 2, "two of the operator, two of each worker"
