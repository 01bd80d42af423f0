"""Changing and recovering passwords."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Depends

from regstack.models.user import User  # noqa: TC001 - FastAPI reads the annotations
from regstack.routers.answers import Accepted, Done, TokenAnswer
from regstack.routers.bodies import ChangePasswordBody, EmailBody, ResetPasswordBody  # noqa: TC001 - FastAPI reads the annotations
from regstack.routers.problems import problems

if TYPE_CHECKING:
    from fastapi.routing import APIRoute

    from regstack.routers.dependencies import Dependencies
    from regstack.services.passwords import Passwords


def passwords_router(
    route: type[APIRoute], passwords: Passwords, deps: Dependencies, *, recovery: bool
) -> APIRouter:
    """Make `/change-password` and, with `recovery`, `/forgot-password` and `/reset-password`."""
    router = APIRouter(route_class=route, tags=["passwords"])

    @router.post(
        "/change-password",
        operation_id="change_password",
        responses=problems(400, 401, 422, 429),
        summary="Change my password",
        description="Every earlier token dies, the calling one too; the answer carries a fresh one.",
    )
    async def change(
        body: ChangePasswordBody, user: User = Depends(deps.current_user(fresh=True))
    ) -> TokenAnswer:
        token = await passwords.change(user, body.current_password, body.new_password)
        return TokenAnswer.of(token)

    if recovery:

        @router.post(
            "/forgot-password",
            operation_id="forgot_password",
            status_code=202,
            responses=problems(400, 422, 429),
            summary="Mail a reset link",
            description="The answer is the same whether or not the address has an account. A new link ends "
            "the earlier one.",
        )
        async def forgot(body: EmailBody) -> Accepted:
            await passwords.forgot(body.email)
            return Accepted()

        @router.post(
            "/reset-password",
            operation_id="reset_password",
            responses=problems(400, 422, 429),
            summary="Set a password with a mailed token",
            description="Every access token of the account dies, and its lockout ends. A password that "
            "breaks the policy (422) leaves the link good.",
        )
        async def reset(body: ResetPasswordBody) -> Done:
            await passwords.reset(body.token, body.new_password)
            return Done()

    return router
