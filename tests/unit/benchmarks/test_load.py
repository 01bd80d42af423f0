from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread

import pytest

from benchmarks import load

Answers = Callable[[bytes], list[bytes]]


@pytest.fixture
def serve() -> Iterator[Callable[[Answers], int]]:
    """Answer each request with pieces that are sent apart; with none, hang up."""
    with ExitStack() as stack:

        def listen(answers: Answers) -> int:
            class Handler(StreamRequestHandler):
                disable_nagle_algorithm = True

                def handle(self) -> None:
                    while (line := self.rfile.readline()) and (pieces := answers(line)):
                        while self.rfile.readline().strip():
                            pass
                        for piece in pieces:
                            self.wfile.write(piece)

            server = stack.enter_context(ThreadingTCPServer(("127.0.0.1", 0), Handler))
            thread = Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
            return int(server.server_address[1])

        yield listen


def test_each_client_asks_again_once_its_answer_is_whole(serve: Callable[[Answers], int]) -> None:
    asked: list[bytes] = []

    def answer(request: bytes) -> list[bytes]:
        asked.append(request)
        return [b"HTTP/1.1 200 OK\r\nContent-", b"Length: 4\r\n\r\n12", b"34"]

    requests = [load.request("GET", f"/{number}") for number in range(3)]
    outcome = load.run({"all": load.Load(serve(answer), requests, clients=2)}, 0.1)["all"]
    assert set(asked) == {f"GET /{number} HTTP/1.1\r\n".encode() for number in range(3)}
    assert outcome.statuses == {200: len(outcome.times)}
    # What each client still waited for at the end does not count.
    assert len(asked) - 2 <= len(outcome.times) <= len(asked)


def test_a_client_that_is_turned_away_stays_away(serve: Callable[[Answers], int]) -> None:
    refusal = b"HTTP/1.1 503 Busy\r\nretry-after: 60\r\ncontent-length: 0\r\n\r\n"
    loads = {"all": load.Load(serve(lambda _: [refusal]), [load.request("GET", "/")], clients=3)}
    outcome = load.run(loads, 5)["all"]
    assert outcome.statuses == {503: 3}
    assert outcome.refusals == 3


def test_groups_of_clients_are_counted_apart(serve: Callable[[Answers], int]) -> None:
    port = serve(lambda request: [b"HTTP/1.1 %s OK\r\ncontent-length: 0\r\n\r\n" % request[5:8]])
    loads = {status: load.Load(port, [load.request("GET", f"/{status}")]) for status in ("200", "404")}
    outcomes = load.run(loads, 0.1)
    assert [set(outcomes[status].statuses) for status in ("200", "404")] == [{200}, {404}]


def test_a_server_that_hangs_up_is_an_error(serve: Callable[[Answers], int]) -> None:
    with pytest.raises(ConnectionError):
        load.run({"all": load.Load(serve(lambda _: []), [load.request("GET", "/")])}, 5)
