"""The commands put together: global options, and how errors are told."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from regstack.cli.contract import contract
from regstack.cli.create_admin import create_admin
from regstack.cli.doctor import doctor
from regstack.cli.init import init
from regstack.cli.migrate import migrate
from regstack.cli.purge import purge
from regstack.cli.serve import serve
from regstack.cli.settings_files import SettingsFiles
from regstack.errors import RegStackError


class _Commands(TyperGroup):
    """Tells regstack's own errors in one message, without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except RegStackError as error:
            typer.echo(f"regstack: {error}", err=True)
            raise typer.Exit(1) from None


def _version(wanted: bool) -> None:
    if wanted:
        from regstack import __version__

        typer.echo(f"regstack {__version__}")
        raise typer.Exit


def settings(
    context: typer.Context,
    *,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", "-c", help="Settings file; otherwise $REGSTACK_CONFIG, then ./regstack.toml."
        ),
    ] = None,
    secrets: Annotated[
        Path | None,
        typer.Option(help="Secrets file; otherwise $REGSTACK_SECRETS, then ./regstack.secrets.env."),
    ] = None,
    version: Annotated[  # noqa: ARG001 - the callback answers
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """User accounts for FastAPI applications, in the application's own database."""
    context.obj = SettingsFiles(config, secrets)


def make_app() -> typer.Typer:
    """Put the commands together."""
    # rich would triple the start-up time of every command.
    app = typer.Typer(
        cls=_Commands,
        name="regstack",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(settings)
    for command in (init, doctor, migrate, create_admin, purge, serve, contract):
        app.command()(command)
    return app
