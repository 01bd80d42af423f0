"""`regstack create-admin`: makes the first administrator."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from regstack.cli.settings_files import files_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from regstack.config.schema import RegStackConfig


def create_admin(
    context: typer.Context,
    *,
    email: Annotated[str, typer.Option(prompt="Email address", help="The administrator's address.")],
    password_stdin: Annotated[
        bool,
        typer.Option("--password-stdin", help="Read the password from the first line of standard input."),
    ] = False,
) -> None:
    """Create an administrator, or promote an account.

    A password is asked for where there is no account yet, or none that has confirmed its address.
    A confirmed account is promoted and keeps its password.
    """
    import asyncio

    def ask() -> str:
        if password_stdin:
            return sys.stdin.readline().rstrip("\r\n")
        password: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
        return password

    typer.echo(asyncio.run(_create(files_of(context).load(), email, ask)))


async def _create(config: RegStackConfig, email: str, ask: Callable[[], str]) -> str:
    from regstack.app import RegStack
    from regstack.auth.emails import parse_email

    address = parse_email(email)
    async with RegStack(config=config) as rs:
        found = await rs.users.get_by_email(address.key)
        keeps_password = found is not None and found.is_verified
        user = await rs.bootstrap_admin(address.address, "" if keeps_password else ask())
    if found is None:
        what = "is an administrator"
    elif found.is_superuser:
        what = "is an administrator already"
    else:
        what = (
            "is an administrator now, and "
            + ("keeps its" if keeps_password else "has this new")
            + " password"
        )
    return f"{user.email} {what} (id {user.id})"
