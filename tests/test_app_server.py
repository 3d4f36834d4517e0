"""The socket on which the app listens."""

from __future__ import annotations

import asyncio
import socket

from annotator_app.server import listening


def test_answers_wait_for_nothing() -> None:
    """Else the last packet of an answer waits until the one before was acknowledged: 40 ms."""

    async def is_sent_at_once(listener: socket.socket) -> bool:
        found: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def take(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            taken = writer.get_extra_info("socket")
            found.set_result(bool(taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))
            writer.close()

        async with await asyncio.start_server(take, sock=listener) as server:
            address = server.sockets[0].getsockname()[:2]
            _, writer = await asyncio.open_connection(*address)
            said = await found
            writer.close()
            return said

    with listening("127.0.0.1", 0) as listener:
        assert asyncio.run(is_sent_at_once(listener))
