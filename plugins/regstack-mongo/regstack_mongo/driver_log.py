"""What the driver may write into its log."""

from __future__ import annotations

import logging
from typing import Any

COMMANDS = logging.getLogger("pymongo.command")
"""Where the driver logs, at DEBUG, each command and each answer with all that they hold."""


class WithoutDocuments(logging.Filter):
    """Leaves names and durations of one client's commands in the log, and takes their documents out.

    Password hashes, token hashes and addresses are in them. Other clients of the process are left alone.

    Args:
        client: an `AsyncMongoClient`.
    """

    def __init__(self, client: Any) -> None:
        super().__init__()
        self._client_id = client._topology_settings._topology_id  # noqa: SLF001 - what records are told apart by

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: D102
        fields = getattr(record.msg, "_kwargs", None)
        if isinstance(fields, dict) and fields.get("clientId") == self._client_id:
            for name in ("command", "reply", "failure"):
                fields.pop(name, None)
        return True
