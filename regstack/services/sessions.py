"""Access tokens: handing them out, recognising them, ending them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from regstack.auth.tokens import ACCESS
from regstack.errors import InvalidToken, NotSuperuser
from regstack.services.caller import current_caller

if TYPE_CHECKING:
    from datetime import timedelta

    from regstack.auth.tokens import Claims, JwtCodec
    from regstack.backends.protocols import BlacklistRepoProtocol, UserRepoProtocol
    from regstack.models.user import User
    from regstack.services.audit import Audit
    from regstack.services.events import EventHooks
    from regstack.services.token_subjects import TokenSubjects


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What a completed sign-in hands over (RFC 6750).

    Attributes:
        text: the bearer token.
        expires_in: seconds.
    """

    text: str = field(repr=False)
    expires_in: int


@dataclass(frozen=True, slots=True)
class Session:
    """Who is asking, and by which token."""

    user: User
    claims: Claims


class Sessions:
    """Access tokens of one instance."""

    def __init__(
        self,
        users: UserRepoProtocol,
        blacklist: BlacklistRepoProtocol,
        recent: TokenSubjects | None,
        jwt: JwtCodec,
        audit: Audit,
        events: EventHooks,
        *,
        ttl: timedelta,
        require_verification: bool,
    ) -> None:
        self._users = users
        self._blacklist = blacklist
        self._recent = recent
        self._jwt = jwt
        self._audit = audit
        self._events = events
        self._ttl = ttl
        self._require_verification = require_verification

    def issue(self, user: User) -> AccessToken:
        """Sign a token that is good until the account's `token_version` changes.

        `user` is the snapshot that the password was checked against: where sessions were ended
        since, the token is dead from the start.
        """
        signed = self._jwt.sign(ACCESS, sub=user.id, ver=user.token_version, ttl=self._ttl)
        return AccessToken(signed.text, int(self._ttl.total_seconds()))

    @property
    def remembers(self) -> bool:
        """Whether what was read a moment ago may be used again (`token_cache_milliseconds`)."""
        return self._recent is not None

    async def recognise(self, token: str, *, fresh: bool = True) -> Session:
        """Find out who a token speaks for, with one read.

        Args:
            token: as it came.
            fresh: read now, whatever is remembered. Where something is changed by what is found, or
                by whom it is found, what another process did a moment ago must not be overlooked.

        Raises:
            InvalidToken: it is malformed, expired, revoked or outdated, or its account is gone,
                disabled or not verified; which of these is not said.
        """
        claims = self._jwt.check(ACCESS, token)
        source = self._users if fresh or self._recent is None else self._recent
        subject = await source.get_token_subject(claims.sub, jti=claims.jti, sid=claims.sid)
        if subject is None or subject.revoked:
            raise InvalidToken
        return self._session(subject.user, claims)

    def _session(self, user: User, claims: Claims) -> Session:
        """Give the session of a token that is not revoked, if its account is as it was."""
        if (
            user.id != claims.sub  # a backend that mixes rows up must not sign anyone in
            or not user.is_active
            or (self._require_verification and not user.is_verified)
            or user.token_version != claims.ver
        ):
            raise InvalidToken
        if caller := current_caller():
            caller.user_id = user.id
        return Session(user, claims)

    def require_superuser(self, session: Session) -> User:
        """Let administrators through.

        Raises:
            NotSuperuser: it is somebody else's session.
        """
        if not session.user.is_superuser:
            self._audit.record("administrators_only", "refused", user=session.user)
            raise NotSuperuser
        return session.user

    async def end(self, token: str) -> None:
        """Revoke a token, on every worker at once.

        It is revoked while its account is read, in one wait: a token that speaks for nobody any more
        loses nothing by it. Whether it was revoked before is for the revocation to say, since the
        read may see this one.

        Raises:
            InvalidToken: as for `recognise`.
        """
        claims = self._jwt.check(ACCESS, token)
        subject, was_good = await asyncio.gather(
            self._users.get_token_subject(claims.sub, jti=claims.jti, sid=claims.sid),
            self._blacklist.revoke(claims.jti, claims.expires_at),
        )
        if subject is None or not was_good:
            raise InvalidToken
        user = self._session(subject.user, claims).user
        self._audit.record("logout", user=user)
        self._events.fire("user_logged_out", user=user)
