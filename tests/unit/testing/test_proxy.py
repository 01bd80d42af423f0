"""The proxy passes, counts and breaks what goes through it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from regstack.testing.proxy import Address, FaultProxy

pytestmark = pytest.mark.anyio

Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], Awaitable[Client]]


@pytest.fixture
async def proxy() -> AsyncIterator[FaultProxy]:
    """A proxy before a server that answers each line with the line in upper case."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line.upper())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    address = Address(*server.sockets[0].getsockname())
    async with FaultProxy(address, is_upkeep=lambda request: request.startswith(b"are you there")) as proxy:
        yield proxy
    server.close()


@pytest.fixture
async def connect(proxy: FaultProxy) -> AsyncIterator[Connect]:
    clients: list[Client] = []

    async def connect_one() -> Client:
        clients.append(await asyncio.open_connection(*proxy.address))
        return clients[-1]

    yield connect_one
    for _, writer in clients:
        writer.transport.abort()
    await asyncio.sleep(0)


async def ask(client: Client, line: str) -> str:
    """Send a line and give the answer; empty where the connection breaks."""
    reader, writer = client
    writer.write(f"{line}\n".encode())
    try:
        async with asyncio.timeout(10):
            return (await reader.readline()).decode().strip()
    except ConnectionError:
        return ""


async def test_every_change_of_direction_is_one_exchange_and_upkeep_is_none(
    proxy: FaultProxy, connect: Connect
) -> None:
    client = await connect()
    assert await ask(client, "one") == "ONE"
    assert await ask(client, "are you there") == "ARE YOU THERE"
    assert await ask(client, "two\nthree") == "TWO"
    assert [exchange.request for exchange in proxy.exchanges] == [b"one\n", b"two\nthree\n"]
    assert all(exchange.answered for exchange in proxy.exchanges)


async def test_a_reply_is_cut_once_after_as_many_as_were_to_pass_and_never_one_of_upkeep(
    proxy: FaultProxy, connect: Connect
) -> None:
    client = await connect()
    proxy.cut_reply(after=1)
    assert await ask(client, "one") == "ONE"
    assert await ask(client, "are you there") == "ARE YOU THERE"
    assert await ask(client, "two") == ""
    assert proxy.cuts == 1
    assert await ask(await connect(), "three") == "THREE"
    assert [exchange.answered for exchange in proxy.exchanges] == [True, False, True]


async def test_what_refuses_takes_no_connection_until_it_is_restored_at_the_same_address(
    proxy: FaultProxy, connect: Connect
) -> None:
    address = proxy.address
    await proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        await connect()
    await proxy.restore()
    assert proxy.address == address
    assert await ask(await connect(), "one") == "ONE"


async def test_what_stalls_keeps_the_connection_and_passes_everything_once_it_is_restored(
    proxy: FaultProxy, connect: Connect
) -> None:
    client = await connect()
    proxy.stall()
    waiting = asyncio.create_task(ask(client, "one"))
    done, _ = await asyncio.wait({waiting}, timeout=0.05)
    assert not done
    await proxy.restore()
    assert await waiting == "ONE"


async def test_what_drops_breaks_the_open_connections_and_takes_new_ones(
    proxy: FaultProxy, connect: Connect
) -> None:
    client = await connect()
    assert await ask(client, "one") == "ONE"
    proxy.drop()
    assert await ask(client, "one") == ""
    assert await ask(await connect(), "two") == "TWO"
