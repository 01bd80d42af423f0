"""`regstack contract`: runs the contract suite against a real database."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from regstack.cli.settings_files import files_of
from regstack.errors import ConfigurationError

if TYPE_CHECKING:
    from regstack.config.schema import RegStackConfig

NEEDED = ("pytest", "anyio", "hypothesis")
"""What the extra `testing` brings."""


def contract(
    context: typer.Context,
    url: Annotated[
        str | None,
        typer.Argument(
            help="Database URL; without it the `database_url` of the settings, and of them nothing else.",
            show_default=False,
        ),
    ] = None,
    *,
    harness: Annotated[
        str | None,
        typer.Option(metavar="MODULE:NAME", help="A Harness in place of the URL; file.py:NAME works too."),
    ] = None,
    clause: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only the tests of this clause, COM-06 for example; repeatable."),
    ] = None,
    thorough: Annotated[
        bool, typer.Option("--thorough", help="More rounds of each race, more examples of the model.")
    ] = False,
    seed: Annotated[int | None, typer.Option(help="Draw the same orders as an earlier run.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write the result to this file, as JSON.")] = None,
) -> None:
    """Check that a backend keeps the storage contract, clause by clause.

    Runs in tables (or collections, or keys) of its own, whose prefix nobody uses, and drops them
    at the end; nothing else in the database is read or changed. Where it is killed, what begins
    with `t` and ten hexadecimal digits is left, and may be dropped. Not for a server under load: it
    makes many connections.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"the contract suite needs {', '.join(missing)}: install regstack with the extra `testing`, "
            'from a copy: pip install "./regstack[testing]"'
        )
    if url is not None and harness is not None:
        raise ConfigurationError("give a URL or --harness, not both")
    if url is None and harness is None:
        url = files_of(context).load().database_url.get_secret_value()
    import asyncio

    from regstack.config.schema import RegStackConfig
    from regstack.testing.clauses import catalogue
    from regstack.testing.harness import load_harness
    from regstack.testing.runner import SUITE_OPTIONS

    unknown = sorted(set(clause or ()) - catalogue().keys())
    if unknown:
        raise ConfigurationError(
            f"there is no clause {', '.join(unknown)}; clauses are {', '.join(catalogue())}"
        )
    if harness is not None:
        load_harness(harness).close()
    elif url is not None and "{" not in url:
        asyncio.run(_reached(RegStackConfig(database_url=url)))
    import pytest

    options = [*SUITE_OPTIONS, "--no-header", "-r", "fE", "--tb=short"]
    options += [f"--regstack-url={url}"] if url is not None else [f"--regstack-harness={harness}"]
    options += [f"--regstack-clause={name}" for name in clause or ()]
    options += ["--regstack-thorough"] if thorough else []
    options += [] if seed is None else [f"--regstack-seed={seed}"]
    options += [] if report is None else [f"--regstack-report={report}"]
    raise typer.Exit(int(pytest.main(options)))


async def _reached(config: RegStackConfig) -> None:
    """Ping the database, so that a wrong URL ends in one sentence."""
    from regstack.cli.storage import opened

    async with opened(config) as (registry, backend):
        await registry.ping(backend)
