"""What no operation may accept or trip over: naive datetimes, wrong ids, any text (COM-02, 03, 11)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from regstack.backends.base import Capability
from regstack.errors import NaiveDatetime, UserNotFoundError
from regstack.models.email_address import EmailAddress
from regstack.models.mfa_code import MfaOutcome, MfaVerifyResult
from regstack.testing.contest import Call, call

if TYPE_CHECKING:
    from collections.abc import Callable

    from regstack.auth.clock import FrozenClock
    from regstack.backends.base import Backend
    from regstack.models.user import User
    from regstack.testing.builders import Builder
    from regstack.testing.expectation import Expectation

pytestmark = pytest.mark.anyio
clause, needs = pytest.mark.clause, pytest.mark.needs

NAIVE = datetime(2031, 5, 4, 12, 0)  # noqa: DTZ001 - what must be refused
HOUR = timedelta(hours=1)
EMAIL = EmailAddress("Eve@example.com", "eve@example.com")

OPTIONAL = [
    pytest.param("mfa_codes", marks=needs(Capability.MFA_CODES)),
    pytest.param("oauth_identities", marks=needs(Capability.OAUTH)),
    pytest.param("oauth_states", marks=needs(Capability.OAUTH)),
]


def _result(now: datetime, expires_at: datetime, user: User) -> dict[str, Any]:
    return {
        "result_hash": "0" * 64,
        "user_id": user.id,
        "token_version": 0,
        "was_new_account": False,
        "expires_at": expires_at,
        "now": now,
    }


def _naive_calls(make: Builder, user: User, now: datetime) -> dict[str, Call]:
    return {
        "users.create created_at": call("users.create", make.user(created_at=NAIVE)),
        "users.create updated_at": call("users.create", make.user(updated_at=NAIVE)),
        "users.create last_login": call("users.create", make.user(last_login=NAIVE)),
        "users.create_from_pending": call("users.create_from_pending", make.hash(), NAIVE),
        "users.record_login": call("users.record_login", user.id, NAIVE),
        "users.put_reset_token": call("users.put_reset_token", user.id, make.hash(), NAIVE),
        "users.reset_password": call("users.reset_password", make.hash(), "new", NAIVE),
        "users.put_email_change": call("users.put_email_change", user.id, make.hash(), EMAIL, NAIVE),
        "users.confirm_email_change": call("users.confirm_email_change", make.hash(), NAIVE),
        "pending.put created_at": call("pending.put", make.pending(created_at=NAIVE)),
        "pending.put expires_at": call("pending.put", make.pending(expires_at=NAIVE)),
        "pending.rotate expires_at": call(
            "pending.rotate", make.hash(), token_hash=make.hash(), expires_at=NAIVE, now=now
        ),
        "pending.rotate now": call(
            "pending.rotate", make.hash(), token_hash=make.hash(), expires_at=now, now=NAIVE
        ),
        "pending.consume": call("pending.consume", make.hash(), NAIVE),
        "pending.purge_expired": call("pending.purge_expired", NAIVE),
        "blacklist.revoke": call("blacklist.revoke", make.id(), NAIVE),
        "blacklist.purge_expired": call("blacklist.purge_expired", NAIVE),
        "attempts.claim": call("attempts.claim", make.hash(), limit=1, window=HOUR, now=NAIVE),
        "attempts.record_failure": call("attempts.record_failure", make.hash(), window=HOUR, now=NAIVE),
        "attempts.count_recent": call("attempts.count_recent", make.hash(), HOUR, NAIVE),
        "attempts.purge_expired": call("attempts.purge_expired", NAIVE),
        "mfa_codes.put created_at": call("mfa_codes.put", make.code(user.id, created_at=NAIVE)),
        "mfa_codes.put expires_at": call("mfa_codes.put", make.code(user.id, expires_at=NAIVE)),
        "mfa_codes.verify": call("mfa_codes.verify", user.id, "login", make.hash(), NAIVE),
        "mfa_codes.purge_expired": call("mfa_codes.purge_expired", NAIVE),
        "oauth_identities.create": call("oauth_identities.create", make.identity(user.id, linked_at=NAIVE)),
        "oauth_identities.create_with_user created_at": call(
            "oauth_identities.create_with_user", make.user(created_at=NAIVE), make.identity(user.id)
        ),
        "oauth_identities.create_with_user linked_at": call(
            "oauth_identities.create_with_user", make.user(), make.identity(user.id, linked_at=NAIVE)
        ),
        "oauth_identities.touch_last_used": call("oauth_identities.touch_last_used", make.id(), NAIVE),
        "oauth_states.create created_at": call("oauth_states.create", make.state(created_at=NAIVE)),
        "oauth_states.create expires_at": call("oauth_states.create", make.state(expires_at=NAIVE)),
        "oauth_states.set_result now": call(
            "oauth_states.set_result", make.hash(), **_result(NAIVE, now, user)
        ),
        "oauth_states.set_result expires_at": call(
            "oauth_states.set_result", make.hash(), **_result(now, NAIVE, user)
        ),
        "oauth_states.consume": call("oauth_states.consume", make.hash(), NAIVE),
        "oauth_states.purge_expired": call("oauth_states.purge_expired", NAIVE),
    }


@clause("COM-02")
@pytest.mark.parametrize("repository", ["users", "pending", "blacklist", "attempts", *OPTIONAL])
async def test_a_naive_datetime_is_refused(
    repository: str,
    backend: Backend,
    clock: FrozenClock,
    make: Builder,
    expect: Expectation,
) -> None:
    user = await backend.users.create(make.user())
    for operation, one in _naive_calls(make, user, clock.now()).items():
        if operation.startswith(f"{repository}."):
            outcome = await one.make(backend)
            expect(
                outcome.error,
                NaiveDatetime,
                did=f"{operation} with a datetime that has no time zone (answered {outcome.value!r})",
                cause="the argument does not go through regstack.models.instant.instant",
            )


SPELLINGS: dict[str, Callable[[str], str]] = {
    "upper case": str.upper,
    "without dashes": lambda user_id: user_id.replace("-", ""),
    "in braces": lambda user_id: f"{{{user_id}}}",
    "as a URN": lambda user_id: f"urn:uuid:{user_id}",
    "with a space before": lambda user_id: f" {user_id}",
    "with a newline behind": lambda user_id: f"{user_id}\n",
    "empty": lambda _: "",
    "a word": lambda _: "not-an-id",
    "a quote": lambda user_id: f"{user_id}' OR '1'='1",
    "very long": lambda user_id: user_id * 100,
    "of nobody": lambda user_id: f"{user_id[:-1]}{(int(user_id[-1], 16) + 1) % 16:x}",
}

MISSING = MfaVerifyResult(MfaOutcome.MISSING)


def _calls_by_id(make: Builder, key: str, now: datetime) -> dict[str, tuple[Call, Any]]:
    return {
        "users.get_by_id": (call("users.get_by_id", key), None),
        "users.get_token_subject": (
            call("users.get_token_subject", key, jti=make.id()),
            None,
        ),
        "users.record_login": (call("users.record_login", key, now), False),
        "users.rehash_password": (
            call("users.rehash_password", key, old_hash="old", new_hash="new"),
            False,
        ),
        "users.update_profile": (call("users.update_profile", key, full_name="E"), None),
        "users.set_second_factor": (call("users.set_second_factor", key, "+41446681800"), None),
        "users.set_password": (call("users.set_password", key, "new"), None),
        "users.invalidate_tokens": (call("users.invalidate_tokens", key), None),
        "users.hand_over": (call("users.hand_over", key, token_version=0), None),
        "users.put_reset_token": (
            call("users.put_reset_token", key, make.hash(), now + HOUR),
            False,
        ),
        "users.put_email_change": (
            call("users.put_email_change", key, make.hash(), EMAIL, now + HOUR),
            False,
        ),
        "users.set_flags": (call("users.set_flags", key, is_active=False), None),
        "users.delete": (call("users.delete", key), False),
        "mfa_codes.put": (call("mfa_codes.put", make.code(key)), False),
        "mfa_codes.verify": (
            call("mfa_codes.verify", key, "login", make.hash(), now),
            MISSING,
        ),
        "mfa_codes.find": (call("mfa_codes.find", key, "login"), None),
        "mfa_codes.delete": (call("mfa_codes.delete", key, "login"), False),
        "oauth_identities.create": (
            call("oauth_identities.create", make.identity(key)),
            UserNotFoundError,
        ),
        "oauth_identities.list_for_user": (
            call("oauth_identities.list_for_user", key),
            [],
        ),
        "oauth_identities.delete": (call("oauth_identities.delete", key, "google"), False),
        "oauth_identities.delete_by_user_id": (
            call("oauth_identities.delete_by_user_id", key),
            0,
        ),
        "oauth_identities.touch_last_used": (
            call("oauth_identities.touch_last_used", key, now),
            False,
        ),
        "oauth_states.create": (
            call("oauth_states.create", make.state(linking_user_id=key)),
            False,
        ),
    }


@clause("COM-03")
@pytest.mark.parametrize("repository", ["users", *OPTIONAL])
async def test_an_id_in_another_spelling_or_of_nobody_is_not_found(
    repository: str,
    backend: Backend,
    clock: FrozenClock,
    make: Builder,
    expect: Expectation,
) -> None:
    user = await backend.users.create(make.user(hashed_password="old"))  # noqa: S106 - not a password
    for spelling, respell in SPELLINGS.items():
        for operation, (one, wanted) in _calls_by_id(make, respell(user.id), clock.now()).items():
            if operation.startswith(f"{repository}."):
                outcome = await one.make(backend)
                expect(
                    outcome.error or outcome.value,
                    wanted,
                    did=f"{operation} with an id {spelling}",
                    cause="the UUID type of the database takes several spellings; check is_id first",
                )
    expect(await backend.users.get_by_id(user.id), user, did="read the account afterwards")


@clause("COM-03", "OST-01")
@needs(Capability.OAUTH)
async def test_a_result_for_nobody_is_refused_and_leaves_the_flow_open(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    user = await backend.users.create(make.user())
    state = make.state()
    await backend.oauth_states.create(state)
    for spelling, respell in SPELLINGS.items():
        arguments = _result(clock.now(), clock.now() + HOUR, user) | {"user_id": respell(user.id)}
        expect(
            await backend.oauth_states.set_result(state.state_hash, **arguments),
            False,
            did=f"set_result with a user id {spelling}",
        )
    expect(await backend.oauth_states.find(state.state_hash), state, did="read the flow afterwards")


TEXTS = {
    "composed": "Jos\u00e9",
    "decomposed": "Jose\u0301",
    "sharp s": "Straße ẞ",
    "dotted and dotless i": "İstanbul ılık",
    "ligature and full width": "ﬁ Ａｄａ",
    "emoji of several code points": "👩🏽‍🚀 👨‍👩‍👧‍👦 🇨🇭",
    "four bytes": "𠮷野家 𝒳",
    "right to left": "שָׁלוֹם مرحبا \u202eabc\u202c",
    "quotes": """O'Hara "x" `y` \\ \\' ' OR '1'='1'; DROP TABLE users; --""",
    "patterns": "100% _ .* ^$ [a-z] (x|y) $ne {$gt: ''} ? :name %(x)s",
    "spaces at the ends": "  Ada\t",
    "lines": "one\r\ntwo\nthree",
    "no width": "a\u200bb\u200d\ufeff",
    "empty": "",
    "looks like null": "NULL",
    "looks like a number": "0012.50",
    "long": "ä" * 200,
}


@clause("COM-11")
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
async def test_text_is_stored_exactly(
    text: str, backend: Backend, make: Builder, expect: Expectation
) -> None:
    cause = "a column or connection that is not UTF-8, a trimming type, or empty text taken for null"
    user = await backend.users.create(make.user(full_name=text, email=f"{text}@example.com"))
    stored = await backend.users.get_by_id(user.id)
    expect(
        stored and (stored.full_name, stored.email), (text, f"{text}@example.com"), did="users", cause=cause
    )
    changed = await backend.users.update_profile(user.id, full_name=f"{text}!")
    expect(changed and changed.full_name, f"{text}!", did="users.update_profile", cause=cause)
    pending = make.pending(full_name=text, email=text)
    await backend.pending.put(pending)
    expect(await backend.pending.find_by_email(pending.email_key), pending, did="pending", cause=cause)
    if Capability.MFA_CODES in backend.capabilities:
        code = make.code(user.id, target=text)
        await backend.mfa_codes.put(code)
        expect(await backend.mfa_codes.find(user.id, code.kind), code, did="mfa_codes", cause=cause)
    if Capability.OAUTH in backend.capabilities:
        identity = make.identity(user.id, subject=f"{text}.", issuer=f"{text}/", email=text)
        await backend.oauth_identities.create(identity)
        found = await backend.oauth_identities.find_by_subject(identity.issuer, identity.subject)
        expect(found, identity, did="oauth_identities", cause=cause)
        state = make.state(redirect_to=text)
        await backend.oauth_states.create(state)
        expect(await backend.oauth_states.find(state.state_hash), state, did="oauth_states", cause=cause)


LOOK_ALIKES = [
    "ada@x.ch",
    "ad\u00e4@x.ch",
    "ada\u0308@x.ch",
    "ada@x.ch ",
    "a\u0131a@x.ch",
    "aia@x.ch",
    "a%a@x.ch",
]


@clause("COM-11", "USR-01")
async def test_keys_that_look_alike_are_different_accounts(
    backend: Backend, make: Builder, expect: Expectation
) -> None:
    users = [await backend.users.create(make.user(email_key=key)) for key in LOOK_ALIKES]
    for user in users:
        expect(
            await backend.users.get_by_email(user.email_key),
            user,
            did=f"looked up {user.email_key!a} among keys that look like it",
            cause="a collation that ignores case, accents or trailing spaces, or LIKE for `=`",
        )
    expect(await backend.users.get_by_email("ADA@x.ch"), None, did="looked up a key in upper case")


@clause("COM-11")
async def test_keys_are_compared_exactly_everywhere(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    cause = "a collation that ignores case or trailing spaces"
    await backend.blacklist.revoke("token-a", clock.now() + HOUR)
    expect(await backend.blacklist.is_revoked("TOKEN-A"), False, did="asked for another jti", cause=cause)
    expect(await backend.blacklist.is_revoked("token-a "), False, did="asked for another jti", cause=cause)
    await backend.attempts.claim("login:a", limit=1, window=HOUR, now=clock.now())
    for key in ("LOGIN:A", "login:a ", "login:%"):
        came = await backend.attempts.count_recent(key, HOUR, clock.now())
        expect(came, 0, did=f"counted attempts of {key!r}", cause=cause)
    if Capability.OAUTH in backend.capabilities:
        for subject in ("subject-a", "SUBJECT-A", "subject-a "):
            user = await backend.users.create(make.user())
            identity = make.identity(user.id, subject=subject)
            outcome = await call("oauth_identities.create", identity).make(backend)
            expect(outcome.value, identity, did=f"linked the subject {subject!r}", cause=cause)


@clause("COM-11")
async def test_a_missing_value_and_an_empty_one_are_kept_apart(
    backend: Backend, make: Builder, expect: Expectation
) -> None:
    for name in (None, ""):
        user = await backend.users.create(make.user(full_name=name, hashed_password=name))
        stored = await backend.users.get_by_id(user.id)
        wanted = replace(user, full_name=name, hashed_password=name)
        expect(stored, wanted, did=f"stored full_name and hashed_password as {name!r}")
