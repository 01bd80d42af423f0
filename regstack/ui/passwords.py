"""Pages for recovering a forgotten password."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import HTTPException, Request, Response

from regstack.routers.entries import read_entries
from regstack.ui.forms import FORGOT, RESET
from regstack.ui.links import mailed_token

if TYPE_CHECKING:
    from fastapi import APIRouter

    from regstack.routers.bodies import EmailBody, ResetPasswordBody
    from regstack.services.services import Services
    from regstack.ui.site import Site


def passwords_pages(router: APIRouter, site: Site, services: Services, *, recovery: bool) -> None:
    """Add `/forgot` and `/reset`; without `recovery` both are pages that say 404."""
    passwords = services.passwords

    if not recovery:

        @router.api_route("/forgot", methods=["GET", "POST"])
        @router.api_route("/reset", methods=["GET", "POST"])
        async def show_nothing() -> Response:
            raise HTTPException(404, "forgotten passwords are not replaced by mail here")

        return

    @router.get("/forgot")
    async def show_forgot(request: Request) -> Response:
        return site.show(request, "forgot")

    @router.post("/forgot")
    async def forgot(request: Request) -> Response:
        async def act(body: EmailBody) -> Response:
            await passwords.forgot(body.email)
            return site.go("forgot", done="sent")

        return await site.submit(request, FORGOT, await read_entries(request), act)

    @router.get("/reset")
    async def show_reset(request: Request) -> Response:
        token, broken = mailed_token(request, RESET)
        return site.show(request, "reset", token=token, failed=broken, status=200 if token else 400)

    @router.post("/reset")
    async def reset(request: Request) -> Response:
        async def act(body: ResetPasswordBody) -> Response:
            await passwords.reset(body.token, body.new_password)
            return site.cookie.drop(site.go("login", done="reset"))

        return await site.submit(request, RESET, await read_entries(request), act)
