"""Tells a worker that there are keys."""

from __future__ import annotations

import asyncio

import aiohttp
from populate_jobs.errors import PopulateError

from .manifests.worker import PORT

PATIENCE = aiohttp.ClientTimeout(total=2.0)


class WorkerUnreachable(PopulateError):
    """The worker's address does not answer, as where a NetworkPolicy has it so."""


async def rouse(address: str) -> None:
    """`address` is the pod's. Raises WorkerUnreachable."""
    url = f"http://{f'[{address}]' if ':' in address else address}:{PORT}/look"
    try:
        # What answers there is the user's image: it is not to send the operator elsewhere.
        async with aiohttp.ClientSession(timeout=PATIENCE) as session, session.post(url, allow_redirects=False):
            pass
    except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
        raise WorkerUnreachable(f"the worker at {address} cannot be told of keys: {error!r}") from error
