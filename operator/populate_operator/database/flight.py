"""What has been handed to a lane, or to an event loop, and has not come back: of each kind at most one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar, Union

T = TypeVar("T")
AnyFuture = Union[Future[T], "asyncio.Future[T]"]


class Flight:
    """`collect` calls back in the caller's own thread, so that nothing of a PopulateJob is shared between threads."""

    def __init__(self, landed: Callable[[], None]) -> None:
        """`landed` is called, in any thread, when there is something to collect."""
        self._landed = landed
        self._out: dict[str, tuple[AnyFuture[Any], Callable[[Any], None], Callable[[BaseException], None]]] = {}

    def start(
        self,
        name: str,
        submit: Callable[[], AnyFuture[T]],
        done: Callable[[T], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        """Nothing happens where one of this name is still out."""
        if name not in self._out:
            future = submit()
            self._out[name] = (future, done, failed)
            future.add_done_callback(self._came_back)

    def _came_back(self, future: AnyFuture[Any]) -> None:
        if not future.cancelled():
            future.exception()  # known of, should nobody be there any more to collect it
        self._landed()

    def collect(self) -> None:
        for name, (future, done, failed) in list(self._out.items()):
            if future.done():
                del self._out[name]
                error = future.exception()
                done(future.result()) if error is None else failed(error)

    def is_out(self, *names: str) -> bool:
        return any(name in self._out for name in names)
