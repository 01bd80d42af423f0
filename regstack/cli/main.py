"""The console entry point `regstack`."""

from __future__ import annotations

import sys


def run() -> None:
    """Run the command line.

    Listing plugins goes past typer, which loads pydantic to read the plainest option, and is
    to stay cheap and to work where pydantic is broken.
    """
    match sys.argv[1:]:
        case ["doctor", "--list-backends", *more] if more in ([], ["--json"]):
            from regstack.cli.backend_listing import print_backends

            print_backends(to_json=bool(more))
        case ["doctor", "--list-transports", *more] if more in ([], ["--json"]):
            from regstack.cli.transport_listing import print_transports

            print_transports(to_json=bool(more))
        case _:
            from regstack.cli.commands import make_app

            make_app()()
