"""All that can be seen of a backend, and what can still be used."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from regstack.models.mfa_code import MfaKind
from regstack.testing.contest import Call, call
from regstack.testing.model.hostile import ATTEMPT_KEYS, EMAILS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from regstack.models.user import User
    from regstack.testing.model.names import Names
    from regstack.testing.model.twin import Twin

_WINDOW = timedelta(hours=1)
_BEFORE = timedelta(days=1)
_EVERYONE = 1000


def sightings(twin: Twin, names: Names, repositories: frozenset[str]) -> Iterator[Call]:
    """Give every read of everything that the program may have stored."""
    users = names.of("user", "nobody")
    keys = sorted({email.key for email in EMAILS})
    yield from _accounts([*twin.reference.store.users.values()])
    for user in users:
        yield call("users.get_by_id", user)
    for key in keys:
        yield call("users.get_by_email", key)
    if "pending" in repositories:
        yield call("pending.count_unexpired")
        for key in keys:
            yield call("users.find_login_subject", key)
            yield call("pending.find_by_email", key)
        for token in names.of("pending_token"):
            yield call("pending.find_by_token_hash", token)
    if "blacklist" in repositories:
        for jti in names.of("jti"):
            yield call("blacklist.is_revoked", jti)
    if "attempts" in repositories:
        for key in (*ATTEMPT_KEYS, *names.of("attempt_key")):
            yield call("attempts.count_recent", key, _WINDOW, twin.clock.now())
    if "mfa_codes" in repositories:
        for user in users:
            for kind in MfaKind:
                yield call("mfa_codes.find", user, kind)
    if "oauth_identities" in repositories:
        for user in users:
            yield call("oauth_identities.list_for_user", user)
        for issuer, subject in sorted(_subjects(twin)):
            yield call("oauth_identities.find_by_subject", issuer, subject)
    if "oauth_states" in repositories:
        for state in names.of("state"):
            yield call("oauth_states.find", state)


def last_uses(twin: Twin, names: Names, repositories: frozenset[str]) -> Iterator[Call]:
    """Use up every token, code and result that the program may have left, and look at the accounts.

    By a `now` from before the program, so that nothing is expired that is still stored.
    """
    now = twin.start - _BEFORE
    if "mfa_codes" in repositories:
        for code in [*twin.reference.store.mfa_codes.values()]:
            yield call("mfa_codes.verify", code.user_id, code.kind, code.code_hash, now)
    if "oauth_states" in repositories:
        for result in names.of("result"):
            yield call("oauth_states.consume", result, now)
    for token in names.of("change_token"):
        yield call("users.confirm_email_change", token, now)
    for token in names.of("reset_token"):
        yield call("users.reset_password", token, f"password of {token}", now)
    if "pending" in repositories:
        for token in names.of("pending_token"):
            yield call("users.create_from_pending", token, now)
    yield call("users.list_page", limit=_EVERYONE)


def _accounts(users: Sequence[User]) -> Iterator[Call]:
    yield call("users.list_page", limit=_EVERYONE)
    for flag in ("is_active", "is_superuser", "is_verified"):
        for value in (True, False):
            yield call("users.count", **{flag: value})
    searches = {
        text[:length] for user in users for text in (user.full_name or "", user.email) for length in (1, 3)
    }
    for search in sorted(searches):
        yield call("users.list_page", limit=_EVERYONE, search=search)
    for user in users:
        yield call("users.list_page", limit=2, after=user.id)


def _subjects(twin: Twin) -> set[tuple[str, str]]:
    linked = [
        step.args[-1]
        for step in twin.program
        if isinstance(step, Call) and step.operation.startswith("oauth_identities.create")
    ]
    return {(identity.issuer, identity.subject) for identity in linked}
