"""What kopf calls, and where: the controller is the loop's, and nobody else's."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from kopf._core.actions.invocation import invoke
from populate_operator.kube.handlers import registry


class FakeController:
    """Notes on which thread it was told of what."""

    def __init__(self) -> None:
        self.told: list[tuple[str | None, threading.Thread]] = []

    def saw_populatejob(self, kind: str | None, _seen: object) -> None:
        self.told.append((kind, threading.current_thread()))

    saw_child = saw_populatejob


def test_the_controller_is_told_on_the_thread_of_its_loop() -> None:
    fake = FakeController()
    controller: Any = fake
    handlers = registry(controller)._watching.get_all_handlers()

    async def call() -> None:
        for handler in handlers:
            await invoke(handler.fn, kwargs={"event": {"type": "ADDED", "object": {}}})

    asyncio.run(call())
    assert fake.told == [("ADDED", threading.current_thread())] * 5
