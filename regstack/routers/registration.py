"""Registering and confirming the address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter

from regstack.models.user import User
from regstack.routers.answers import Accepted, PendingAnswer, UserAnswer
from regstack.routers.bodies import EmailBody, RegisterBody, VerifyBody  # noqa: TC001 - FastAPI reads the annotations
from regstack.routers.problems import problems

if TYPE_CHECKING:
    from fastapi.routing import APIRoute

    from regstack.services.registration import Registration


def registration_router(route: type[APIRoute], registration: Registration) -> APIRouter:
    """Make `/register`, `/verify` and `/resend-verification`."""
    router = APIRouter(route_class=route, tags=["registration"])

    @router.post(
        "/register",
        operation_id="register",
        status_code=201,
        responses=problems(400, 403, 409, 422, 429),
        summary="Register",
        description="Answers with the account, or with a pending registration where the address must be "
        "confirmed first: the mail has the link.",
    )
    async def register(body: RegisterBody) -> UserAnswer | PendingAnswer:
        made = await registration.register(body.email, body.password, body.full_name)
        if isinstance(made, User):
            return UserAnswer.of(made)
        return PendingAnswer(email=made.email, expires_at=made.expires_at)

    @router.post(
        "/verify",
        operation_id="verify",
        responses=problems(400, 422, 429),
        summary="Confirm an address",
        description="Takes the token of the mailed link, once. With the password of the registration, only "
        "whoever registered can confirm; it may be left out, unless `verification_requires_password` is set.",
    )
    async def verify(body: VerifyBody) -> UserAnswer:
        return UserAnswer.of(await registration.verify(body.token, body.password))

    @router.post(
        "/resend-verification",
        operation_id="resend_verification",
        status_code=202,
        responses=problems(400, 422, 429),
        summary="Mail the link again",
        description="The answer is the same whether or not a mail is due. A new link ends the earlier one.",
    )
    async def resend_verification(body: EmailBody) -> Accepted:
        await registration.resend(body.email)
        return Accepted()

    return router
