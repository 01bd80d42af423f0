"""Administration of all accounts."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, HTTPException, Query

from regstack.models.text import check_text
from regstack.models.user import User  # noqa: TC001 - FastAPI reads the annotations
from regstack.routers.schemas import (
    Accepted,
    AdminUserBody,
    Done,
    PageAnswer,
    StatsAnswer,
    UserAnswer,
    problems,
)

if TYPE_CHECKING:
    from fastapi.routing import APIRoute

    from regstack.routers.dependencies import Dependencies
    from regstack.services.administration import Administration
    from regstack.services.registration import Registration


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

    @router.get("/stats", responses=problems(401, 403), summary="Counts")
    async def stats() -> StatsAnswer:
        return StatsAnswer(**asdict(await administration.stats()))

    @router.get("/users", responses=problems(401, 403), summary="List accounts")
    async def list_users(
        skip: Annotated[int, Query(ge=0, le=2**31)] = 0,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        after: Annotated[str | None, Query(max_length=36)] = None,
        search: Annotated[str | None, Query(max_length=254)] = None,
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

    @router.get("/users/{user_id}", responses=problems(401, 403, 404), summary="Show an account")
    async def show(user_id: str) -> UserAnswer:
        return UserAnswer.of(_found(await administration.find(user_id)))

    @router.patch("/users/{user_id}", responses=problems(401, 403, 404, 409), summary="Change an account")
    async def change(user_id: str, body: AdminUserBody) -> UserAnswer:
        user = await administration.update(
            user_id,
            is_active=body.is_active,
            is_superuser=body.is_superuser,
            renaming=(body.full_name,) if "full_name" in body.model_fields_set else None,
        )
        return UserAnswer.of(_found(user))

    @router.delete("/users/{user_id}", responses=problems(401, 403, 404, 409), summary="Delete an account")
    async def delete(user_id: str) -> Done:
        if not await administration.delete(user_id):
            raise _not_found()
        return Done()

    @router.post(
        "/users/{user_id}/resend-verification",
        status_code=202,
        responses=problems(400, 401, 403, 404),
        summary="Mail the verification link",
    )
    async def resend(user_id: str) -> Accepted:
        await registration.resend_to_user(_found(await administration.find(user_id)))
        return Accepted()

    @router.post(
        "/pending/{email}/promote",
        status_code=201,
        responses=problems(401, 403, 404, 409),
        summary="Confirm a pending registration",
    )
    async def promote(email: str) -> UserAnswer:
        return UserAnswer.of(_found(await registration.promote(email)))

    return router


def _not_found() -> HTTPException:
    return HTTPException(404, "there is no such account")


def _found(user: User | None) -> User:
    if user is None:
        raise _not_found()
    return user
