"""What an operation may read, in a database of twenty thousand accounts."""

from __future__ import annotations

from datetime import UTC, datetime

ACCOUNTS = 20_000
START = datetime(2026, 5, 4, 12, tzinfo=UTC)

MAY_SCAN = {
    "users.count, of all": "an exact total",
    "users.count, of the active": "an exact total",
    "users.count, of the verified": "an exact total",
    "users.count, by a prefix": "an exact total; PostgreSQL may plan for more matches than there are",
    "pending.count_unexpired": "an exact total",
    "users.list_page, passing over": "`skip` reads what it passes over",
}
"""What reads as much as there is, and why it may."""
