"""The floor: an endpoint that checks the token's signature and expiry, and asks no database."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime
from typing import Any

from fastapi import Depends, FastAPI, Header, HTTPException, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from pydantic import BaseModel

from benchmarks.applications import Person

ME, LEAN = "/me", "/lean"
LOGIN, FORM = "", False

bearer = HTTPBearer()


class Answer(BaseModel):
    """As many fields as an account of regstack has in an answer."""

    id: str
    email: str
    is_active: bool = True
    is_verified: bool = True
    is_superuser: bool = False
    full_name: str | None = None
    phone_number: str | None = None
    is_mfa_enabled: bool = False
    created_at: datetime
    updated_at: datetime
    last_login: datetime | None = None
    tokens_invalidated_after: datetime | None = None


async def populate(settings: dict[str, Any], count: int) -> list[Person]:
    """Sign tokens that say as much as regstack's."""
    key, now = OctKey.import_key(settings["secret"]), int(time.time())
    return [
        Person(
            f"person{number}@example.com",
            jwt.encode(
                {"alg": "HS256", "kid": "one"},
                {
                    "sub": secrets.token_hex(18), "jti": secrets.token_urlsafe(16), "ver": 0, "iat": now,
                    "exp": now + 7200, "purpose": "access",
                },
                key,
            ),
        )
        for number in range(count)
    ]  # fmt: skip


def build(settings: dict[str, Any]) -> FastAPI:
    """Make what an application would write that trusts the token alone, and its leanest form."""
    app, key = FastAPI(), OctKey.import_key(settings["secret"])
    registry = jwt.JWTClaimsRegistry(exp={"essential": True})

    def checked(text: str) -> dict[str, Any]:
        try:
            token = jwt.decode(text, key, algorithms=["HS256"])
            registry.validate(token.claims)
        except JoseError as error:
            raise HTTPException(401) from error
        return token.claims

    def answer(claims: dict[str, Any]) -> Answer:
        now = datetime.now(UTC)
        return Answer(id=claims["sub"], email="person@example.com", created_at=now, updated_at=now)

    async def from_bearer(credentials: HTTPAuthorizationCredentials = Depends(bearer)) -> dict[str, Any]:
        return checked(credentials.credentials)

    async def from_header(authorization: str = Header()) -> dict[str, Any]:
        return checked(authorization.removeprefix("Bearer "))

    @app.get(ME)
    async def me(claims: dict[str, Any] = Depends(from_bearer)) -> Answer:
        return answer(claims)

    @app.get(LEAN)
    async def lean(claims: dict[str, Any] = Depends(from_header)) -> Response:
        return Response(answer(claims).model_dump_json(), media_type="application/json")

    return app
