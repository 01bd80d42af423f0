"""Two server processes over one database."""
