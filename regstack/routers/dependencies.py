"""FastAPI dependencies that say who is asking, for regstack's routes and for the host's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from regstack.errors import InvalidToken, RegStackError
from regstack.models.user import User  # noqa: TC001 - FastAPI reads the annotations
from regstack.routers.errors import to_http
from regstack.services.sessions import Session, Sessions  # noqa: TC001

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_bearer = HTTPBearer(auto_error=False, bearerFormat="JWT", description="Access token from `POST /login`.")


class Dependencies:
    """Makes dependencies that recognise access tokens of one instance.

    Each costs one database round trip a request, or none for a while with
    `token_cache_milliseconds`; FastAPI calls one dependency once a request however often it is
    named.
    """

    def __init__(self, sessions: Sessions) -> None:
        async def token(credentials: HTTPAuthorizationCredentials | None = Depends(_bearer)) -> str:
            if credentials is None:
                raise to_http(InvalidToken())
            return credentials.credentials

        def session_of(*, fresh: bool) -> Callable[..., Awaitable[Session]]:
            async def session(credentials: HTTPAuthorizationCredentials | None = Depends(_bearer)) -> Session:
                try:
                    if credentials is None:
                        raise InvalidToken
                    return await sessions.recognise(credentials.credentials, fresh=fresh)
                except RegStackError as error:
                    raise to_http(error) from error

            return session

        def user_of(session: Callable[..., Awaitable[Session]]) -> Callable[..., Awaitable[User]]:
            async def user(session: Session = Depends(session)) -> User:
                return session.user

            return user

        session = session_of(fresh=True)
        fresh_user = user_of(session)
        # Without a cache one and the same, so that a request that names both reads once.
        user = user_of(session_of(fresh=False)) if sessions.remembers else fresh_user

        async def user_optional(
            credentials: HTTPAuthorizationCredentials | None = Depends(_bearer),
        ) -> User | None:
            try:
                if credentials is None:
                    return None
                return (await sessions.recognise(credentials.credentials, fresh=False)).user
            except InvalidToken:
                return None
            except RegStackError as error:
                raise to_http(error) from error

        async def admin(session: Session = Depends(session)) -> User:
            try:
                return sessions.require_superuser(session)
            except RegStackError as error:
                raise to_http(error) from error

        self._token, self._session, self._fresh_user, self._admin = token, session, fresh_user, admin
        self._user, self._user_optional = user, user_optional

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
