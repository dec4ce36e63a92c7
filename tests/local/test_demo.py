"""`make demo`, from nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from matplotlib import image

from tests.local.lab import ROOT, environment

DEMO = ROOT / "examples" / "cardio" / "demo.sh"
PLOT = ROOT / "demo-out" / "heart-rate.png"


def test_the_demo_makes_all_that_can_be_made_and_shows_it(tmp_path: Path) -> None:
    PLOT.unlink(missing_ok=True)
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    surroundings = environment(PATH=path, XDG_STATE_HOME=str(tmp_path), DJ_HOST="db.of.somebody")
    done = subprocess.run([DEMO], env=surroundings, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "376/404" in done.stdout
    assert "28 errors" in done.stdout
    assert PLOT.exists()
    assert image.imread(PLOT).std() > 0
