"""For a database that will come back: tries again, later each time, and says why."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable

FIRST_SECONDS, LONGEST_SECONDS = 0.1, 5.0
TIMES = 3


def until(attempt: Callable[[], None], is_worth_it: Callable[[Exception], bool] = lambda _: True) -> None:
    """Until it raises nothing; raises what it raises where after TIMES tries in a row no other is worth it.

    Once is not enough: where connections come and go, there may be one a moment after there was none.
    """
    pause, in_vain = FIRST_SECONDS, 0
    while True:
        try:
            return attempt()
        except Exception as error:
            in_vain = 0 if is_worth_it(error) else in_vain + 1
            if in_vain == TIMES:
                raise
            print(f"waiting for the database: {error}", file=sys.stderr)
        time.sleep(pause * random.uniform(0.5, 1.0))
        pause = min(LONGEST_SECONDS, 2 * pause)
