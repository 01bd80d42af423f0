"""`regstack doctor`: is everything as it should be, and if not, what to do."""

from __future__ import annotations

from typing import Annotated

import typer

from regstack.cli.settings_files import files_of

GREATEST_EXIT_STATUS = 100
"""An exit status has one byte, and what is above 125 means something else to a shell."""


def doctor(
    context: typer.Context,
    *,
    list_backends: Annotated[
        bool, typer.Option("--list-backends", help="Only list the installed backends; connects to nothing.")
    ] = False,
    list_transports: Annotated[
        bool,
        typer.Option(
            "--list-transports",
            help="Only list the installed transports; connects to nothing.",
        ),
    ] = False,
    tune_hashing: Annotated[
        bool,
        typer.Option(
            "--tune-hashing",
            help="Only measure password hashing for some seconds, and suggest settings; connects to nothing.",
        ),
    ] = False,
    hash_milliseconds: Annotated[
        float, typer.Option(min=1, help="How long a hash may take, for --tune-hashing.")
    ] = 100.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check settings, plugins, database, mail and text messages.

    The exit status is the number of failed checks.
    """
    if list_backends:
        from regstack.cli.backend_listing import print_backends

        print_backends(to_json=as_json)
        return
    if list_transports:
        from regstack.cli.transport_listing import print_transports

        print_transports(to_json=as_json)
        return
    if tune_hashing:
        from regstack.cli.tuning import print_tuning

        print_tuning(files_of(context).load(), hash_milliseconds, to_json=as_json)
        return
    import asyncio

    from regstack.cli.checks import all_checks
    from regstack.models.finding import Health

    checks = asyncio.run(all_checks(files_of(context)))
    failed = sum(check.status is Health.FAILED for check in checks)
    if as_json:
        import json
        from dataclasses import asdict

        report = {"failed": failed, "checks": [asdict(check) for check in checks]}
        typer.echo(json.dumps(report, indent=2))
    else:
        from regstack.cli.columns import columns

        rows: list[tuple[str, str, str]] = []
        for check in checks:
            first, *more = check.detail.splitlines() or [""]
            rows.append((check.status, check.name, first))
            rows += [("", "", line) for line in more]
            rows += [("", "", f"→ {check.next_step}")] if check.next_step else []
        typer.echo(columns(("STATUS", "CHECK", "DETAIL"), rows))
        typer.echo(f"\n{failed} failed" if failed else "\nall is well")
    raise typer.Exit(min(failed, GREATEST_EXIT_STATUS))
