"""The signed-in person's own account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Depends, Response

from regstack.models.user import User  # noqa: TC001 - FastAPI reads the annotations
from regstack.routers.answers import Accepted, Done, UserAnswer
from regstack.routers.bodies import ChangeEmailBody, ConfirmEmailChangeBody, CurrentPasswordBody, ProfileBody  # noqa: TC001 - FastAPI reads the annotations
from regstack.routers.problems import problems

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

    @router.get(
        "/me",
        operation_id="get_me",
        response_model=UserAnswer,
        responses=problems(401),
        summary="Who am I?",
    )
    async def show(user: User = Depends(deps.current_user())) -> Response:
        # Asked for by every page of every client: made ready here, so that FastAPI does not check it again.
        return Response(UserAnswer.of(user).model_dump_json(), media_type="application/json")

    @router.patch(
        "/me",
        operation_id="update_me",
        responses=problems(400, 401, 422),
        summary="Change my profile",
        description="Changes what is sent, and leaves the rest. `null` takes the name away.",
    )
    async def change(body: ProfileBody, user: User = Depends(deps.current_user(fresh=True))) -> UserAnswer:
        if "full_name" in body.model_fields_set:
            user = await accounts.rename(user, body.full_name)
        return UserAnswer.of(user)

    @router.post(
        "/change-email",
        operation_id="change_email",
        status_code=202,
        responses=problems(400, 401, 422, 429),
        summary="Move to a new address",
        description="Mails a link to the new address and a notice to the present one; until the link is "
        "used, nothing changes. Whether the new address has an account already is not told.",
    )
    async def change_email(
        body: ChangeEmailBody, user: User = Depends(deps.current_user(fresh=True))
    ) -> Accepted:
        await email_change.request(user, body.new_email, body.current_password)
        return Accepted()

    @router.post(
        "/confirm-email-change",
        operation_id="confirm_email_change",
        responses=problems(400, 409, 422, 429),
        summary="Confirm the new address",
        description="Takes the token of the mailed link, once; earlier access tokens and reset links die. "
        "With the password of the account, only its owner can confirm; it may be left out, unless "
        "`verification_requires_password` is set.",
    )
    async def confirm_email_change(body: ConfirmEmailChangeBody) -> UserAnswer:
        return UserAnswer.of(await email_change.confirm(body.token, body.password))

    if deletion:

        @router.delete(
            "/account",
            operation_id="delete_account",
            responses=problems(400, 401, 409, 422, 429),
            summary="Delete my account",
            description="Takes the current password in its body. The last active administrator stays: 409.",
        )
        async def delete(
            body: CurrentPasswordBody, user: User = Depends(deps.current_user(fresh=True))
        ) -> Done:
            await accounts.delete(user, body.current_password)
            return Done()

    return router
