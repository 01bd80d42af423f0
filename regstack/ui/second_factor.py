"""The second factor: the page after the password, and the forms on the page of the account."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from fastapi import Request, Response  # noqa: TC002 - FastAPI reads the annotations

from regstack.auth.redirects import local_path
from regstack.errors import ChallengeOver
from regstack.routers.entries import read_entries
from regstack.ui.forms import MFA_CONFIRM, PHONE, PHONE_CONFIRM, PHONE_REMOVE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Protocol

    from fastapi import APIRouter

    from regstack.models.user import User
    from regstack.routers.bodies import Body, CurrentPasswordBody, PhoneStartBody
    from regstack.services.phone import Phone
    from regstack.services.second_factor import SecondFactor
    from regstack.ui.door import Door
    from regstack.ui.forms import Form, MfaConfirmForm, PhoneConfirmForm
    from regstack.ui.site import Site

    B = TypeVar("B", bound=Body)

    class Submit(Protocol):
        """Has a form of the signed-in person checked and acted on."""

        async def __call__(
            self, request: Request, form: Form[B], act: Callable[[User, B], Awaitable[Response]]
        ) -> Response:
            """Answer."""


def second_factor_pages(router: APIRouter, site: Site, phone: Phone, submit: Submit) -> None:
    """Add the forms of `/me` that concern the phone."""

    @router.post("/me/phone")
    async def start(request: Request) -> Response:
        async def act(user: User, body: PhoneStartBody) -> Response:
            sent = await phone.start(user, body.phone_number, body.current_password)
            return site.phone_cookie.put(site.go("me", done="phone-code"), sent.token, sent.expires_in)

        return await submit(request, PHONE, act)

    @router.post("/me/phone-confirm")
    async def confirm(request: Request) -> Response:
        async def act(user: User, body: PhoneConfirmForm) -> Response:
            await phone.confirm(user, site.phone_cookie.read(request) or "", body.code)
            return site.phone_cookie.drop(site.go("me", done="phone"))

        try:
            return await submit(request, PHONE_CONFIRM, act)
        except ChallengeOver:
            return site.phone_cookie.drop(site.go("me", done="phone-over"))

    @router.post("/me/phone-remove")
    async def remove(request: Request) -> Response:
        async def act(user: User, body: CurrentPasswordBody) -> Response:
            await phone.remove(user, body.current_password)
            return site.phone_cookie.drop(site.go("me", done="phone-removed"))

        return await submit(request, PHONE_REMOVE, act)


def code_pages(router: APIRouter, site: Site, second_factor: SecondFactor, door: Door) -> None:
    """Add `/mfa-confirm`."""

    def start_again(path: str | None) -> Response:
        return site.sign_in_cookie.drop(site.go("login", done="code-over", next=path or ""))

    @router.get("/mfa-confirm")
    async def show(request: Request) -> Response:
        path = local_path(request.query_params.get("next"))
        try:
            delivery = await second_factor.delivery(site.sign_in_cookie.read(request) or "")
        except ChallengeOver:
            return start_again(path)
        return site.show(request, "mfa-confirm", next=path or "", delivery=delivery)

    @router.post("/mfa-confirm")
    async def confirm(request: Request) -> Response:
        entries, pending = await read_entries(request), site.sign_in_cookie.read(request) or ""
        path = local_path(entries.get("next"))

        async def act(body: MfaConfirmForm) -> Response:
            return await door.let_in(request, await second_factor.confirm(pending, body.code), path)

        try:
            shown = {"next": path or "", "delivery": await second_factor.delivery(pending)}
            return await site.submit(request, MFA_CONFIRM, entries, act, **shown)
        except ChallengeOver:
            return start_again(path)
