"""uvicorn, set up so that it neither trusts proxies by itself nor logs what links carry."""

from __future__ import annotations

import copy
import logging
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.config import LOGGING_CONFIG

from regstack.errors import ConfigurationError

if TYPE_CHECKING:
    from fastapi import FastAPI

GRACE_SECONDS = 10
"""How long requests under way may take when the server stops."""

BACKLOG = 2048
"""Connections that may wait to be accepted."""

_UNSPECIFIED = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - names, not bound here


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket that takes connections already.

    Attributes:
        socket: the socket.
        url: where this machine reaches it.
    """

    socket: socket.socket
    url: str


def listen(host: str, port: int) -> Listener:
    """Open the socket before anything else, so that a port that is taken is told at once.

    Raises:
        ConfigurationError: the address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio switches Nagle's algorithm off on what is accepted.
    opened = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((host, port))
        opened.listen(BACKLOG)
    except OSError as error:
        opened.close()
        raise ConfigurationError(
            f"cannot listen on {host} port {port}: {error.strerror or error}; --port chooses another"
        ) from error
    name = _UNSPECIFIED.get(host, host)
    shown = f"[{name}]" if ":" in name else name
    return Listener(opened, f"http://{shown}:{opened.getsockname()[1]}")


def run_server(app: FastAPI, listener: Listener) -> None:
    """Serve until a signal comes; then finish requests, send queued mails, and close."""
    config = uvicorn.Config(
        app,
        log_config=logging_config(),
        # Whoever connects is who asked: anybody can write X-Forwarded-For.
        proxy_headers=False,
        server_header=False,
        lifespan="on",
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    uvicorn.Server(config).run(sockets=[listener.socket])


class WithoutQuery(logging.Filter):
    """Cuts the query off paths in the access log: mailed links carry their token there."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record in place, and keep it."""
        if isinstance(record.args, tuple):
            record.args = tuple(
                value.partition("?")[0] if isinstance(value, str) and value.startswith("/") else value
                for value in record.args
            )
        return True


def logging_config() -> dict[str, Any]:
    """Give uvicorn's logging configuration with regstack's loggers in it."""
    config = copy.deepcopy(LOGGING_CONFIG)
    config["filters"] = {"without_query": {"()": WithoutQuery}}
    config["handlers"]["access"]["filters"] = ["without_query"]
    config["loggers"]["regstack"] = {"handlers": ["default"], "level": "INFO", "propagate": False}
    return config
