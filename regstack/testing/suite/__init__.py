"""The contract suite: `pytest -p regstack.testing.plugin --pyargs regstack.testing.suite`.

A module for each repository, and one for the clauses that hold for all. Every test names its
clauses; what a clause demands stands in `regstack.backends.protocols`.
"""
