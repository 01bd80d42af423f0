"""The Alembic folder of the kit: `env.py` and the revisions."""
