"""FastAPI dependencies that say who is asking, for regstack's routes and for the host's."""

# Without `from __future__ import annotations`: FastAPI reads those of an object's `__call__` as they stand.

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar, cast

from fastapi.openapi.models import HTTPBearer
from fastapi.requests import HTTPConnection
from fastapi.security.base import SecurityBase

from regstack.errors import InvalidToken, RegStackError
from regstack.models.user import User
from regstack.routers.errors import to_http
from regstack.services.sessions import Session, Sessions

T = TypeVar("T")


class Dependencies:
    """Makes dependencies that recognise access tokens of one instance.

    Together they cost one database round trip a request, however many of them are named, and
    however often; or none for a while, with `token_cache_milliseconds`, where none must be fresh.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._token = BearerToken()
        self._session = Bearer(sessions, lambda session: session)
        self._fresh_user = Bearer(sessions, lambda session: session.user)
        self._user = Bearer(sessions, lambda session: session.user, fresh=False)
        self._user_optional = OptionalBearer(sessions, lambda session: session.user, fresh=False)
        self._admin = Bearer(sessions, sessions.require_superuser)

    def bearer_token(self) -> Callable[..., Awaitable[str]]:
        """Give the dependency for the token that a request carries, good or not; 401 without one."""
        return self._token

    def current_session(self) -> Callable[..., Awaitable[Session]]:
        """Give the dependency for the signed-in account and its token, read now; 401 without one."""
        return self._session

    def current_user(self, *, fresh: bool = False) -> Callable[..., Awaitable[User]]:
        """Give the dependency for the signed-in account; 401 without one.

        Args:
            fresh: read now, whatever `token_cache_milliseconds` allows: for what must not be done by
                somebody who was signed out elsewhere a moment ago.
        """
        return self._fresh_user if fresh else self._user

    def current_user_optional(self) -> Callable[..., Awaitable[User | None]]:
        """Give the dependency for the signed-in account, or None without a valid token."""
        return self._user_optional

    def current_admin(self) -> Callable[..., Awaitable[User]]:
        """Give the dependency for an administrator, read now; 401 without a token, 403 for others."""
        return self._admin


class BearerToken(SecurityBase):
    """A dependency that gives the access token as it came, and is the security scheme as well."""

    model = HTTPBearer(bearerFormat="JWT", description="Access token from `POST /login`.")
    scheme_name = "HTTPBearer"

    async def __call__(self, connection: HTTPConnection) -> str:
        """Give the token, good or not; 401 without one."""
        try:
            return self._read(connection)
        except InvalidToken as error:
            raise to_http(error) from error

    def _read(self, connection: HTTPConnection) -> str:
        scheme, _, token = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise InvalidToken
        return token.strip()


class Bearer(BearerToken, Generic[T]):
    """A dependency that recognises the token it reads.

    The usual form is three that depend on each other: a scheme, a session and a user. FastAPI
    spends more on the two steps between them than the check of a signature takes.

    Args:
        sessions: recognise the token.
        give: what is asked for, out of the session; may refuse it.
        fresh: see `Sessions.recognise`.
    """

    def __init__(self, sessions: Sessions, give: Callable[[Session], T], *, fresh: bool = True) -> None:
        self._sessions = sessions
        self._give = give
        # Without a cache all is fresh, so that a request that names several reads once.
        self._fresh = fresh or not sessions.remembers
        self._fresh_place = f"regstack.session.{id(sessions)}"
        self._place = self._fresh_place if self._fresh else f"{self._fresh_place}.recent"

    async def __call__(self, connection: HTTPConnection) -> T:  # type: ignore[override]
        """Give what is asked for; 401 without a valid token."""
        try:
            return self._give(await self._session_of(connection))
        except RegStackError as error:
            raise to_http(error) from error

    async def _session_of(self, connection: HTTPConnection) -> Session:
        """Recognise the token, or remember what another dependency has recognised in the same request.

        A scope may be used for a further request with another token, by a host that forwards, so the
        token is compared. What is not a single request, a WebSocket for example, remembers nothing.
        """
        token, scope = self._read(connection), connection.scope
        for place in (self._fresh_place, self._place):
            known, session = scope.get(place, ("", None))
            if known == token and session is not None:
                return cast("Session", session)
        session = await self._sessions.recognise(token, fresh=self._fresh)
        if scope["type"] == "http":
            scope[self._place] = token, session
        return session


class OptionalBearer(Bearer[T]):
    """The same, where nobody has to be signed in."""

    async def __call__(self, connection: HTTPConnection) -> T | None:  # type: ignore[override]
        """Give what is asked for, or None without a valid token."""
        try:
            return self._give(await self._session_of(connection))
        except InvalidToken:
            return None
        except RegStackError as error:
            raise to_http(error) from error
