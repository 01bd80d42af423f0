"""`regstack serve`: runs a complete application."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from regstack.cli.settings_files import SettingsFiles, files_of

if TYPE_CHECKING:
    from regstack.config.schema import RegStackConfig


def serve(
    context: typer.Context,
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    demo: Annotated[
        bool,
        typer.Option(
            "--demo", help="Use a throw-away database, print mails, show everything; needs no settings."
        ),
    ] = False,
    outbox: Annotated[
        Path | None, typer.Option(help="With --demo: folder that each mail is written to as well, as *.eml.")
    ] = None,
) -> None:
    """Run a complete application with uvicorn.

    It has the JSON routes, the pages if they are switched on, and /healthz; with --demo also /docs.
    """
    from regstack.errors import ConfigurationError
    from regstack.extras import load_library

    if outbox is not None and not demo:
        raise ConfigurationError("--outbox goes with --demo; a real application sends its mails")
    if demo and workers > 1:
        raise ConfigurationError("--demo runs in one process; leave --workers out")
    load_library("uvicorn", extra="serve", needed_by="regstack serve")
    if demo:
        from regstack.cli.demo import run_demo

        run_demo(host, port, outbox)
        return
    files = files_of(context)
    config = files.load()
    _try_out(config)
    if workers > 1:
        _run_workers(files, host, port, workers)
    else:
        from regstack.cli.application import build_application
        from regstack.cli.server import listen, run_server

        listener = listen(host, port)
        typer.echo(f"{config.app_name} answers on {listener.url}", err=True)
        run_server(build_application(config), listener)


def _try_out(config: RegStackConfig) -> None:
    """Start once without a server, where an error can be told in one line instead of a traceback."""
    import asyncio

    from regstack.app import RegStack

    async def start() -> None:
        async with RegStack(config=config):
            pass

    asyncio.run(start())


def _run_workers(files: SettingsFiles, host: str, port: int, workers: int) -> None:
    import os

    import uvicorn

    from regstack.cli.server import logging_config

    # Worker processes build the application anew, and learn from the environment what to read.
    named = {"REGSTACK_CONFIG": files.toml, "REGSTACK_SECRETS": files.secrets}
    os.environ.update({name: str(path.resolve()) for name, path in named.items() if path is not None})
    uvicorn.run(
        "regstack.cli.application:from_environment",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        log_config=logging_config(),
        proxy_headers=False,
        server_header=False,
    )
