"""`regstack purge`: deletes what has expired."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from regstack.cli.settings_files import files_of

if TYPE_CHECKING:
    from regstack.config.schema import RegStackConfig


def purge(
    context: typer.Context,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Delete what expired over an hour ago.

    Workers do so by themselves once in `purge_interval_seconds`, a day after the expiry; this is for
    those where that is 0.
    """
    import asyncio

    deleted = asyncio.run(_purge(files_of(context).load()))
    if as_json:
        import json

        typer.echo(json.dumps({"deleted": deleted}))
        return
    for name, count in deleted.items():
        typer.echo(f"{name}: {count} deleted")


async def _purge(config: RegStackConfig) -> dict[str, int]:
    from regstack.cli.storage import opened

    async with opened(config) as (_, backend):
        return await backend.purge_expired(backend.clock.now())
