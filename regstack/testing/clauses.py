"""The clauses of the contract, read from the docstrings that state them."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from regstack.backends import protocols
from regstack.backends.base import Capability

if TYPE_CHECKING:
    from collections.abc import Mapping

REPOSITORIES = {
    "users": protocols.UserRepoProtocol,
    "pending": protocols.PendingRepoProtocol,
    "blacklist": protocols.BlacklistRepoProtocol,
    "attempts": protocols.LoginAttemptRepoProtocol,
    "mfa_codes": protocols.MfaCodeRepoProtocol,
    "oauth_identities": protocols.OAuthIdentityRepoProtocol,
    "oauth_states": protocols.OAuthStateRepoProtocol,
}

NOT_CHECKED = {
    "COM-14": "what arrives is core's to hash; core's own tests check it",
    "COM-15": "needs several servers",
}
"""Clauses that no test of the suite checks, and why."""

PARTLY_CHECKED = {
    "COM-12": "data of earlier revisions is for the backend's own tests",
}
"""Clauses of which a part cannot be checked by a suite for all backends, and why."""

_CLAUSE = re.compile(r"^([A-Z]{3}-\d\d)  (.+(?:\n {8}\S.*)*)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Clause:
    """One rule of the contract.

    Attributes:
        name: `USR-04`, or `users.record_login` for an operation whose docstring has no clause.
        rule: the text.
    """

    name: str
    rule: str


@cache
def catalogue() -> Mapping[str, Clause]:
    """Give every clause, `capabilities`, then every operation that is described without a clause."""
    clauses = _numbered(protocols.__doc__)
    operations: dict[str, Clause] = {}
    for repository, protocol in REPOSITORIES.items():
        clauses |= _numbered(inspect.getdoc(protocol))
        for name, operation in vars(protocol).items():
            if name.startswith("_") or not inspect.isfunction(operation):
                continue
            doc = inspect.getdoc(operation) or ""
            numbered = _numbered(doc)
            clauses |= numbered
            if not numbered:
                operation_name = f"{repository}.{name}"
                operations[operation_name] = Clause(operation_name, _one_line(doc))
    capabilities = Clause("capabilities", _one_line(inspect.getdoc(Capability) or ""))
    return MappingProxyType(clauses | {"capabilities": capabilities} | operations)


def _numbered(doc: str | None) -> dict[str, Clause]:
    found = _CLAUSE.findall(inspect.cleandoc(doc or ""))
    return {name: Clause(name, _one_line(rule)) for name, rule in found}


def _one_line(text: str) -> str:
    return " ".join(text.split())
