"""The signed-in person's own account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Depends

from regstack.models.user import User  # noqa: TC001 - FastAPI reads the annotations
from regstack.routers.schemas import (
    Accepted,
    ChangeEmailBody,
    CurrentPasswordBody,
    Done,
    ProfileBody,
    TokenBody,
    UserAnswer,
    problems,
)

if TYPE_CHECKING:
    from fastapi.routing import APIRoute

    from regstack.routers.dependencies import Dependencies
    from regstack.services.accounts import Accounts
    from regstack.services.email_change import EmailChange


def account_router(
    route: type[APIRoute],
    accounts: Accounts,
    email_change: EmailChange,
    deps: Dependencies,
    *,
    deletion: bool,
) -> APIRouter:
    """Make `/me`, `/change-email`, `/confirm-email-change` and, with `deletion`, `/account`."""
    router = APIRouter(route_class=route, tags=["account"])

    @router.get("/me", responses=problems(401), summary="Who am I?")
    async def show(user: User = Depends(deps.current_user())) -> UserAnswer:
        return UserAnswer.of(user)

    @router.patch("/me", responses=problems(401), summary="Change my profile")
    async def change(body: ProfileBody, user: User = Depends(deps.current_user())) -> UserAnswer:
        if "full_name" in body.model_fields_set:
            user = await accounts.rename(user, body.full_name)
        return UserAnswer.of(user)

    @router.post(
        "/change-email", status_code=202, responses=problems(400, 401, 429), summary="Move to a new address"
    )
    async def change_email(body: ChangeEmailBody, user: User = Depends(deps.current_user())) -> Accepted:
        await email_change.request(user, body.new_email, body.current_password)
        return Accepted()

    @router.post("/confirm-email-change", responses=problems(400, 409), summary="Confirm the new address")
    async def confirm_email_change(body: TokenBody) -> UserAnswer:
        return UserAnswer.of(await email_change.confirm(body.token))

    if deletion:

        @router.delete("/account", responses=problems(400, 401, 409, 429), summary="Delete my account")
        async def delete(body: CurrentPasswordBody, user: User = Depends(deps.current_user())) -> Done:
            await accounts.delete(user, body.current_password)
            return Done()

    return router
