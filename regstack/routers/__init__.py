"""HTTP: parse, call one service, map errors to status."""
