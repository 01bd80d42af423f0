"""Storage: what a backend is, what it must guarantee, and the kit for SQL ones."""
