"""SIGTERM at moments that nobody chose, many times over: then the whole table is looked at.

Five times at each moment in every run; fifty times with POPULATE_DEEP=1, as with the random tests of the queue.
"""

import contextlib
import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence

import pytest
from populate_jobs import recover
from populate_worker.exit_codes import ExitCode

from tests.database.depth import patient, repetitions
from tests.worker.lab import Lab, Worker

TIMES = repetitions(quick=5, deep=50)
TOGETHER = 5
"""Workers that are told to stop one shortly after the other, as when a machine is emptied."""
STRIDE = 1000
"""From the first item of a round to that of the next."""
BEFORE_IT_LISTENED = -signal.SIGTERM

Moment = Callable[[Lab, Sequence[Worker], int], None]
"""Returns when these workers are where they are to be told; its items begin with that number."""


def boot(lab: Lab, workers: Sequence[Worker], first: int) -> None:
    lab.fill(*["insert"] * TOGETHER, first=first)


def idle(lab: Lab, workers: Sequence[Worker], first: int) -> None:
    lab.fill(*["insert"] * TOGETHER, first=first)
    for worker in workers:
        worker.until_logged("connected")
    lab.until_done()


def reserving(lab: Lab, workers: Sequence[Worker], first: int) -> None:
    """Each has made the only key it had, and asks for more."""
    in_make(lab, workers, first)
    lab.fill(*["insert"] * 20 * TOGETHER, first=first + TOGETHER)
    lab.let(*range(first, first + TOGETHER))


def in_make(lab: Lab, workers: Sequence[Worker], first: int) -> None:
    all_meet(lab, ["wait"] * TOGETHER, first)


def committing(lab: Lab, workers: Sequence[Worker], first: int) -> None:
    """Each has its row inserted, and is let go."""
    all_meet(lab, ["commit"] * TOGETHER, first)
    lab.let(*range(first, first + TOGETHER))


def some_committing(lab: Lab, workers: Sequence[Worker], first: int) -> None:
    """The others wait in make, and are not let go."""
    all_meet(lab, (["wait", "commit"] * TOGETHER)[:TOGETHER], first)
    lab.let(*range(first + 1, first + TOGETHER, 2))


def all_meet(lab: Lab, behaviours: Sequence[str], first: int) -> None:
    """Each worker in make: it has made nothing yet, so that it holds one key."""
    lab.fill(*behaviours, first=first)
    for item in range(first, first + TOGETHER):
        lab.until_in_make(item)


MOMENTS: dict[Moment, float] = {boot: 3.0, idle: 1.5, reserving: 0.1, in_make: 0.1, committing: 0.05}
"""With the seconds after it within which about all are told."""


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """The same in every run of a test."""
    return random.Random(request.node.name)


@patient
@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: moment.__name__)
def test_sigterm_at_a_moment_of_chance_loses_no_key_and_has_none_started_twice(
    lab: Lab, chance: random.Random, moment: Moment
) -> None:
    for first in rounds():
        with crew(lab) as workers:
            moment(lab, workers, first)
            for worker in told_at_random(workers, chance, MOMENTS[moment]):
                worker.terminate()
            lab.let(*range(first, first + TOGETHER))
            all_end(lab, workers)
        the_rest_gets_made(lab, first)
    assert lab.started_again() == {}


@patient
def test_a_second_sigterm_at_a_moment_of_chance_loses_no_key(lab: Lab, chance: random.Random) -> None:
    for first in rounds():
        with crew(lab) as workers:
            some_committing(lab, workers, first)
            for worker in told_at_random(workers, chance, 0.1):
                worker.terminate()
                worker.until_logged("SIGTERM")  # two that wait to be heard are one
                time.sleep(chance.uniform(0, 0.05))
                worker.terminate()
            all_end_in_a_hurry(lab, workers)
        lab.let(*range(first, first + TOGETHER))
        the_rest_gets_made(lab, first)


def rounds() -> range:
    """The first item of each."""
    return range(STRIDE, STRIDE * (TIMES // TOGETHER + 1), STRIDE)


@contextlib.contextmanager
def crew(lab: Lab) -> Iterator[list[Worker]]:
    with contextlib.ExitStack() as started:
        yield [started.enter_context(lab.worker(host=f"w{number}.lab.test")) for number in range(TOGETHER)]


def told_at_random(workers: Sequence[Worker], chance: random.Random, within: float) -> Iterator[Worker]:
    """Each in its turn, in any order."""
    for worker in chance.sample(workers, len(workers)):
        time.sleep(chance.uniform(0, 2 * within / len(workers)))
        yield worker


def all_end(lab: Lab, workers: Sequence[Worker]) -> None:
    """And leave nothing behind."""
    assert {worker.exit_code() for worker in workers} <= {0, BEFORE_IT_LISTENED}
    assert set(lab.statuses().values()) <= {"pending"}


def all_end_in_a_hurry(lab: Lab, workers: Sequence[Worker]) -> None:
    """Told twice, they wait two seconds for the database, and say it where that was too short."""
    left = [worker.host for worker in workers if worker.exit_code() == ExitCode.LEFT_RESERVED]
    if left:
        with lab.queue() as jobs:
            recover(jobs, left)
    assert {worker.exit_code() for worker in workers} <= {0, BEFORE_IT_LISTENED, ExitCode.LEFT_RESERVED}
    assert set(lab.statuses().values()) <= {"pending"}


def the_rest_gets_made(lab: Lab, first: int) -> None:
    """And one key more."""
    lab.fill("insert", first=first + STRIDE - 1)
    with lab.worker(host="last.lab.test") as last:
        lab.until_done()
        last.stop()
    assert lab.made() == lab.items()
