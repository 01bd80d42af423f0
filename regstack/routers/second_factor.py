"""The second factor: finishing a sign-in with it, setting it up, taking it away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Depends

from regstack.models.user import User  # noqa: TC001 - FastAPI reads the annotations
from regstack.routers.answers import CodeSentAnswer, Done, TokenAnswer, UserAnswer
from regstack.routers.bodies import CurrentPasswordBody, MfaConfirmBody, PhoneConfirmBody, PhoneStartBody  # noqa: TC001 - FastAPI reads the annotations
from regstack.routers.problems import problems

if TYPE_CHECKING:
    from fastapi.routing import APIRoute

    from regstack.routers.dependencies import Dependencies
    from regstack.services.phone import Phone
    from regstack.services.second_factor import SecondFactor


def second_factor_router(
    route: type[APIRoute], second_factor: SecondFactor, phone: Phone, deps: Dependencies
) -> APIRouter:
    """Make `/login/mfa-confirm`, `/phone/start`, `/phone/confirm` and `/phone`."""
    router = APIRouter(route_class=route, tags=["second factor"])

    @router.post(
        "/login/mfa-confirm",
        operation_id="confirm_login",
        responses=problems(400, 422, 429),
        summary="Finish a sign-in with a code",
        description="A wrong code may be tried again, a few times. For a new code, sign in anew.",
    )
    async def finish(body: MfaConfirmBody) -> TokenAnswer:
        return TokenAnswer.of(await second_factor.confirm(body.mfa_pending_token, body.code))

    @router.post(
        "/phone/start",
        operation_id="start_phone",
        status_code=202,
        responses=problems(400, 401, 403, 422, 429),
        summary="Text a code to my phone",
        description="Nothing changes until the code comes back. 403 while the address is not confirmed.",
    )
    async def start(
        body: PhoneStartBody, user: User = Depends(deps.current_user(fresh=True))
    ) -> CodeSentAnswer:
        return CodeSentAnswer.of(await phone.start(user, body.phone_number, body.current_password))

    @router.post(
        "/phone/confirm",
        operation_id="confirm_phone",
        responses=problems(400, 401, 422, 429),
        summary="Make my phone the second factor",
        description="From the next sign-in on, a code is asked for. Sessions that are open stay open.",
    )
    async def confirm(
        body: PhoneConfirmBody, user: User = Depends(deps.current_user(fresh=True))
    ) -> UserAnswer:
        return UserAnswer.of(await phone.confirm(user, body.pending_token, body.code))

    @router.delete(
        "/phone",
        operation_id="delete_phone",
        responses=problems(400, 401, 422, 429),
        summary="Remove my phone",
        description="The password alone is asked for then.",
    )
    async def remove(body: CurrentPasswordBody, user: User = Depends(deps.current_user(fresh=True))) -> Done:
        await phone.remove(user, body.current_password)
        return Done()

    return router
