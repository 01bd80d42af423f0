"""Signing in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Depends

from regstack.routers.answers import Done, MfaRequiredAnswer, TokenAnswer
from regstack.routers.bodies import LoginBody  # noqa: TC001 - FastAPI reads the annotations
from regstack.routers.problems import problems
from regstack.services.second_factor import MfaChallenge

if TYPE_CHECKING:
    from fastapi.routing import APIRoute

    from regstack.routers.dependencies import Dependencies
    from regstack.services.login import Login
    from regstack.services.sessions import Sessions


def sessions_router(route: type[APIRoute], login: Login, sessions: Sessions, deps: Dependencies) -> APIRouter:
    """Make `/login` and `/logout`."""
    router = APIRouter(route_class=route, tags=["sessions"])

    @router.post(
        "/login",
        operation_id="login",
        responses=problems(400, 401, 403, 422, 429),
        summary="Sign in",
        description="That an account is disabled or not confirmed yet (403) is told after the right password "
        "alone. Where it has a second factor, the answer is `mfa_required` in place of a token.",
    )
    async def log_in(body: LoginBody) -> TokenAnswer | MfaRequiredAnswer:
        outcome = await login.log_in(body.email, body.password)
        if isinstance(outcome, MfaChallenge):
            return MfaRequiredAnswer.of(outcome)
        return TokenAnswer.of(outcome)

    @router.post(
        "/logout",
        operation_id="logout",
        responses=problems(401),
        summary="End this session",
        description="The token is dead at once, in every process.",
    )
    async def log_out(token: str = Depends(deps.bearer_token())) -> Done:
        await sessions.end(token)
        return Done()

    return router
