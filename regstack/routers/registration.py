"""Registering and confirming the address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter

from regstack.models.user import User
from regstack.routers.schemas import (
    Accepted,
    EmailBody,
    PendingAnswer,
    RegisterBody,
    UserAnswer,
    VerifyBody,
    problems,
)

if TYPE_CHECKING:
    from fastapi.routing import APIRoute

    from regstack.services.registration import Registration


def registration_router(route: type[APIRoute], registration: Registration) -> APIRouter:
    """Make `/register`, `/verify` and `/resend-verification`."""
    router = APIRouter(route_class=route, tags=["registration"])

    @router.post("/register", status_code=201, responses=problems(403, 409), summary="Register")
    async def register(body: RegisterBody) -> UserAnswer | PendingAnswer:
        made = await registration.register(body.email, body.password, body.full_name)
        if isinstance(made, User):
            return UserAnswer.of(made)
        return PendingAnswer(email=made.email, expires_at=made.expires_at)

    @router.post(
        "/verify",
        responses=problems(400, 429),
        summary="Confirm an address",
        description="With the password of the registration, only whoever registered can confirm. It may be "
        "left out, unless `verification_requires_password` is set.",
    )
    async def verify(body: VerifyBody) -> UserAnswer:
        return UserAnswer.of(await registration.verify(body.token, body.password))

    @router.post("/resend-verification", status_code=202, responses=problems(), summary="Mail the link again")
    async def resend_verification(body: EmailBody) -> Accepted:
        await registration.resend(body.email)
        return Accepted()

    return router
