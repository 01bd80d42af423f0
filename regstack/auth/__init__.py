"""Primitives of authentication, without I/O."""
