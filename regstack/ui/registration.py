"""Pages for registering and confirming the address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import Request, Response  # noqa: TC002 - FastAPI reads the annotations

from regstack.errors import RegistrationClosed, RegStackError
from regstack.routers.entries import read_entries
from regstack.ui.door import Door
from regstack.ui.forms import REGISTER, RESEND, VERIFY
from regstack.ui.links import mailed_token

if TYPE_CHECKING:
    from fastapi import APIRouter

    from regstack.config.schema import RegStackConfig
    from regstack.routers.bodies import EmailBody
    from regstack.services.services import Services
    from regstack.ui.forms import RegisterForm, VerifyForm
    from regstack.ui.site import Site


def registration_pages(router: APIRouter, site: Site, services: Services, config: RegStackConfig) -> None:
    """Add `/register`, `/verify` and `/verify/resend`."""
    registration, door = services.registration, Door(site, services.sessions)

    @router.get("/register")
    async def show_registration(request: Request) -> Response:
        if not config.allow_registration:
            raise RegistrationClosed
        return site.show(request, "register")

    @router.post("/register")
    async def register(request: Request) -> Response:
        async def act(body: RegisterForm) -> Response:
            await registration.register(body.email, body.password, body.full_name)
            return site.go("verify" if config.require_verification else "login", done="registered")

        if not config.allow_registration:
            raise RegistrationClosed
        return await site.submit(request, REGISTER, await read_entries(request), act)

    @router.get("/verify")
    async def show_verification(request: Request) -> Response:
        token, broken = mailed_token(request, VERIFY)
        return site.show(request, "verify", token=token, failed=broken, status=400 if broken else 200)

    @router.post("/verify")
    async def verify(request: Request) -> Response:
        async def act(body: VerifyForm) -> Response:
            user = await registration.verify(body.token, body.password)
            try:
                outcome = await services.login.log_in(user.email, body.password)
            except RegStackError:  # the address is confirmed all the same
                return site.go("login", done="verified")
            return await door.let_in(request, outcome, done="verified")

        return await site.submit(request, VERIFY, await read_entries(request), act)

    @router.post("/verify/resend")
    async def resend(request: Request) -> Response:
        async def act(body: EmailBody) -> Response:
            await registration.resend(body.email)
            return site.go("verify", done="sent")

        return await site.submit(request, RESEND, await read_entries(request), act)
