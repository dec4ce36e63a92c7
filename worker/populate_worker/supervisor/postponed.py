"""Keys that could not be made for want of room on the server. Pure.

The disk is to blame while no key can be made. One that cannot be although others were made since is at fault itself: it
would be tried for ever.
"""

from __future__ import annotations

from populate_jobs import Reservation


class Postponed:
    def __init__(self) -> None:
        self._since_made: set[tuple[object, ...]] = set()
        self._blamed: set[tuple[object, ...]] = set()

    def excuses(self, reservation: Reservation) -> bool:
        return _identity(reservation) not in self._blamed

    def put(self, reservation: Reservation) -> None:
        self._since_made.add(_identity(reservation))

    def made(self, reservation: Reservation) -> None:
        self._blamed |= self._since_made
        self._since_made.clear()
        self._blamed.discard(_identity(reservation))


def _identity(reservation: Reservation) -> tuple[object, ...]:
    return tuple(reservation.key.values())
