"""Text messages and the transports that carry them."""
