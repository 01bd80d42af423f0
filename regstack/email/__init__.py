"""Mails: what they say, and the transports that carry them."""
