"""What a server says of itself while it is measured."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from fastapi.responses import JSONResponse

if TYPE_CHECKING:
    from fastapi import FastAPI

CPU, LOOP_LAG = "/cpu", "/loop-lag"
PAUSE_SECONDS = 0.005


def add_gauges(app: FastAPI) -> None:
    """Add the routes.

    `GET /cpu` answers the CPU seconds that the process has used. `POST /loop-lag` begins to measure
    how late the event loop is; `GET /loop-lag` ends that, and answers the seconds by which each of
    many short pauses was too long.
    """
    lags: list[float] = []
    measuring: list[asyncio.Task[None]] = []

    async def measure() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(PAUSE_SECONDS)
            lags.append(max(0.0, time.perf_counter() - before - PAUSE_SECONDS))

    @app.get(CPU)
    async def cpu() -> JSONResponse:
        return JSONResponse(time.process_time())

    @app.post(LOOP_LAG)
    async def begin() -> JSONResponse:
        lags.clear()
        measuring.append(asyncio.create_task(measure()))
        return JSONResponse({})

    @app.get(LOOP_LAG)
    async def end() -> JSONResponse:
        task = measuring.pop()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        return JSONResponse(lags)
