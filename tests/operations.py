"""Every operation of the storage contract, in each way that asks the database something else."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from regstack.backends import protocols
from regstack.backends.base import Backend
from regstack.errors import LastSuperuserError, OAuthIdentityAlreadyLinkedError, UserAlreadyExistsError
from regstack.models.user import User
from regstack.testing.builders import HOUR, Builder

REPOSITORIES = {
    "users": protocols.UserRepoProtocol,
    "pending": protocols.PendingRepoProtocol,
    "blacklist": protocols.BlacklistRepoProtocol,
    "attempts": protocols.LoginAttemptRepoProtocol,
    "mfa_codes": protocols.MfaCodeRepoProtocol,
    "oauth_identities": protocols.OAuthIdentityRepoProtocol,
    "oauth_states": protocols.OAuthStateRepoProtocol,
}
SMALL_PAGE = 5

Operations = dict[str, Callable[[], Awaitable[Any]]]


def operation_of(name: str) -> str:
    """Give `users.delete` of `users.delete, refused`."""
    return name.partition(",")[0]


async def operations_of(backend: Backend, make: Builder) -> Operations:
    """Make what the operations need, and give them by name; they run in this order, once.

    None of them is missing: an operation that is new in a protocol fails here until it is played.

    Args:
        backend: with administrators that stay.
        make: of a clock that stands, as the backend's does.
    """
    operations = {
        **await _users(backend, make),
        **await _credentials(backend, make),
        **await _registrations(backend, make),
        **_pages(backend, make),
        **await _counters(backend, make),
        **await _codes(backend, make),
        **await _identities(backend, make),
        **await _flows(backend, make),
        **await _endings(backend, make),
    }
    wanted = {
        f"{repository}.{name}"
        for repository, protocol in REPOSITORIES.items()
        for name, _ in inspect.getmembers(protocol, inspect.isfunction)
        if not name.startswith("_")
    }
    assert {operation_of(name) for name in operations} == wanted
    return operations


async def _users(backend: Backend, make: Builder) -> Operations:
    users = backend.users
    user = await users.create(make.user())
    return {
        "users.create": lambda: users.create(make.user()),
        "users.create, again": lambda: users.create(user),
        "users.create, taken": lambda: _refused(
            UserAlreadyExistsError, users.create(make.user(email_key=user.email_key))
        ),
        "users.get_by_id": lambda: users.get_by_id(user.id),
        "users.get_by_email": lambda: users.get_by_email(user.email_key),
        "users.find_login_subject": lambda: users.find_login_subject(user.email_key),
        "users.find_login_subject, of nobody": lambda: users.find_login_subject(make.email().key),
        "users.get_token_subject": lambda: users.get_token_subject(user.id, jti="x"),
        "users.get_token_subject, together": lambda: asyncio.gather(
            *(users.get_token_subject(user.id, jti=jti) for jti in "xyz")
        ),
        "users.record_login": lambda: users.record_login(user.id, make.clock.now()),
        "users.update_profile": lambda: users.update_profile(user.id, full_name="Ada King"),
        "users.set_second_factor": lambda: users.set_second_factor(user.id, "+41446681800"),
    }


async def _credentials(backend: Backend, make: Builder) -> Operations:
    users, now, later = backend.users, make.clock.now(), make.clock.now() + HOUR
    user = await users.create(make.user())
    reset, change, new_email = make.hash(), make.hash(), make.email()
    squatted = await users.create(make.user())
    await backend.oauth_identities.create(make.identity(squatted.id))
    await backend.mfa_codes.put(make.code(squatted.id))
    return {
        "users.rehash_password": lambda: users.rehash_password(
            user.id, old_hash=str(user.hashed_password), new_hash="x"
        ),
        "users.set_password": lambda: users.set_password(user.id, "y", token_version=0),
        "users.invalidate_tokens": lambda: users.invalidate_tokens(user.id),
        "users.hand_over": lambda: users.hand_over(squatted.id, token_version=0),
        "users.hand_over, refused": lambda: users.hand_over(squatted.id, token_version=0),
        "users.put_reset_token": lambda: users.put_reset_token(user.id, reset, later, token_version=2),
        "users.reset_password": lambda: users.reset_password(reset, "z", now),
        "users.reset_password, used": lambda: users.reset_password(reset, "z", now),
        "users.put_email_change": lambda: users.put_email_change(user.id, change, new_email, later),
        "users.confirm_email_change": lambda: users.confirm_email_change(change, now),
        "users.confirm_email_change, used": lambda: users.confirm_email_change(change, now),
    }


async def _registrations(backend: Backend, make: Builder) -> Operations:
    users, pending, now, later = backend.users, backend.pending, make.clock.now(), make.clock.now() + HOUR
    first, confirmed, taken = make.pending(), make.pending(), make.pending()
    await pending.put(confirmed)
    await pending.put(taken)
    await users.create(make.user(email_key=taken.email_key))
    account = await users.create(make.user())
    of_account = make.pending(user_id=account.id, email_key=account.email_key, for_account=True)
    await pending.put(of_account)
    verified = await users.create(make.user(is_verified=True))
    repeated = make.pending(user_id=verified.id, email_key=verified.email_key)
    await pending.put(repeated)
    second, third = make.hash(), make.pending()
    await pending.put(third)
    return {
        "pending.put": lambda: pending.put(first),
        "pending.put, again": lambda: pending.put(replace(first, full_name="Ada")),
        "pending.find_by_email": lambda: pending.find_by_email(first.email_key),
        "pending.find_by_token_hash": lambda: pending.find_by_token_hash(first.token_hash),
        "pending.rotate": lambda: pending.rotate(
            first.token_hash, token_hash=second, expires_at=later, now=now
        ),
        "pending.consume": lambda: pending.consume(second, now),
        "pending.delete_by_email": lambda: pending.delete_by_email(third.email_key),
        "pending.count_unexpired": pending.count_unexpired,
        "users.create_from_pending": lambda: users.create_from_pending(confirmed.token_hash, now),
        "users.create_from_pending, used": lambda: users.create_from_pending(confirmed.token_hash, now),
        "users.create_from_pending, of an account": lambda: users.create_from_pending(
            of_account.token_hash, now
        ),
        "users.create_from_pending, done before": lambda: users.create_from_pending(repeated.token_hash, now),
        "users.create_from_pending, taken": lambda: _refused(
            UserAlreadyExistsError, users.create_from_pending(taken.token_hash, now)
        ),
    }


def _pages(backend: Backend, make: Builder) -> Operations:
    operations: Operations = {}
    for searched, search in (("", None), (" by a prefix", "ada.lovelace1")):
        for placed, after in (("", None), (" after an id", make.id()), (" after a text", "0")):
            for flagged, flag in (("", None), (" of administrators", True)):
                operations[f"users.list_page,{flagged}{searched}{placed}"] = _page(
                    backend, search=search, after=after, is_superuser=flag
                )
    return operations | {
        "users.list_page, passing over": _page(backend, skip=1000),
        "users.list_page, of the inactive": _page(backend, is_active=False),
        "users.list_page, of the unverified": _page(backend, is_verified=False),
        "users.count, of administrators": lambda: backend.users.count(is_superuser=True),
        "users.count, by a prefix": lambda: backend.users.count(search="ada.lovelace1"),
        "users.count, of all": backend.users.count,
        "users.count, of the active": lambda: backend.users.count(is_active=True),
        "users.count, of the verified": lambda: backend.users.count(is_verified=True),
    }


def _page(backend: Backend, **arguments: Any) -> Callable[[], Awaitable[list[User]]]:
    return lambda: backend.users.list_page(limit=SMALL_PAGE, **arguments)


async def _counters(backend: Backend, make: Builder) -> Operations:
    blacklist, attempts, now = backend.blacklist, backend.attempts, make.clock.now()
    jti, key = make.id(), make.hash()
    return {
        "blacklist.revoke": lambda: blacklist.revoke(jti, now + HOUR),
        "blacklist.revoke, again": lambda: blacklist.revoke(jti, now + HOUR),
        "blacklist.is_revoked": lambda: blacklist.is_revoked(jti),
        "attempts.claim": lambda: attempts.claim(key, limit=3, window=HOUR, now=now),
        "attempts.claim, again": lambda: attempts.claim(key, limit=3, window=HOUR, now=now),
        "attempts.record_failure": lambda: attempts.record_failure(key, window=HOUR, now=now),
        "attempts.count_recent": lambda: attempts.count_recent(key, HOUR, now),
        "attempts.clear": lambda: attempts.clear(key),
    }


async def _codes(backend: Backend, make: Builder) -> Operations:
    codes, now = backend.mfa_codes, make.clock.now()
    user = await backend.users.create(make.user())
    code = make.code(user.id)
    return {
        "mfa_codes.put": lambda: codes.put(code),
        "mfa_codes.put, of nobody": lambda: codes.put(make.code(make.id())),
        "mfa_codes.find": lambda: codes.find(user.id, code.kind),
        "mfa_codes.verify": lambda: codes.verify(user.id, code.kind, make.hash(), now),
        "mfa_codes.delete": lambda: codes.delete(user.id, code.kind),
    }


async def _identities(backend: Backend, make: Builder) -> Operations:
    identities = backend.oauth_identities
    user = await backend.users.create(make.user())
    identity = make.identity(user.id)
    other = make.identity(user.id, provider="github")
    return {
        "oauth_identities.create": lambda: identities.create(identity),
        "oauth_identities.create, again": lambda: identities.create(identity),
        "oauth_identities.create, taken": lambda: _refused(
            OAuthIdentityAlreadyLinkedError, identities.create(make.identity(user.id))
        ),
        "oauth_identities.create, a second one": lambda: identities.create(other, token_version=0),
        "oauth_identities.create_with_user": lambda: identities.create_with_user(
            new := make.user(), make.identity(new.id)
        ),
        "oauth_identities.create_with_user, again": lambda: identities.create_with_user(
            user, make.identity(user.id)
        ),
        "oauth_identities.create_with_user, linked": lambda: _refused(
            OAuthIdentityAlreadyLinkedError,
            identities.create_with_user(new := make.user(), replace(identity, id=make.id(), user_id=new.id)),
        ),
        "oauth_identities.find_by_subject": lambda: identities.find_by_subject(
            identity.issuer, identity.subject
        ),
        "oauth_identities.list_for_user": lambda: identities.list_for_user(user.id),
        "oauth_identities.touch_last_used": lambda: identities.touch_last_used(identity.id, make.clock.now()),
        "oauth_identities.delete": lambda: identities.delete(user.id, identity.provider, token_version=0),
        "oauth_identities.delete_by_user_id": lambda: identities.delete_by_user_id(user.id),
    }


async def _flows(backend: Backend, make: Builder) -> Operations:
    flows, now = backend.oauth_states, make.clock.now()
    user = await backend.users.create(make.user())
    state, result = make.state(linking_user_id=user.id), make.hash()
    return {
        "oauth_states.create": lambda: flows.create(state),
        "oauth_states.create, again": lambda: flows.create(state),
        "oauth_states.find": lambda: flows.find(state.state_hash),
        "oauth_states.set_result": lambda: flows.set_result(
            state.state_hash,
            result_hash=result,
            user_id=user.id,
            token_version=0,
            was_new_account=False,
            expires_at=now + HOUR,
            now=now,
        ),
        "oauth_states.consume": lambda: flows.consume(result, now),
    }


async def _endings(backend: Backend, make: Builder) -> Operations:
    """Give what takes accounts and rows away."""
    users, now = backend.users, make.clock.now()
    user, doomed = await users.create(make.user()), await users.create(make.user())
    await backend.mfa_codes.put(make.code(doomed.id))
    await backend.oauth_identities.create(make.identity(doomed.id))
    await backend.oauth_states.create(make.state(linking_user_id=doomed.id))
    await backend.pending.put(make.pending(user_id=doomed.id, for_account=True))
    admin = await users.create(make.user(is_superuser=True))

    async def demote_all() -> None:
        for each in await users.list_page(limit=200, is_superuser=True):
            if each.id != admin.id:
                await users.set_flags(each.id, is_superuser=False)

    return {
        "users.set_flags": lambda: users.set_flags(user.id, is_verified=True),
        "users.set_flags, disabling": lambda: users.set_flags(user.id, is_active=False),
        "users.delete": lambda: users.delete(doomed.id, token_version=0),
        "users.delete, of nobody": lambda: users.delete(doomed.id),
        "users.set_flags, demoting": demote_all,
        "users.set_flags, refused": lambda: _refused(
            LastSuperuserError, users.set_flags(admin.id, is_active=False)
        ),
        "users.delete, refused": lambda: _refused(LastSuperuserError, users.delete(admin.id)),
        **{f"{name}.purge_expired": _sweep(backend, name, now) for name in REPOSITORIES if _expires(name)},
    }


def _expires(repository: str) -> bool:
    return hasattr(REPOSITORIES[repository], "purge_expired")


def _sweep(backend: Backend, repository: str, now: Any) -> Callable[[], Awaitable[int]]:
    sweep: Callable[..., Awaitable[int]] = getattr(backend, repository).purge_expired
    return lambda: sweep(now, grace=timedelta(hours=1))


async def _refused(error: type[Exception], operation: Awaitable[Any]) -> None:
    with pytest.raises(error):
        await operation
