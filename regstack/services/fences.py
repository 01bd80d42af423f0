"""Repositories whose writes end what is remembered of whom they concern."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

from regstack.backends.changes import ANYTHING, Change
from regstack.errors import Conflict
from regstack.models.user import User

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from regstack.backends.protocols import BlacklistRepoProtocol, UserRepoProtocol

    Tell = Callable[[Change], None]


def fenced_users(users: UserRepoProtocol, forget: Tell, announce: Tell) -> UserRepoProtocol:
    """Give a repository of accounts that sees to it that no write is overlooked.

    Args:
        users: the repository that does the work.
        forget: what is called with each change, before the write's own caller knows of it.
        announce: what is called after `forget` with each change that others should know of.
    """
    return cast("UserRepoProtocol", FencedUsers(users, forget, announce))


def fenced_blacklist(blacklist: BlacklistRepoProtocol, forget: Tell, announce: Tell) -> BlacklistRepoProtocol:
    """Give a repository of revoked tokens that sees to it that no revocation is overlooked."""
    return cast("BlacklistRepoProtocol", FencedBlacklist(blacklist, forget, announce))


class _Fenced:
    """Passes every call on.

    What is not named among the reads counts as a write, and a write of which nothing else is said
    may have changed anything; so an operation that is forgotten here costs speed alone. The fence
    stands after the write, however that ended: a read that was sent before may have missed it.
    """

    reads: ClassVar[frozenset[str]]
    quiet: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, repository: object, forget: Tell, announce: Tell) -> None:
        self._repository = repository
        self._forget = forget
        self._announce = announce

    def __dir__(self) -> list[str]:
        return dir(self._repository)

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._repository, name)
        if name in self.reads or not callable(operation):
            return operation

        async def write(*arguments: Any, **named: Any) -> Any:
            try:
                answer = await operation(*arguments, **named)
            except Conflict:
                # Refused as a whole; else anybody could empty what is remembered by being refused.
                self._fence(name, self.asked(name, arguments, named))
                raise
            except BaseException:
                # It may have happened nevertheless.
                self._fence(name, self.asked(name, arguments, named) or ANYTHING)
                raise
            self._fence(name, self.asked(name, arguments, named) or self.answered(name, answer))
            return answer

        return write

    def asked(self, name: str, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> Change | None:
        """Say what a call would change, if its arguments say it."""
        raise NotImplementedError

    def answered(self, name: str, answer: object) -> Change | None:  # noqa: ARG002
        """Say what a call has changed, if its arguments do not; None for nothing at all."""
        return ANYTHING

    def _fence(self, name: str, change: Change | None) -> None:
        if change is not None:
            self._forget(change)
            if name not in self.quiet:
                self._announce(change)


class FencedUsers(_Fenced):
    """Stands before `UserRepoProtocol`.

    Attributes:
        reads: operations that change nothing.
        of_one: writes whose first argument is the `user_id`.
        of_whom_the_answer_says: writes by a token, which answer with the account, or None where
            nothing was changed.
        quiet: writes that nobody else needs to know of: they change nothing that a session
            depends on, and one of them comes with every sign-in.
    """

    reads = frozenset(
        {"get_by_id", "get_by_email", "find_login_subject", "get_token_subject", "count", "list_page"}
    )
    of_one = frozenset(
        {
            *("record_login", "rehash_password", "update_profile", "set_second_factor"),
            *("set_password", "invalidate_tokens", "put_reset_token", "put_email_change", "set_flags"),
            *("hand_over", "delete"),
        }
    )
    of_whom_the_answer_says = frozenset({"create_from_pending", "reset_password", "confirm_email_change"})
    quiet = frozenset({"create", "record_login", "rehash_password", "put_reset_token", "put_email_change"})

    def asked(self, name: str, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> Change | None:  # noqa: D102
        if name in self.of_one:
            return Change(user_id=arguments[0] if arguments else named.get("user_id"))
        if name == "create":
            user = arguments[0] if arguments else named.get("user")
            return Change(user_id=getattr(user, "id", None))
        return None

    def answered(self, name: str, answer: object) -> Change | None:  # noqa: D102
        if name not in self.of_whom_the_answer_says:
            return ANYTHING
        return Change(user_id=answer.id) if isinstance(answer, User) else None


class FencedBlacklist(_Fenced):
    """Stands before `BlacklistRepoProtocol`; what expired is dead by itself, so purging changes nothing."""

    reads = frozenset({"is_revoked", "purge_expired"})

    def asked(self, name: str, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> Change | None:  # noqa: D102
        return Change(jti=arguments[0] if arguments else named.get("jti")) if name == "revoke" else None
