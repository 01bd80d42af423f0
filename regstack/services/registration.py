"""Signing up and confirming the address."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from regstack.auth.emails import email_key, parse_email
from regstack.auth.one_time import hash_token, new_token
from regstack.errors import (
    AccountDisabled,
    AlreadyVerified,
    InvalidOneTimeToken,
    RegistrationClosed,
    UserAlreadyExistsError,
)
from regstack.models.ids import new_id
from regstack.models.pending import PendingRegistration
from regstack.models.user import LoginSubject, User

if TYPE_CHECKING:
    from datetime import datetime

    from regstack.auth.clock import Clock
    from regstack.auth.password_policy import PasswordPolicy
    from regstack.auth.passwords import PasswordHasher
    from regstack.backends.protocols import PendingRepoProtocol, UserRepoProtocol
    from regstack.config.schema import RegStackConfig
    from regstack.models.email_address import EmailAddress
    from regstack.services.audit import Audit
    from regstack.services.background import BackgroundQueue
    from regstack.services.confirmation import Confirmation
    from regstack.services.events import EventHooks
    from regstack.services.limits import Limits
    from regstack.services.notices import Notices


class Registration:
    """From an address to an account."""

    def __init__(
        self,
        users: UserRepoProtocol,
        pending: PendingRepoProtocol,
        hasher: PasswordHasher,
        policy: PasswordPolicy,
        confirmation: Confirmation,
        notices: Notices,
        background: BackgroundQueue,
        limits: Limits,
        audit: Audit,
        events: EventHooks,
        clock: Clock,
        config: RegStackConfig,
    ) -> None:
        self._users = users
        self._pending = pending
        self._hasher = hasher
        self._policy = policy
        self._confirmation = confirmation
        self._notices = notices
        self._background = background
        self._limits = limits
        self._audit = audit
        self._events = events
        self._clock = clock
        self._app_name = config.app_name
        self._open = config.allow_registration
        self._require_verification = config.require_verification
        self._quiet = config.quiet_registration
        self._ttl = timedelta(seconds=config.verification_token_ttl_seconds)

    async def register(
        self, email: str, password: str, full_name: str | None = None
    ) -> User | PendingRegistration:
        """Take a registration.

        Returns:
            The account, or the pending registration where the address must be confirmed first.
            With `quiet_registration` a known address gets a pending registration like any other,
            which is not stored; its owner is told by mail.

        Raises:
            RegistrationClosed: `allow_registration` is off.
            InvalidEmail: mail cannot be sent to the address.
            PasswordRejected: the password breaks the policy.
            UserAlreadyExistsError: the address has an account.
            TooManyAttempts: `register_rate_limit` is reached.
            Overloaded: too many passwords are being hashed already.
        """
        if not self._open:
            raise RegistrationClosed
        with self._hasher.turn() as turn:  # first: being turned away must not count as a call
            await self._limits.claim("register", email_key(email))
            address = parse_email(email)
            self._policy.check(password, context=self._context(address, full_name))
            hashed = await self._hasher.hash(password, turn)
        try:
            made = await self._take(address, hashed, full_name)
        except UserAlreadyExistsError:
            self._audit.record("registration", "failure", account=address.key, reason="taken")
            raise
        self._audit.record("registration", account=address.key)
        return made

    async def _take(
        self, address: EmailAddress, hashed: str, full_name: str | None
    ) -> User | PendingRegistration:
        if not self._require_verification:
            return await self._create(address, hashed, full_name)
        token, pending = self._new_pending(address, hashed, full_name)
        owner = await self._users.get_by_email(address.key)
        if self._quiet:
            self._background.put(lambda: self._store_quietly(owner, token, pending), label="register")
            return pending
        if owner is not None:
            raise UserAlreadyExistsError
        await self._pending.put(pending)
        self._ask_to_confirm(token, pending)
        return pending

    async def verify(self, token: str, password: str | None = None) -> User:
        """Confirm the address that a token was mailed to.

        Whoever confirms should show that the registration is theirs (account pre-hijacking); see
        `Confirmation`.

        Args:
            token: from the mail.
            password: of the registration; may be left out unless `verification_requires_password`.

        Raises:
            WrongPassword: it is another; the token stays good.
            InvalidOneTimeToken: the token is unknown, used, replaced or expired, or the address
                has got an account some other way.
            TooManyAttempts: too many wrong passwords, or `verify_rate_limit` is reached.
            Overloaded: too many passwords are being checked already.
        """
        await self._limits.claim("verify")
        if self._confirmation.is_due(password):
            await self._recognise(token, password)
        try:
            user = await self._users.create_from_pending(hash_token(token), self._clock.now())
        except UserAlreadyExistsError:
            user = None
        if user is None:
            self._audit.record("verification", "failure")
            raise InvalidOneTimeToken
        self._audit.record("verification", user=user)
        self._announce_verified(user)
        return user

    async def _recognise(self, token: str, password: str | None) -> None:
        pending = await self._pending.find_by_token_hash(hash_token(token))
        if pending is None:
            return
        await self._confirmation.check(
            token,
            password,
            pending,
            act="verification",
            sentence="this is not the password that was chosen when registering",
        )

    async def resend(self, email: str) -> None:
        """Mail a new verification link where one is due; the older one is dead then.

        One read, and the rest after the answer, so that neither answer nor time says whether
        the address is known.

        Raises:
            TooManyAttempts: `resend_verification_rate_limit` is reached.
        """
        key = email_key(email)
        await self._limits.claim("resend_verification", key)
        self._audit.record("verification_request", account=key)
        subject = await self._users.find_login_subject(key)
        self._background.put(lambda: self._send_again(subject), label="resend-verification")

    async def resend_to_user(self, user: User) -> None:
        """Mail a verification link to an unverified account; a disabled one gets none.

        Raises:
            AlreadyVerified: there is nothing to confirm.
        """
        if user.is_verified:
            raise AlreadyVerified
        self._audit.record("admin_resend_verification", user=user)
        await self._send_again(LoginSubject(user, None))

    async def promote(self, email: str) -> User | None:
        """Confirm a pending registration on an administrator's word; None where there is none.

        Raises:
            InvalidEmail: not an address.
            UserAlreadyExistsError: the address has got an account some other way.
        """
        pending = await self._pending.find_by_email(parse_email(email).key)
        if pending is None:
            return None
        user = await self._users.create_from_pending(pending.token_hash, self._clock.now())
        if user is not None:
            self._audit.record("admin_promote_pending", user=user)
            self._announce_verified(user)
        return user

    async def create_superuser(self, email: str, password: str) -> User:
        """Make a verified administrator.

        An account that exists is promoted. A verified one keeps its password; of one that is not,
        nobody knows whose it is, so it gets this password and all its sessions end.

        Raises:
            InvalidEmail: mail cannot be sent to the address.
            PasswordRejected: the password breaks the policy.
            AccountDisabled: the account exists and is disabled.
            UserAlreadyExistsError: the account is being changed elsewhere at this moment.
            Overloaded: too many passwords are being hashed already.
        """
        user = await self._make_superuser(parse_email(email), password)
        self._audit.record("bootstrap_admin", user=user)
        return user

    async def _make_superuser(self, address: EmailAddress, password: str) -> User:
        found = await self._users.get_by_email(address.key)
        if found is None:
            self._policy.check(password, context=self._context(address, None))
            user = User.new(
                id=new_id(self._clock),
                email=address.address,
                email_key=address.key,
                hashed_password=await self._hasher.hash(password),
                now=self._clock.now(),
                is_verified=True,
                is_superuser=True,
            )
            try:
                return await self._users.create(user)
            except UserAlreadyExistsError:
                found = await self._users.get_by_email(address.key)
        if found is not None and not found.is_active:
            raise AccountDisabled("this account is disabled; enable it before it is made an administrator's")
        if found is not None and not found.is_verified:
            self._policy.check(password, context=self._context(address, found.full_name))
            hashed = await self._hasher.hash(password)
            found = await self._users.set_password(found.id, hashed, token_version=found.token_version)
        promoted = found and await self._users.set_flags(
            found.id, is_superuser=True, is_verified=True, token_version=found.token_version
        )
        if promoted is None:
            raise UserAlreadyExistsError("this account is being changed elsewhere; try again")
        return promoted

    async def _create(self, address: EmailAddress, hashed: str, full_name: str | None) -> User:
        user = await self._users.create(
            User.new(
                id=new_id(self._clock),
                email=address.address,
                email_key=address.key,
                hashed_password=hashed,
                full_name=full_name,
                now=self._clock.now(),
            )
        )
        self._events.fire("user_registered", user=user)
        return user

    async def _store_quietly(self, owner: User | None, token: str, pending: PendingRegistration) -> None:
        if owner is None:
            await self._pending.put(pending)
            self._ask_to_confirm(token, pending)
        else:
            self._notices.already_registered(owner)

    async def _send_again(self, subject: LoginSubject) -> None:
        now, token = self._clock.now(), new_token()
        if subject.user is not None:
            if subject.user.is_verified or not subject.user.is_active:
                return
            pending = _pending_of(subject.user, token, now, now + self._ttl)
            await self._pending.put(pending)
        elif subject.pending is not None:
            older = subject.pending
            pending = replace(older, token_hash=hash_token(token), expires_at=now + self._ttl)
            rotated = await self._pending.rotate(
                older.token_hash, token_hash=pending.token_hash, expires_at=pending.expires_at, now=now
            )
            if not rotated:
                return
        else:
            return
        self._ask_to_confirm(token, pending)

    def _new_pending(
        self, address: EmailAddress, hashed: str, full_name: str | None
    ) -> tuple[str, PendingRegistration]:
        token, now = new_token(), self._clock.now()
        return token, PendingRegistration(
            token_hash=hash_token(token),
            user_id=new_id(self._clock),
            email=address.address,
            email_key=address.key,
            hashed_password=hashed,
            full_name=full_name,
            created_at=now,
            expires_at=now + self._ttl,
        )

    def _ask_to_confirm(self, token: str, pending: PendingRegistration) -> None:
        self._notices.verification(pending, token, self._ttl)
        self._events.fire("verification_requested", email=pending.email, expires_at=pending.expires_at)

    def _announce_verified(self, user: User) -> None:
        # An account that existed was announced when it was made; that it confirmed its address ended
        # its sessions, so its version is not a new account's.
        if user.token_version == 0:
            self._events.fire("user_registered", user=user)
        self._events.fire("user_verified", user=user)

    def _context(self, address: EmailAddress, full_name: str | None) -> list[str]:
        return [address.key, self._app_name, full_name or ""]


def _pending_of(user: User, token: str, now: datetime, expires_at: datetime) -> PendingRegistration:
    """The row by which an account that exists, but is not verified, confirms its address."""
    return PendingRegistration(
        token_hash=hash_token(token),
        user_id=user.id,
        email=user.email,
        email_key=user.email_key,
        hashed_password=user.hashed_password,
        full_name=user.full_name,
        created_at=now,
        expires_at=expires_at,
        for_account=True,
    )
