"""The reference in-memory backend, and the contract suite that every backend must pass."""
