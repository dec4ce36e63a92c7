"""The supervisor's event loop."""

import os

from populate_worker.supervisor.loop import Loop, Wait


def test_a_source_that_was_forgotten_in_the_same_turn_is_not_read() -> None:
    loop = Loop()
    pipes = [os.pipe() for _ in range(2)]
    heard = []

    def hear(this: int, other: int) -> None:
        heard.append(this)
        loop.forget(other)
        os.close(other)

    (one, _), (two, _) = pipes
    loop.on_readable(one, lambda: hear(one, two))
    loop.on_readable(two, lambda: hear(two, one))
    for _, write_end in pipes:
        os.write(write_end, b".")
    loop.run(lambda now: None if heard else Wait(now))
    assert len(heard) == 1
