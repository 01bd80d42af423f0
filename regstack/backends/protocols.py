"""The storage contract: seven repositories, typed as protocols.

The clauses below hold for every operation; those of one operation stand in its docstring. The
contract suite (`regstack.testing.suite`) names the clause that each of its tests checks.

COM-01  The wall clock is never read: time is the backend's `clock.now()` or an argument. Reads
        ask the clock; an operation that decides something takes `now`, so that one request
        decides by one instant.
COM-02  Datetimes in and out are aware, UTC, in whole milliseconds; a naive one is refused with
        `NaiveDatetime`, a finer one is cut down.
COM-03  Ids are canonical lower-case UUIDv7 strings made by core; any other spelling is not
        found. `find_*` and `get_by_*` answer None for what is not there, writers on an unknown
        id answer None or False.
COM-04  Only `regstack.errors` escape, with the driver's error as `__cause__` and without secrets.
COM-05  What is returned is a detached snapshot.
COM-06  `expires_at <= now` is expired. An expired row is invisible to every read and cannot be
        consumed, swept or not; the one exception is `MfaOutcome.EXPIRED`.
COM-07  `purge_expired` deletes, `batch` rows a statement, only what expired longer than `grace`
        ago, returns how many, and may run in several processes at once.
COM-08  Every state change is atomic on the server: callers on several instances and processes
        see exactly the outcomes that some serial order allows.
COM-09  A cancelled task leaves the state from before or after the operation, and its connection
        goes back to the pool. A write that was sent is settled when the task ends, unless the
        server is silent.
COM-10  A read whose connection breaks is made again. Of writes the backend repeats by itself only
        what is safe to repeat, or was certainly not sent; otherwise it raises
        `BackendUnavailable` or, at the deadline, `BackendTimeout`, with `outcome_unknown`. A repeat
        by the caller is safe.
COM-11  Text is stored exactly; search text is never read as a pattern.
COM-12  Repositories work without `install_schema` when the schema is current. A server that is gone
        is told within `db_timeout_seconds`, and used again once it is back, without a restart.
COM-13  An operation marked "One round trip" takes one on the wire, statement preparation at
        first use and pool upkeep aside.
COM-14  Secrets arrive as hashes made by core.
COM-15  Reads go to the primary; writes are acknowledged by a majority where there is one.

Email keys are canonical (`regstack.models.email_address.EmailAddress.key`); hashes are lower-case
hexadecimal; `user_id` is the user's `id`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime

    from regstack.models.attempt import AttemptDecision
    from regstack.models.email_address import EmailAddress
    from regstack.models.mfa_code import MfaCode, MfaVerifyResult
    from regstack.models.oauth_identity import OAuthIdentity
    from regstack.models.oauth_state import OAuthState
    from regstack.models.pending import PendingRegistration
    from regstack.models.user import LoginSubject, TokenSubject, User


CONTRACT_VERSION = (1, 0)
"""Major and minor of the storage contract that this module states."""

PURGE_GRACE = timedelta(hours=1)
"""How long a row stays after its expiry, since clocks differ between workers (COM-07)."""

PURGE_BATCH = 1000
"""Rows that one statement of `purge_expired` deletes at the most (COM-07)."""


class Purgeable(Protocol):
    """A repository whose rows expire."""

    async def purge_expired(
        self, now: datetime, *, grace: timedelta = PURGE_GRACE, batch: int = PURGE_BATCH
    ) -> int:
        """Delete rows with `expires_at <= now - grace`, in batches, and say how many (COM-07)."""


class UserRepoProtocol(Protocol):
    """Accounts.

    USR-01  `email_key` is unique: of N racers one wins, the others get `UserAlreadyExistsError`.
    USR-02  Whatever ends sessions raises `token_version` by one and sets
            `tokens_invalidated_after` in the same statement.
    USR-03  Reset and email-change tokens live on the user: the newest replaces the older, each
            is used up by the change that it authorises, and whatever ends sessions drops both.
            An account that is not active gets no such token and can use none.
    USR-04  There is always an active superuser once there was one: `set_flags` and `delete`
            refuse to take away the last, also when two administrators act at the same instant.
    USR-05  Deleting takes everything keyed to the user with it; nothing is orphaned, also when
            it races with a login or a link.
    USR-06  Every change but `record_login` and `rehash_password` sets `updated_at`.
    USR-14  Calls of `get_token_subject` may share a round trip (`regstack.backends.coalescing`), and
            none feels another: each gets its own answer, whoever is cancelled meanwhile, from a read
            that began after the call.
    """

    async def create(self, user: User) -> User:
        """Store a new account.

        A repeat with the same id answers with what is stored (COM-10).

        Raises:
            UserAlreadyExistsError: another account has the email key (USR-01).
        """

    async def create_from_pending(self, token_hash: str, now: datetime) -> User | None:
        """Use up a pending registration and make its account, verified, under the id it carries.

        USR-07  One winner; None where the token is unknown, used, replaced or expired. Where an
                account with that id and email key exists already, a repeat after a crash finds it
                as it is; an unverified one that confirms is marked verified, all sessions from
                before end (USR-02), and nothing else on it changes. A row that is `for_account`
                never makes an account: None where there is none (any more).

        Raises:
            UserAlreadyExistsError: an account with another id has the address by now, or the
                account with that id has another address; the pending registration is gone.
        """

    async def get_by_id(self, user_id: str) -> User | None:
        """Find an account by id. One round trip."""

    async def get_by_email(self, email_key: str) -> User | None:
        """Find an account by email key. One round trip."""

    async def find_login_subject(self, email_key: str) -> LoginSubject:
        """Find account and unexpired pending registration of an address. One round trip.

        USR-08  The same reads whatever is found; an account hides a pending registration.
        """

    async def get_token_subject(
        self, user_id: str, *, jti: str, sid: str | None = None
    ) -> TokenSubject | None:
        """Find the account that a token speaks for, and whether `jti` is revoked. One round trip.

        This is the whole storage cost of an authenticated request. `sid` is reserved for
        server-side sessions and ignored.
        """

    async def record_login(self, user_id: str, when: datetime) -> bool:
        """Set `last_login`; it never moves back. False where there is no such user."""

    async def rehash_password(self, user_id: str, *, old_hash: str, new_hash: str) -> bool:
        """Replace a password's hash by one with newer parameters, if it is still `old_hash`.

        The password is the same, so sessions live on and `token_version` stays.
        """

    async def update_profile(self, user_id: str, *, full_name: str | None) -> User | None:
        """Set the name."""

    async def set_second_factor(
        self, user_id: str, phone_number: str | None, *, token_version: int | None = None
    ) -> User | None:
        """Make a phone (E.164) the second factor, or with None ask for none and forget the number.

        USR-16  Number and switch change in one step, so an account that asks for a code has somewhere
                to send it. With `token_version`, only if the account still has that value (USR-09).
        """

    async def set_password(
        self, user_id: str, hashed: str | None, *, token_version: int | None = None
    ) -> User | None:
        """Set the password hash and end all sessions (USR-02, USR-03).

        USR-09  With `token_version`, only if the account still has that value: a change that was
                authorised by the old password loses against a reset that came between. None drops
                the password, and ends sessions like any other change of it.
        """

    async def invalidate_tokens(self, user_id: str) -> User | None:
        """End all sessions (USR-02, USR-03)."""

    async def hand_over(self, user_id: str, *, token_version: int) -> User | None:
        """Give an account with an unconfirmed address to the owner of the address, who is known now.

        USR-15  Only while the account is unverified and has that `token_version`, so one winner. In one
                step it is verified, all sessions end (USR-02, USR-03), and password, phone number,
                second factor, identities and codes are gone, whoever set them. A link that is under
                way is gone with them, or is refused where it has a guard (USR-09).
        """

    async def put_reset_token(
        self, user_id: str, token_hash: str, expires_at: datetime, *, token_version: int | None = None
    ) -> bool:
        """Store the one valid password-reset token of an active user (USR-03).

        With `token_version`, only if the account still has that value (USR-09).
        """

    async def reset_password(self, token_hash: str, hashed: str, now: datetime) -> User | None:
        """Use up a reset token and set the password hash, ending all sessions.

        USR-10  One winner; None where the token is unknown, used, replaced, dropped or expired.
        """

    async def put_email_change(
        self,
        user_id: str,
        token_hash: str,
        new_email: EmailAddress,
        expires_at: datetime,
        *,
        token_version: int | None = None,
    ) -> bool:
        """Store the one valid email-change token of an active user, with the address it stands for.

        With `token_version`, only if the account still has that value (USR-09).
        """

    async def confirm_email_change(self, token_hash: str, now: datetime) -> User | None:
        """Use up an email-change token: set address and key, mark verified, end all sessions.

        USR-11  One winner; None where the token is unknown, used, replaced, dropped or expired.

        Raises:
            UserAlreadyExistsError: another account took the address meanwhile; nothing changed.
        """

    async def set_flags(
        self,
        user_id: str,
        *,
        is_active: bool | None = None,
        is_superuser: bool | None = None,
        is_verified: bool | None = None,
        token_version: int | None = None,
    ) -> User | None:
        """Set the flags that are given.

        USR-12  `is_active=False` ends all sessions (USR-02, USR-03); the other flags do not. With
                `token_version`, only if the account still has that value (USR-09).

        Raises:
            LastSuperuserError: no active superuser would be left (USR-04); nothing changed.
        """

    async def delete(self, user_id: str, *, token_version: int | None = None) -> bool:
        """Delete the account and all that is keyed to it (USR-05); True for one caller.

        With `token_version`, only if the account still has that value (USR-09).

        Raises:
            LastSuperuserError: no active superuser would be left (USR-04); nothing changed.
        """

    async def count(
        self,
        *,
        search: str | None = None,
        is_active: bool | None = None,
        is_superuser: bool | None = None,
        is_verified: bool | None = None,
    ) -> int:
        """Count accounts that match all filters given."""

    async def list_page(
        self,
        *,
        limit: int,
        after: str | None = None,
        skip: int = 0,
        search: str | None = None,
        is_active: bool | None = None,
        is_superuser: bool | None = None,
        is_verified: bool | None = None,
    ) -> list[User]:
        """List accounts that match, in the order of their ids.

        USR-13  `search` matches a prefix of the email key or of the folded name
                (`regstack.models.text.search_key`). `after` is the last id of the page before,
                and its cost does not grow with depth; no account comes twice, and none that
                existed when paging began is skipped.
        """


class PendingRepoProtocol(Purgeable, Protocol):
    """Registrations that wait for confirmation, one for each email key.

    PEN-01  The newest replaces the older, whose token is dead from then on; under races one
            survives.
    """

    async def put(self, pending: PendingRegistration) -> None:
        """Store a registration in place of any other for its email key (PEN-01)."""

    async def rotate(
        self, old_token_hash: str, *, token_hash: str, expires_at: datetime, now: datetime
    ) -> bool:
        """Give an unexpired registration a new token and expiry.

        PEN-02  One winner; False where the old token is unknown, replaced, used or expired, so
                that a second mail never brings back what a newer registration replaced.
        """

    async def find_by_email(self, email_key: str) -> PendingRegistration | None:
        """Find the unexpired registration of an address."""

    async def find_by_token_hash(self, token_hash: str) -> PendingRegistration | None:
        """Find the unexpired registration of a token."""

    async def consume(self, token_hash: str, now: datetime) -> PendingRegistration | None:
        """Use a registration up.

        PEN-03  One winner; a wrong token misses whatever the address.
        """

    async def delete_by_email(self, email_key: str) -> bool:
        """Drop the registration of an address; True where an unexpired one was there."""

    async def count_unexpired(self) -> int:
        """Count the registrations that can still be confirmed."""


class BlacklistRepoProtocol(Purgeable, Protocol):
    """Revoked access tokens, kept until they expire by themselves."""

    async def revoke(self, jti: str, exp: datetime) -> bool:
        """Revoke a token that expires at `exp`.

        BLK-01  True for the first caller only.
        """

    async def is_revoked(self, jti: str) -> bool:
        """Say whether an unexpired revocation is stored. One round trip."""


class LoginAttemptRepoProtocol(Purgeable, Protocol):
    """Counted attempts, one row for each key.

    The key is an opaque string of at most 128 characters, made by core.
    """

    async def claim(self, key: str, *, limit: int, window: timedelta, now: datetime) -> AttemptDecision:
        """Count an attempt before it is made, and say whether it may go on. One round trip.

        ATT-01  A window opens at its first attempt and lasts `window`; allowed if the count,
                this attempt included, is within `limit`. Of N simultaneous claims exactly
                `limit` are allowed.
        ATT-02  Refused claims do not extend the window; `retry_after` runs to its end. Up to
                twice the limit may pass across the edge of two windows.
        """

    async def record_failure(self, key: str, *, window: timedelta, now: datetime) -> int:
        """Count an attempt without deciding; answers the count in the current window."""

    async def count_recent(self, key: str, window: timedelta, now: datetime) -> int:
        """Count the attempts of the current window, without adding one.

        A window that opened `window` or longer ago counts as over, whatever it was opened with.
        """

    async def clear(self, key: str, *, at_most: int | None = None) -> bool:
        """Forget the attempts of a key; True where there were any in an unexpired window. One round trip.

        ATT-03  With `at_most` a higher count stays as it is, and the answer is False. The count is
                looked at where it is deleted, so of attempts that are made meanwhile no more than
                `at_most` are ever forgotten.
        """


class MfaCodeRepoProtocol(Purgeable, Protocol):
    """Short one-time codes, one for each user and kind."""

    async def put(self, code: MfaCode) -> bool:
        """Store a code in place of the outstanding one; False where there is no such user."""

    async def verify(self, user_id: str, kind: str, code_hash: str, now: datetime) -> MfaVerifyResult:
        """Pay for a guess, then compare it.

        MFA-01  One statement computes the outcome from the row's old values, counts the
                attempt, and uses the row up on OK. However many arrive at once, no more than
                `max_attempts` are compared, and the right code is OK exactly once.
        MFA-02  LOCKED once `max_attempts` guesses were compared, also for the right code; the
                row stays until it expires or is replaced. EXPIRED may be answered as MISSING.
        """

    async def find(self, user_id: str, kind: str) -> MfaCode | None:
        """Find the unexpired code."""

    async def delete(self, user_id: str, kind: str) -> bool:
        """Drop the outstanding code; True where an unexpired one was there."""


class OAuthIdentityRepoProtocol(Protocol):
    """External identities linked to accounts.

    OID-01  Unique on (issuer, subject) and on (user_id, provider), under races too.
    """

    async def create(self, identity: OAuthIdentity, *, token_version: int | None = None) -> OAuthIdentity:
        """Link an identity. A repeat with the same id answers with what is stored.

        With `token_version`, only if the account still has that value (USR-09).

        Raises:
            OAuthIdentityAlreadyLinkedError: the identity, or the user's place, is taken (OID-01).
            UserNotFoundError: there is no such user, also when it is deleted at this instant, or it
                has another `token_version`.
        """

    async def create_with_user(self, user: User, identity: OAuthIdentity) -> User:
        """Store a new account together with the identity that opens it.

        OID-02  Both are there or neither is. A repeat with the same `user.id` answers with the account
                that is stored. Where address and identity are both taken, the address is told.

        Raises:
            UserAlreadyExistsError: another account has the email key (USR-01).
            OAuthIdentityAlreadyLinkedError: the identity is another account's (OID-01).
        """

    async def find_by_subject(self, issuer: str, subject: str) -> OAuthIdentity | None:
        """Find by what the provider vouches for. One round trip."""

    async def list_for_user(self, user_id: str) -> list[OAuthIdentity]:
        """List a user's identities, oldest link first, by id where two are of one instant."""

    async def delete(self, user_id: str, provider: str, *, token_version: int | None = None) -> bool:
        """Unlink one provider.

        With `token_version`, only if the account still has that value (USR-09).
        """

    async def delete_by_user_id(self, user_id: str) -> int:
        """Unlink all of a user's identities; answers how many."""

    async def touch_last_used(self, identity_id: str, when: datetime) -> bool:
        """Set `last_used_at`; it never moves back."""


class OAuthStateRepoProtocol(Purgeable, Protocol):
    """Authorisation flows under way."""

    async def create(self, state: OAuthState) -> bool:
        """Store a flow; False where its `linking_user_id` is no user, or `state_hash` is taken."""

    async def find(self, state_hash: str) -> OAuthState | None:
        """Find an unexpired flow."""

    async def set_result(
        self,
        state_hash: str,
        *,
        result_hash: str,
        user_id: str,
        token_version: int,
        was_new_account: bool,
        expires_at: datetime,
        now: datetime,
    ) -> bool:
        """Store what the flow came to, and until when it can be exchanged.

        OST-01  Succeeds once; False where the flow is unknown, expired or has a result, or
                there is no such user.
        """

    async def consume(self, result_hash: str, now: datetime) -> OAuthState | None:
        """Use the flow up at the exchange.

        OST-02  One winner; None where the result is unknown, used or expired.
        """
