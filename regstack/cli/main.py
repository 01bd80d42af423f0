"""The console entry point `regstack`."""

from __future__ import annotations

import sys


def run() -> None:
    """Run the command line.

    Listing the backends goes past typer, which loads pydantic to read the plainest option, and is
    to stay cheap and to work where pydantic is broken.
    """
    arguments = sys.argv[1:]
    if arguments[:2] == ["doctor", "--list-backends"] and arguments[2:] in ([], ["--json"]):
        from regstack.cli.backend_listing import print_backends

        print_backends(as_json="--json" in arguments)
        return
    from regstack.cli.commands import make_app

    make_app()()
