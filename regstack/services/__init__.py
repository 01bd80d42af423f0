"""Use cases: each method is one thing that a person does, over repositories typed as protocols."""
