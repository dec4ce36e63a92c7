"""Many questions, few statements; and whose fault it is when one fails. A lane of our own tells what was asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, cast

import pytest
from populate_jobs.errors import DatabaseError, DatabaseUnreachable
from populate_operator.database.lane import Lane
from populate_operator.database.round import MOST, Answer, Round, Seat


class Server:
    """In place of a lane and the server behind it: doubles numbers, and chokes on some."""

    def __init__(self, *bad: int, down: bool = False) -> None:
        self.bad = set(bad)
        self.down = down
        self.statements: list[list[int]] = []
        self._tasks: list[tuple[Future[Any], Callable[[Any], Any]]] = []

    def submit(self, task: Callable[[Any], Any]) -> Future[Any]:
        future: Future[Any] = Future()
        self._tasks.append((future, task))
        return future

    def ask(self, _: object, questions: Sequence[int]) -> list[int]:
        self.statements.append(list(questions))
        if self.bad & set(questions):
            raise DatabaseError("division by zero")
        return [2 * question for question in questions]

    def work(self) -> None:
        while self._tasks:
            future, task = self._tasks.pop(0)
            try:
                if self.down:
                    raise DatabaseUnreachable("nobody listens")
                future.set_result(task(None))
            except DatabaseError as error:
                future.set_exception(error)


class Table:
    """A round with so many who ask."""

    def __init__(self, server: Server, size: int) -> None:
        self.server = server
        self.seats = [Seat() for _ in range(size)]
        self.round = Round[int, int](cast(Lane, server), server.ask, lambda: None)

    def ask(self) -> list[Answer[int] | BaseException]:
        """What each gets, once all have an answer."""
        self.server.statements.clear()
        futures = [self.round.put(seat, number) for number, seat in enumerate(self.seats)]
        self.round.send()
        self.server.work()
        return [future.exception(0) or future.result(0) for future in futures]


def right(answers: Sequence[Answer[int] | BaseException]) -> list[int]:
    """Who got the right answer."""
    return [at for at, found in enumerate(answers) if isinstance(found, Answer) and found.value == 2 * at]


def test_all_are_asked_in_one_statement() -> None:
    table = Table(Server(), MOST)
    assert right(table.ask()) == list(range(MOST))
    assert len(table.server.statements) == 1


def test_no_statement_is_longer_than_the_server_may_bear() -> None:
    table = Table(Server(), 2 * MOST + 1)
    table.ask()
    assert max(map(len, table.server.statements)) == MOST
    assert len(table.server.statements) == 3


def test_nothing_is_sent_where_nobody_asks() -> None:
    table = Table(Server(), 0)
    table.ask()
    assert table.server.statements == []


@pytest.mark.parametrize("bad", [(0,), (63,), (7, 8), (1, 30, 63)])
def test_who_is_to_blame_is_found_and_the_others_get_their_answers(bad: tuple[int, ...]) -> None:
    table = Table(Server(*bad), 64)
    answers = table.ask()
    assert right(answers) == [number for number in range(64) if number not in bad]
    assert [str(answers[number]) for number in bad] == ["division by zero"] * len(bad)


def test_who_was_to_blame_is_asked_alone_the_next_time() -> None:
    table = Table(Server(7), 64)
    table.ask()
    table.ask()
    assert [7] in table.server.statements
    assert all(7 not in asked for asked in table.server.statements if len(asked) > 1)
    assert len(table.server.statements) < 10


def test_once_it_is_well_all_are_asked_together_again() -> None:
    table = Table(Server(7), 16)
    table.ask()
    table.server.bad.clear()
    for _ in range(16):
        table.ask()
    assert len(table.server.statements) == 1


def test_a_server_that_is_away_is_asked_once_and_nobody_is_to_blame() -> None:
    table = Table(Server(down=True), 64)
    answers = table.ask()
    assert all(isinstance(found, DatabaseUnreachable) for found in answers)
    table.server.down = False
    table.ask()
    assert len(table.server.statements) == 1


@pytest.mark.parametrize(
    ("company", "size", "seconds", "expected"),
    [(MOST, MOST, 1, MOST), (MOST, MOST, 9, MOST // 2), (7, 7, 0.1, 8), (7, 1, 9, 1), (1, 1, 9, 1), (1, 1, 0.1, 2)],
)
def test_who_was_in_a_slow_statement_is_in_smaller_ones_from_then_on(
    company: int, size: int, seconds: float, expected: int
) -> None:
    seat = Seat(company)
    seat.took(size, seconds)
    assert seat.company == expected
