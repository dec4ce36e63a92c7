"""A clock that goes on when it is told to, for what must not wait."""


class Clock:
    """Stands where the module `time` is used for its monotonic()."""

    def __init__(self, now: float) -> None:
        self.now = now

    def monotonic(self) -> float:
        return self.now

    def go_on(self, seconds: float) -> None:
        self.now += seconds
