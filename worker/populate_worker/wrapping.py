"""Another way for a method of DataJoint's, for as long as the lab's code is imported."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def wrapped(owner: type[Any], method: str, around: Callable[..., Any]) -> Iterator[None]:
    """A call of `method` is one of `around`: with the instance, what the method was before, and the arguments."""
    before = getattr(owner, method)
    setattr(owner, method, functools.partialmethod(around, before))
    try:
        yield
    finally:
        setattr(owner, method, before)
