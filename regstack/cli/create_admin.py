"""`regstack create-admin`: makes the first administrator."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from regstack.cli.settings_files import files_of

if TYPE_CHECKING:
    from regstack.config.schema import RegStackConfig
    from regstack.models.user import User


def create_admin(
    context: typer.Context,
    *,
    email: Annotated[str, typer.Option(prompt="Email address", help="The administrator's address.")],
    password_stdin: Annotated[
        bool,
        typer.Option("--password-stdin", help="Read the password from the first line of standard input."),
    ] = False,
) -> None:
    """Create an administrator, or promote one.

    An account that exists is promoted and keeps its password.
    """
    import asyncio

    config = files_of(context).load()
    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    user = asyncio.run(_create(config, email, password))
    typer.echo(f"{user.email} is an administrator (id {user.id})")


async def _create(config: RegStackConfig, email: str, password: str) -> User:
    from regstack.app import RegStack

    async with RegStack(config=config) as rs:
        return await rs.bootstrap_admin(email, password)
