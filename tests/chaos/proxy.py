"""A proxy before a database server that cuts connections, any or one that is about to commit, or falls silent."""

from __future__ import annotations

import asyncio
import enum
import random
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.servers.host import PATIENCE

_RESET = struct.pack("ii", 1, 0)
_COMMIT = b"COMMIT"


class Moment(enum.Enum):
    """Of a commit, at which its connection is cut."""

    BEFORE = "the server has not got it"
    DURING = "the server has it, nobody waits for its answer"
    AFTER = "the server has answered, and the client does not get it"


class Proxy:
    def __init__(self, host: str, port: int) -> None:
        self._upstream = (host, port)
        self._loop = asyncio.new_event_loop()
        self._open: set[asyncio.StreamWriter] = set()
        self._armed: Moment | None = None
        self._silent = False
        self.cuts = 0
        self.port = 0

    @contextmanager
    def running(self) -> Iterator[Proxy]:
        thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        thread.start()
        server = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop)
        self.port = server.result(PATIENCE).sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            asyncio.run_coroutine_threadsafe(_end_all(), self._loop).result(PATIENCE)
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join(PATIENCE)

    def cut(self, share: float) -> None:
        """This share of the connections, at random."""
        self._loop.call_soon_threadsafe(self._cut, share)

    def arm(self, moment: Moment) -> None:
        """Cuts the connection of the next commit."""
        self._armed = moment

    def fall_silent(self) -> None:
        """From now on what either side says is kept from the other."""
        self._silent = True

    def _cut(self, share: float) -> None:
        for client in [client for client in self._open if random.random() < share]:
            self._reset(client)

    def _reset(self, client: asyncio.StreamWriter) -> None:
        self.cuts += 1
        client.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        client.close()

    async def _serve(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        self._open.add(client)
        with suppress(OSError):
            answers, server = await asyncio.open_connection(*self._upstream)
            back = asyncio.ensure_future(self._pass_back(answers, client))
            try:
                await self._pass_on(reader, client, server, answers, back)
            finally:
                # A client that was killed with an answer unread resets: the server is to hear that it is gone.
                server.close()
                back.cancel()
        self._open.discard(client)
        client.close()

    async def _pass_on(
        self, reader: asyncio.StreamReader, client: asyncio.StreamWriter, server: asyncio.StreamWriter,
        answers: asyncio.StreamReader, back: asyncio.Future[None],
    ) -> None:  # fmt: skip
        while data := await reader.read(65536):
            moment = self._armed if _COMMIT in data.upper() else None
            if moment is None:
                if self._silent:
                    continue
                server.write(data)
                await server.drain()
                continue
            self._armed = None
            if moment is not Moment.BEFORE:
                back.cancel()
                await asyncio.wait({back})
                server.write(data)
                await server.drain()
            if moment is Moment.AFTER:
                await answers.read(1)
            return self._reset(client)

    async def _pass_back(self, answers: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await answers.read(65536):
                if not self._silent:
                    client.write(data)
                    await client.drain()
        client.close()


async def _end_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
