"""Operations that change something, with what tells afterwards whether they did."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from regstack.backends.base import Capability
from regstack.models.mfa_code import MfaOutcome
from regstack.testing.builders import HOUR
from regstack.testing.contest import Call, call

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from regstack.backends.base import Backend
    from regstack.testing.builders import Builder

    Prepare = Callable[[Backend, Builder], Awaitable["Write"]]


@dataclass(frozen=True, slots=True)
class Write:
    """One change, ready to be made.

    Attributes:
        call: makes it.
        is_first: says of an answer that it is the one of the call that made the change.
        is_repeat: says of an answer that a call may give it once the change was made.
        is_done: asks the database whether the change was made.
        is_whole: asks whether all is made that goes with it, where a crash may leave that to the
            repeat; None where there is nothing more.
    """

    call: Call
    is_first: Callable[[Any], bool]
    is_repeat: Callable[[Any], bool]
    is_done: Callable[[Backend], Awaitable[bool]]
    is_whole: Callable[[Backend], Awaitable[bool]] | None = None

    async def is_finished(self, backend: Backend) -> bool:
        """Ask whether nothing is left to do."""
        return await self.is_done(backend) and (self.is_whole is None or await self.is_whole(backend))


async def _create(backend: Backend, make: Builder) -> Write:
    user = make.user()

    async def is_done(backend: Backend) -> bool:
        return await backend.users.get_by_email(user.email_key) == user

    return Write(call("users.create", user), _equals(user), _equals(user), is_done)


async def _create_from_pending(backend: Backend, make: Builder) -> Write:
    pending = make.pending()
    await backend.pending.put(pending)

    async def is_done(backend: Backend) -> bool:
        return await backend.users.get_by_id(pending.user_id) is not None

    async def is_whole(backend: Backend) -> bool:
        return await backend.pending.find_by_token_hash(pending.token_hash) is None

    return Write(
        call("users.create_from_pending", pending.token_hash, make.clock.now()),
        lambda user: user is not None and user.id == pending.user_id,
        lambda user: user is None or user.id == pending.user_id,
        is_done,
        is_whole,
    )


async def _set_password(backend: Backend, make: Builder) -> Write:
    user = await backend.users.create(make.user())

    async def is_done(backend: Backend) -> bool:
        stored = await backend.users.get_by_id(user.id)
        return stored is not None and (stored.hashed_password, stored.token_version) == ("new", 1)

    return Write(
        call("users.set_password", user.id, "new", token_version=0),
        lambda answer: answer is not None and answer.token_version == 1,
        _is_none,
        is_done,
    )


async def _hand_over(backend: Backend, make: Builder) -> Write:
    user = await backend.users.create(make.user(phone_number="+41446681800"))
    linked = Capability.OAUTH in backend.capabilities
    if linked:
        await backend.oauth_identities.create(make.identity(user.id))

    async def is_done(backend: Backend) -> bool:
        stored = await backend.users.get_by_id(user.id)
        return stored is not None and stored.is_verified

    async def is_whole(backend: Backend) -> bool:
        stored = await backend.users.get_by_id(user.id)
        left = await backend.oauth_identities.list_for_user(user.id) if linked else []
        return (
            stored is not None and stored.token_version == 1 and stored.hashed_password is None and not left
        )

    return Write(
        call("users.hand_over", user.id, token_version=0),
        lambda answer: answer is not None and answer.token_version == 1,
        _is_none,
        is_done,
        is_whole,
    )


async def _reset_password(backend: Backend, make: Builder) -> Write:
    user, token = await backend.users.create(make.user()), make.hash()
    await backend.users.put_reset_token(user.id, token, make.clock.now() + HOUR)

    async def is_done(backend: Backend) -> bool:
        stored = await backend.users.get_by_id(user.id)
        return stored is not None and (stored.hashed_password, stored.token_version) == ("new", 1)

    return Write(
        call("users.reset_password", token, "new", make.clock.now()),
        lambda answer: answer is not None and answer.id == user.id,
        _is_none,
        is_done,
    )


async def _confirm_email_change(backend: Backend, make: Builder) -> Write:
    user, token, email = await backend.users.create(make.user()), make.hash(), make.email()
    await backend.users.put_email_change(user.id, token, email, make.clock.now() + HOUR)

    async def is_done(backend: Backend) -> bool:
        stored = await backend.users.get_by_email(email.key)
        return stored is not None and stored.token_version == 1

    return Write(
        call("users.confirm_email_change", token, make.clock.now()),
        lambda answer: answer is not None and answer.email_key == email.key,
        _is_none,
        is_done,
    )


async def _demote(backend: Backend, make: Builder) -> Write:
    await backend.users.create(make.user(is_superuser=True))
    user = await backend.users.create(make.user(is_superuser=True))

    async def is_done(backend: Backend) -> bool:
        stored = await backend.users.get_by_id(user.id)
        return stored is not None and not stored.is_superuser

    def demoted(answer: Any) -> bool:
        return answer is not None and not answer.is_superuser

    return Write(call("users.set_flags", user.id, is_superuser=False), demoted, demoted, is_done)


async def _delete(backend: Backend, make: Builder) -> Write:
    user = await backend.users.create(make.user())
    pending = make.pending(user_id=user.id, email_key=user.email_key, for_account=True)
    await backend.pending.put(pending)
    identity = make.identity(user.id)
    linked = Capability.OAUTH in backend.capabilities
    if linked:
        await backend.oauth_identities.create(identity)

    async def is_done(backend: Backend) -> bool:
        return await backend.users.get_by_id(user.id) is None

    async def is_whole(backend: Backend) -> bool:
        waits = await backend.pending.find_by_token_hash(pending.token_hash) is not None
        found = linked and await backend.oauth_identities.find_by_subject(identity.issuer, identity.subject)
        return not waits and not found

    return Write(call("users.delete", user.id), _is_true, _is_false, is_done, is_whole)


async def _put(backend: Backend, make: Builder) -> Write:
    pending = make.pending()
    await backend.pending.put(replace(make.pending(), email_key=pending.email_key))

    async def is_done(backend: Backend) -> bool:
        return await backend.pending.find_by_token_hash(pending.token_hash) == pending

    return Write(call("pending.put", pending), _is_none, _is_none, is_done)


async def _rotate(backend: Backend, make: Builder) -> Write:
    pending, token, now = make.pending(), make.hash(), make.clock.now()
    await backend.pending.put(pending)

    async def is_done(backend: Backend) -> bool:
        return await backend.pending.find_by_token_hash(token) is not None

    return Write(
        call("pending.rotate", pending.token_hash, token_hash=token, expires_at=now + HOUR, now=now),
        _is_true,
        _is_false,
        is_done,
    )


async def _consume(backend: Backend, make: Builder) -> Write:
    pending = make.pending()
    await backend.pending.put(pending)

    async def is_done(backend: Backend) -> bool:
        return await backend.pending.find_by_token_hash(pending.token_hash) is None

    return Write(
        call("pending.consume", pending.token_hash, make.clock.now()), _equals(pending), _is_none, is_done
    )


async def _revoke(backend: Backend, make: Builder) -> Write:
    jti = make.id()

    async def is_done(backend: Backend) -> bool:
        return await backend.blacklist.is_revoked(jti)

    return Write(call("blacklist.revoke", jti, make.clock.now() + HOUR), _is_true, _is_false, is_done)


async def _claim(backend: Backend, make: Builder) -> Write:
    key, now = make.hash(), make.clock.now()

    async def is_done(backend: Backend) -> bool:
        return await backend.attempts.count_recent(key, HOUR, now) > 0

    return Write(
        call("attempts.claim", key, limit=5, window=HOUR, now=now),
        lambda decision: decision.remaining == 4,
        lambda decision: decision.remaining == 3,
        is_done,
    )


async def _clear(backend: Backend, make: Builder) -> Write:
    key, now = make.hash(), make.clock.now()
    await backend.attempts.claim(key, limit=5, window=HOUR, now=now)

    async def is_done(backend: Backend) -> bool:
        return await backend.attempts.count_recent(key, HOUR, now) == 0

    return Write(call("attempts.clear", key), _is_true, _is_false, is_done)


async def _verify(backend: Backend, make: Builder) -> Write:
    user = await backend.users.create(make.user())
    code = make.code(user.id)
    await backend.mfa_codes.put(code)

    async def is_done(backend: Backend) -> bool:
        return await backend.mfa_codes.find(user.id, code.kind) is None

    return Write(
        call("mfa_codes.verify", user.id, code.kind, code.code_hash, make.clock.now()),
        lambda result: result.outcome is MfaOutcome.OK and result.target == code.target,
        lambda result: result.outcome is MfaOutcome.MISSING,
        is_done,
    )


async def _put_code(backend: Backend, make: Builder) -> Write:
    user = await backend.users.create(make.user())
    code = make.code(user.id)

    async def is_done(backend: Backend) -> bool:
        return await backend.mfa_codes.find(user.id, code.kind) == code

    return Write(call("mfa_codes.put", code), _is_true, _is_true, is_done)


async def _link(backend: Backend, make: Builder) -> Write:
    user = await backend.users.create(make.user())
    identity = make.identity(user.id)

    async def is_done(backend: Backend) -> bool:
        return await backend.oauth_identities.list_for_user(user.id) == [identity]

    return Write(call("oauth_identities.create", identity), _equals(identity), _equals(identity), is_done)


async def _create_with_user(backend: Backend, make: Builder) -> Write:
    user = make.user()
    identity = make.identity(user.id)

    async def is_done(backend: Backend) -> bool:
        return await backend.users.get_by_id(user.id) is not None

    async def is_whole(backend: Backend) -> bool:
        return await backend.oauth_identities.list_for_user(user.id) == [identity]

    return Write(
        call("oauth_identities.create_with_user", user, identity),
        _equals(user),
        _equals(user),
        is_done,
        is_whole,
    )


async def _set_result(backend: Backend, make: Builder) -> Write:
    user, state, now = await backend.users.create(make.user()), make.state(), make.clock.now()
    await backend.oauth_states.create(state)
    result = {
        "result_hash": make.hash(),
        "user_id": user.id,
        "token_version": 0,
        "was_new_account": False,
        "expires_at": now + HOUR,
        "now": now,
    }

    async def is_done(backend: Backend) -> bool:
        stored = await backend.oauth_states.find(state.state_hash)
        return stored is not None and stored.result_hash == result["result_hash"]

    return Write(call("oauth_states.set_result", state.state_hash, **result), _is_true, _is_false, is_done)


async def _exchange(backend: Backend, make: Builder) -> Write:
    set_result = await _set_result(backend, make)
    await set_result.call.send(backend)
    result, state = set_result.call.kwargs["result_hash"], set_result.call.args[0]

    async def is_done(backend: Backend) -> bool:
        return await backend.oauth_states.find(state) is None

    return Write(
        call("oauth_states.consume", result, make.clock.now()),
        lambda answer: answer is not None and answer.state_hash == state,
        _is_none,
        is_done,
    )


def _equals(value: object) -> Callable[[Any], bool]:
    return lambda answer: bool(answer == value)


def _is_none(answer: object) -> bool:
    return answer is None


def _is_true(answer: object) -> bool:
    return answer is True


def _is_false(answer: object) -> bool:
    return answer is False


WRITES: dict[str, Prepare] = {
    "users.create": _create,
    "users.create_from_pending": _create_from_pending,
    "users.set_password": _set_password,
    "users.hand_over": _hand_over,
    "users.reset_password": _reset_password,
    "users.confirm_email_change": _confirm_email_change,
    "users.set_flags": _demote,
    "users.delete": _delete,
    "pending.put": _put,
    "pending.rotate": _rotate,
    "pending.consume": _consume,
    "blacklist.revoke": _revoke,
    "attempts.claim": _claim,
    "attempts.clear": _clear,
    "mfa_codes.put": _put_code,
    "mfa_codes.verify": _verify,
    "oauth_identities.create": _link,
    "oauth_identities.create_with_user": _create_with_user,
    "oauth_states.set_result": _set_result,
    "oauth_states.consume": _exchange,
}
"""What prepares each write, by operation: it makes rows of its own and gives the change, not yet made."""


def needs(operation: str) -> Capability | None:
    """Give the capability that a write needs, where it needs one."""
    repository = operation.partition(".")[0]
    optional = {
        "mfa_codes": Capability.MFA_CODES,
        "oauth_identities": Capability.OAUTH,
        "oauth_states": Capability.OAUTH,
    }
    return optional.get(repository)
