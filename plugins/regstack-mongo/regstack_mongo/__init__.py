"""MongoDB backend for regstack."""
