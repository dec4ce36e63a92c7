"""A short storm, on a server of each backend."""

from pathlib import Path

import pytest

from .run import Plan, run


@pytest.mark.parametrize("engine", ["mariadb-10.11", "postgresql-15"])
def test_no_key_is_lost_made_twice_or_left_behind_in_a_storm(engine: str, tmp_path: Path) -> None:
    verdict = run(Plan(engine, seed=3, workers=4, keys=300, storm_seconds=20), tmp_path)
    assert verdict.good, f"{verdict}\n{(tmp_path / 'output').read_text()[-4000:]}"
    assert verdict.kills
    assert verdict.cuts
