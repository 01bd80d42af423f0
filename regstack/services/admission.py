"""What happens once the last factor was right."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from regstack.auth.clock import Clock
    from regstack.backends.protocols import UserRepoProtocol
    from regstack.models.user import User
    from regstack.services.audit import Audit
    from regstack.services.events import EventHooks
    from regstack.services.lockout import Lockout
    from regstack.services.sessions import AccessToken, Sessions


class Admission:
    """The end of every sign-in, however many factors it had."""

    def __init__(
        self,
        users: UserRepoProtocol,
        sessions: Sessions,
        lockout: Lockout,
        audit: Audit,
        events: EventHooks,
        clock: Clock,
    ) -> None:
        self._users = users
        self._sessions = sessions
        self._lockout = lockout
        self._audit = audit
        self._events = events
        self._clock = clock

    async def admit(self, user: User, *guessed: str, provider: str | None = None) -> AccessToken:
        """Record the sign-in and hand out an access token.

        The caller's place counts as the owner's from now on, and the wrong guesses before are
        forgotten. Neither needs the other, so all is written in one wait.

        Args:
            user: the snapshot that the factors were checked against; see `Sessions.issue`.
            *guessed: purposes of the lockout that were claimed on the way.
            provider: whose word was enough, if no factor of this application's was asked for.
        """
        await asyncio.gather(
            self._users.record_login(user.id, self._clock.now()),
            *(self._lockout.clear(purpose, user.email_key) for purpose in guessed),
        )
        self._lockout.remember_place(user)
        if provider is None:
            self._audit.record("login", user=user)
        else:
            self._audit.record("oauth_login", user=user, provider=provider)
        self._events.fire("user_logged_in", user=user)
        return self._sessions.issue(user)
