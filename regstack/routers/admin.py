"""Administration of all accounts."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, HTTPException, Path, Query

from regstack.models.text import check_text
from regstack.models.user import User  # noqa: TC001 - FastAPI reads the annotations
from regstack.routers.answers import Accepted, Done, PageAnswer, StatsAnswer, UserAnswer
from regstack.routers.bodies import AdminUserBody  # noqa: TC001 - FastAPI reads the annotations
from regstack.routers.problems import problems

if TYPE_CHECKING:
    from fastapi.routing import APIRoute

    from regstack.routers.dependencies import Dependencies
    from regstack.services.administration import Administration
    from regstack.services.registration import Registration

UserId = Annotated[
    str,
    Path(
        description="An account's `id`; what is none, or nobody's, is a 404.",
        examples=["01890a5d-ac96-7000-8000-000000000000"],
    ),
]


def admin_router(
    route: type[APIRoute], administration: Administration, registration: Registration, deps: Dependencies
) -> APIRouter:
    """Make the routes under `/admin`, for superusers only."""
    router = APIRouter(
        prefix="/admin",
        route_class=route,
        tags=["administration"],
        dependencies=[Depends(deps.current_admin())],
    )

    @router.get("/stats", operation_id="admin_stats", responses=problems(401, 403), summary="Counts")
    async def stats() -> StatsAnswer:
        return StatsAnswer(**asdict(await administration.stats()))

    @router.get(
        "/users",
        operation_id="admin_list_users",
        responses=problems(401, 403, 422),
        summary="List accounts",
        description="In the order of their making. `after` costs the same at any depth and among any number "
        "of accounts; `skip`, and the `total` that is told where there is no `after`, do not.",
    )
    async def list_users(
        skip: Annotated[int, Query(ge=0, le=2**31, description="Accounts to pass over.")] = 0,
        limit: Annotated[int, Query(ge=1, le=200, description="Accounts on a page.")] = 50,
        after: Annotated[
            str | None,
            Query(
                max_length=36,
                description="`next` of the page before; empty for a first page that is not counted.",
            ),
        ] = None,
        search: Annotated[
            str | None, Query(max_length=254, description="Beginning of an address or of a name.")
        ] = None,
    ) -> PageAnswer:
        search = check_text(search) if search else None
        page = await administration.page(limit=limit, skip=skip, after=after, search=search)
        return PageAnswer(
            items=[UserAnswer.of(user) for user in page.items],
            total=page.total,
            skip=skip,
            limit=limit,
            next=page.next,
        )

    @router.get(
        "/users/{user_id}",
        operation_id="admin_get_user",
        responses=problems(401, 403, 404, 422),
        summary="Show an account",
    )
    async def show(user_id: UserId) -> UserAnswer:
        return UserAnswer.of(_found(await administration.find(user_id)))

    @router.patch(
        "/users/{user_id}",
        operation_id="admin_update_user",
        responses=problems(400, 401, 403, 404, 409, 422),
        summary="Change an account",
        description="Changes what is sent, and leaves the rest. Disabling ends all sessions. The last active "
        "administrator stays one: 409.",
    )
    async def change(user_id: UserId, body: AdminUserBody) -> UserAnswer:
        user = await administration.update(
            user_id,
            is_active=body.is_active,
            is_superuser=body.is_superuser,
            renaming=(body.full_name,) if "full_name" in body.model_fields_set else None,
        )
        return UserAnswer.of(_found(user))

    @router.delete(
        "/users/{user_id}",
        operation_id="admin_delete_user",
        responses=problems(401, 403, 404, 409, 422),
        summary="Delete an account",
        description="With all that belongs to it. The last active administrator stays: 409.",
    )
    async def delete(user_id: UserId) -> Done:
        if not await administration.delete(user_id):
            raise _not_found()
        return Done()

    @router.post(
        "/users/{user_id}/resend-verification",
        operation_id="admin_resend_verification",
        status_code=202,
        responses=problems(400, 401, 403, 404, 422),
        summary="Mail the verification link",
        description="400 where the address is confirmed already.",
    )
    async def resend(user_id: UserId) -> Accepted:
        await registration.resend_to_user(_found(await administration.find(user_id)))
        return Accepted()

    @router.post(
        "/pending/{email}/promote",
        operation_id="admin_promote_pending",
        status_code=201,
        responses=problems(401, 403, 404, 409, 422),
        summary="Confirm a pending registration",
        description="Without the mail. The link in it is dead then.",
    )
    async def promote(email: Annotated[str, Path(examples=["alice@example.com"])]) -> UserAnswer:
        return UserAnswer.of(_found(await registration.promote(email)))

    return router


def _not_found() -> HTTPException:
    return HTTPException(404, "there is no such account")


def _found(user: User | None) -> User:
    if user is None:
        raise _not_found()
    return user
