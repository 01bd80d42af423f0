"""Where an application runs that only its developer can reach."""

from __future__ import annotations

LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
"""Host names of such a `base_url`."""
