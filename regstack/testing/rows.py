"""The kinds of row that expire, told apart by how they are stored and seen."""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from regstack.models.mfa_code import MfaOutcome

if TYPE_CHECKING:
    from datetime import datetime

    from regstack.backends.base import Backend
    from regstack.testing.builders import Builder

LONG = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Row:
    """What is needed to find a stored row again."""

    key: str
    extra: dict[str, Any] = field(default_factory=dict)


class Expiring(ABC):
    """One kind of row.

    Attributes:
        repository: where it lives.
        usable: it can be used up.
    """

    repository: str
    usable: bool = True

    @abstractmethod
    async def store(self, backend: Backend, make: Builder, expires_at: datetime) -> Row:
        """Store a row of its own that expires then."""

    @abstractmethod
    async def sightings(self, backend: Backend, row: Row) -> dict[str, bool]:
        """Say for each read whether it sees the row, by the backend's clock."""

    async def use(self, backend: Backend, row: Row, now: datetime) -> bool:
        """Use the row up, and say whether that worked."""
        raise NotImplementedError


class PendingRows(Expiring):
    """Registrations that wait."""

    repository = "pending"

    async def store(self, backend: Backend, make: Builder, expires_at: datetime) -> Row:
        """Store a registration."""
        pending = make.pending(expires_at=expires_at)
        await backend.pending.put(pending)
        return Row(pending.token_hash, {"email_key": pending.email_key})

    async def sightings(self, backend: Backend, row: Row) -> dict[str, bool]:
        """Look by address, by token, at sign-in, and count."""
        email_key = row.extra["email_key"]
        return {
            "pending.find_by_email": await backend.pending.find_by_email(email_key) is not None,
            "pending.find_by_token_hash": await backend.pending.find_by_token_hash(row.key) is not None,
            "pending.count_unexpired": await backend.pending.count_unexpired() == 1,
            "users.find_login_subject": (await backend.users.find_login_subject(email_key)).pending
            is not None,
        }

    async def use(self, backend: Backend, row: Row, now: datetime) -> bool:
        """Consume the registration."""
        return await backend.pending.consume(row.key, now) is not None


class ConfirmedRows(PendingRows):
    """Registrations that become accounts."""

    async def use(self, backend: Backend, row: Row, now: datetime) -> bool:
        """Make the account."""
        return await backend.users.create_from_pending(row.key, now) is not None


class RotatedRows(PendingRows):
    """Registrations that get a new token."""

    async def use(self, backend: Backend, row: Row, now: datetime) -> bool:
        """Give the registration a new token."""
        return await backend.pending.rotate(
            row.key, token_hash=secrets.token_hex(32), expires_at=now + LONG, now=now
        )


class Revocations(Expiring):
    """Revoked tokens."""

    repository = "blacklist"
    usable = False

    async def store(self, backend: Backend, make: Builder, expires_at: datetime) -> Row:
        """Revoke a token of an account of its own."""
        user = await backend.users.create(make.user())
        jti = make.id()
        await backend.blacklist.revoke(jti, expires_at)
        return Row(jti, {"user_id": user.id})

    async def sightings(self, backend: Backend, row: Row) -> dict[str, bool]:
        """Ask for the token alone, and together with its account."""
        subject = await backend.users.get_token_subject(row.extra["user_id"], jti=row.key)
        return {
            "blacklist.is_revoked": await backend.blacklist.is_revoked(row.key),
            "users.get_token_subject": subject is not None and subject.revoked,
        }


class AttemptWindows(Expiring):
    """Counted attempts."""

    repository = "attempts"
    usable = False

    async def store(self, backend: Backend, make: Builder, expires_at: datetime) -> Row:
        """Open a window that ends then."""
        key = make.hash()
        await backend.attempts.claim(key, limit=5, window=LONG, now=expires_at - LONG)
        return Row(key)

    async def sightings(self, backend: Backend, row: Row) -> dict[str, bool]:
        """Count, also with a window that would be longer."""
        now = backend.clock.now()
        return {
            "attempts.count_recent": await backend.attempts.count_recent(row.key, LONG, now) == 1,
            "attempts.count_recent with a longer window": await backend.attempts.count_recent(
                row.key, LONG * 2, now
            )
            == 1,
        }


class Codes(Expiring):
    """One-time codes."""

    repository = "mfa_codes"

    async def store(self, backend: Backend, make: Builder, expires_at: datetime) -> Row:
        """Store a code of an account of its own."""
        user = await backend.users.create(make.user())
        code = make.code(user.id, expires_at=expires_at)
        await backend.mfa_codes.put(code)
        return Row(user.id, {"kind": code.kind, "code_hash": code.code_hash})

    async def sightings(self, backend: Backend, row: Row) -> dict[str, bool]:
        """Look for the code."""
        found = await backend.mfa_codes.find(row.key, row.extra["kind"])
        return {"mfa_codes.find": found is not None}

    async def use(self, backend: Backend, row: Row, now: datetime) -> bool:
        """Present the right code."""
        result = await backend.mfa_codes.verify(row.key, row.extra["kind"], row.extra["code_hash"], now)
        return result.outcome is MfaOutcome.OK


class States(Expiring):
    """Flows that wait for the provider."""

    repository = "oauth_states"

    async def store(self, backend: Backend, make: Builder, expires_at: datetime) -> Row:
        """Store a flow."""
        user = await backend.users.create(make.user())
        state = make.state(expires_at=expires_at)
        await backend.oauth_states.create(state)
        return Row(state.state_hash, {"user_id": user.id})

    async def sightings(self, backend: Backend, row: Row) -> dict[str, bool]:
        """Look for the flow."""
        return {"oauth_states.find": await backend.oauth_states.find(row.key) is not None}

    async def use(self, backend: Backend, row: Row, now: datetime) -> bool:
        """Store what the provider answered."""
        return await backend.oauth_states.set_result(
            row.key,
            result_hash=secrets.token_hex(32),
            user_id=row.extra["user_id"],
            token_version=0,
            was_new_account=False,
            expires_at=now + LONG,
            now=now,
        )


class Results(States):
    """Flows that wait for the exchange."""

    async def store(self, backend: Backend, make: Builder, expires_at: datetime) -> Row:
        """Store a flow with its result."""
        user = await backend.users.create(make.user())
        state = make.state()
        result_hash = make.hash()
        await backend.oauth_states.create(state)
        await backend.oauth_states.set_result(
            state.state_hash,
            result_hash=result_hash,
            user_id=user.id,
            token_version=0,
            was_new_account=False,
            expires_at=expires_at,
            now=state.created_at,
        )
        return Row(state.state_hash, {"result_hash": result_hash})

    async def use(self, backend: Backend, row: Row, now: datetime) -> bool:
        """Exchange the result."""
        return await backend.oauth_states.consume(row.extra["result_hash"], now) is not None
