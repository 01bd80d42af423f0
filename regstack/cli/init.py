"""`regstack init`: writes the settings files of a new application."""

from __future__ import annotations

import secrets
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from regstack.config.urls import is_loopback


class MailTransport(StrEnum):
    """Transports that `regstack init` can set up."""

    CONSOLE = "console"
    SMTP = "smtp"


def init(
    *,
    directory: Annotated[Path, typer.Option(help="Folder to write the files to.")] = Path(),
    app_name: Annotated[str | None, typer.Option(help="Name shown on pages and in mails.")] = None,
    base_url: Annotated[
        str | None, typer.Option(help="Public URL of the application; all links start with it.")
    ] = None,
    database_url: Annotated[
        str | None,
        typer.Option(help="Where accounts live. Leave it out to be asked, if it holds a password."),
    ] = None,
    email_backend: Annotated[MailTransport | None, typer.Option(help="How mail leaves.")] = None,
    from_address: Annotated[str | None, typer.Option(help="Sender address of mails.")] = None,
    smtp_host: Annotated[str | None, typer.Option(help="SMTP server, with --email-backend smtp.")] = None,
    smtp_username: Annotated[
        str | None,
        typer.Option(help="SMTP user; the password is asked for, or goes to the secrets file later."),
    ] = None,
    pages: Annotated[
        bool | None, typer.Option("--pages/--no-pages", help="Serve regstack's own pages for accounts.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing; take defaults.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Move files that exist aside (to *.bak) and write new ones.")
    ] = False,
) -> None:
    """Write settings files with a generated key.

    regstack.toml holds what may be read, regstack.secrets.env what may not. A database URL with a
    password goes to the latter. Nothing that exists is written over.
    """
    from regstack.cli.settings_writer import SettingsWriter

    # Before the first question: nobody should answer them all and then be refused.
    writer = SettingsWriter(directory, force=force)

    def ask(given: Any, question: str, default: Any) -> Any:
        return given if given is not None else default if yes else typer.prompt(question, default=default)

    values: dict[str, Any] = {
        "app_name": ask(app_name, "Name of the application", "RegStack"),
        "base_url": ask(base_url, "Public URL", "http://localhost:8000"),
        "database_url": ask(database_url, "Database URL", "sqlite+aiosqlite:///./regstack.db"),
    }
    if pages is None:
        pages = yes or typer.confirm("Serve regstack's own pages", default=True)
    values["enable_ui_router"] = pages
    transport = email_backend or (MailTransport.CONSOLE if yes else _ask_transport())
    email: dict[str, Any] = {"backend": transport.value}
    if transport is MailTransport.CONSOLE and is_loopback(values["base_url"]):
        email["log_bodies"] = True
    if transport is MailTransport.SMTP:
        email["smtp_host"] = ask(smtp_host, "SMTP server", None)
        if smtp_username is None and not yes:
            smtp_username = typer.prompt("SMTP user (empty for none)", default="", show_default=False)
        if smtp_username:
            email["smtp_username"] = smtp_username
            if not yes and sys.stdin.isatty():
                email["smtp_password"] = typer.prompt("SMTP password", hide_input=True)
    if transport is MailTransport.SMTP or from_address is not None:
        email["from_address"] = ask(from_address, "Sender address", "noreply@example.com")

    for line in writer.write(values | {"email": email, "jwt_secret": secrets.token_urlsafe(48)}):
        typer.echo(line)
    if "log_bodies" in email:
        typer.echo("mails are printed whole, links included (email.log_bodies): for development only")
    if "smtp_username" in email and "smtp_password" not in email:
        typer.echo("add a line REGSTACK_EMAIL__SMTP_PASSWORD='…' to the secrets file")
    typer.echo("keep the secrets file out of version control; `regstack doctor` checks the rest")


def _ask_transport() -> MailTransport:
    def read(answer: str) -> MailTransport:
        try:
            return MailTransport(answer.strip().lower())
        except ValueError:
            raise typer.BadParameter("write console or smtp") from None

    answer: MailTransport = typer.prompt(
        "Mail transport (console, smtp)", default=MailTransport.CONSOLE.value, value_proc=read
    )
    return answer
