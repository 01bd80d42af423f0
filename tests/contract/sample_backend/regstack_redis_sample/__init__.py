"""Accounts of regstack in Redis."""
