"""`regstack migrate`: brings the schema up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from regstack.cli.settings_files import files_of

if TYPE_CHECKING:
    from regstack.backends.base import SchemaReport
    from regstack.config.schema import RegStackConfig


def migrate(
    context: typer.Context,
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit with status 1 if there is something to do.")
    ] = False,
) -> None:
    """Bring the database's schema up to date.

    Safe to run on every deployment, from several machines at once, and while the application runs.
    """
    import asyncio

    config = files_of(context).load()
    if check:
        pending = asyncio.run(_pending(config))
        typer.echo("\n".join(pending) or "the schema is up to date")
        raise typer.Exit(1 if pending else 0)
    report = asyncio.run(_install(config))
    for change in report.changes:
        typer.echo(change)
    typer.echo(f"the schema is at revision {report.revision}" + ("" if report.changes else ", as it was"))


async def _pending(config: RegStackConfig) -> tuple[str, ...]:
    from regstack.cli.storage import opened

    async with opened(config) as (_, backend):
        return await backend.pending_changes()


async def _install(config: RegStackConfig) -> SchemaReport:
    from regstack.cli.storage import opened

    async with opened(config) as (registry, backend):
        return await registry.install_schema(backend)
