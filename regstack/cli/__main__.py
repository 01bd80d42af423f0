"""`python -m regstack.cli`, the same as `regstack`."""

from regstack.cli.main import run

run()
