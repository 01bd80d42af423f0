"""The command `regstack`; one module a command, heavy imports inside the commands."""
