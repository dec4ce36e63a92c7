"""What many PopulateJobs of one login want to know, asked in as few statements as they bear.

A combined statement that fails does not say whose part was to blame, and one that is slow does not say whose was slow.
So each has a seat, which remembers how many others it may be asked with: half as many after a failure or a slow answer,
one more, or an eighth more, after each good one. Who fails alone is to blame, and stays alone until it is well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from populate_jobs import Connection

from .lane import Lane
from .tasks import now

Q = TypeVar("Q")
A = TypeVar("A")

MOST = 250
"""Questions in one statement."""
SLOW_SECONDS = 0.25
SLOW_SECONDS_EACH = 0.005


@dataclass(eq=False)
class Seat:
    """One PopulateJob's, kept from one round to the next."""

    company: int = MOST
    """Most questions in a statement that has its own."""

    def took(self, size: int, seconds: float) -> None:
        """A statement of so many questions, its own among them."""
        if seconds > SLOW_SECONDS + size * SLOW_SECONDS_EACH:
            self.company = max(1, size // 2)
        else:
            self.company = min(MOST, self.company + max(1, self.company // 8))


@dataclass(frozen=True)
class Answer(Generic[A]):
    value: A
    started: datetime
    ended: datetime
    seconds: float
    """Its share of what the statement took."""


@dataclass(eq=False)
class _Asked(Generic[Q, A]):
    seat: Seat
    question: Q
    future: Future[Answer[A]]


class Round(Generic[Q, A]):
    def __init__(
        self, lane: Lane, ask: Callable[[Connection, Sequence[Q]], Sequence[A]], landed: Callable[[], None]
    ) -> None:
        """`ask` answers questions in their order; `landed` is called, in any thread, when answers have come."""
        self._lane = lane
        self._ask = ask
        self._landed = landed
        self._gathered: list[_Asked[Q, A]] = []

    def put(self, seat: Seat, question: Q) -> Future[Answer[A]]:
        """To be asked with the others at the next send()."""
        asked = _Asked[Q, A](seat, question, Future())
        self._gathered.append(asked)
        return asked.future

    def send(self) -> None:
        gathered, self._gathered = self._gathered, []
        for group in grouped(gathered):
            self._submit(group)

    def _submit(self, group: Sequence[_Asked[Q, A]]) -> None:
        begun: list[datetime] = []

        def ask(connection: Connection) -> Sequence[A]:
            begun.append(now())
            return self._ask(connection, [asked.question for asked in group])

        def landed(future: Future[Sequence[A]]) -> None:
            error = future.exception()
            if error is None:
                self._answer(group, future.result(), begun[0])
            elif len(group) > 1 and begun:
                self._ask_again(group)
            else:
                _fail(group, error, alone=bool(begun))
            self._landed()

        self._lane.submit(ask).add_done_callback(landed)

    def _answer(self, group: Sequence[_Asked[Q, A]], answers: Sequence[A], started: datetime) -> None:
        ended = now()
        seconds = (ended - started).total_seconds()
        for asked, answer in zip(group, answers, strict=True):
            asked.seat.took(len(group), seconds)
            asked.future.set_result(Answer(answer, started, ended, seconds / len(group)))

    def _ask_again(self, group: Sequence[_Asked[Q, A]]) -> None:
        half = len(group) // 2
        for part in (group[:half], group[half:]):
            for asked in part:
                asked.seat.company = len(part)
            self._submit(part)


def _fail(group: Sequence[_Asked[Q, A]], error: BaseException, alone: bool) -> None:
    for asked in group:
        asked.seat.company = 1 if alone else asked.seat.company
        asked.future.set_exception(error)


def grouped(asked: Sequence[_Asked[Q, A]]) -> Iterator[list[_Asked[Q, A]]]:
    """As few groups as leave nobody in a larger one than they bear."""
    group: list[_Asked[Q, A]] = []
    for one in sorted(asked, key=lambda one: -one.seat.company):
        if group and len(group) >= min(one.seat.company, MOST):
            yield group
            group = []
        group.append(one)
    if group:
        yield group
