"""Pages of the signed-in person's own account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from fastapi import HTTPException, Request, Response

from regstack.errors import InvalidToken
from regstack.routers.answers import LinkedProvider, UserAnswer
from regstack.routers.entries import read_entries
from regstack.services.second_factor import Delivery
from regstack.ui.forms import CONFIRM_EMAIL_CHANGE, DELETE, EMAIL, NAME, PASSWORD
from regstack.ui.links import mailed_token
from regstack.ui.oauth import oauth_pages
from regstack.ui.second_factor import second_factor_pages

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fastapi import APIRouter

    from regstack.models.user import User
    from regstack.routers.bodies import Body, ChangeEmailBody, ChangePasswordBody
    from regstack.services.services import Services
    from regstack.services.sessions import Session
    from regstack.ui.forms import ConfirmEmailChangeForm, DeleteForm, Form, ProfileForm
    from regstack.ui.site import Site

    B = TypeVar("B", bound=Body)


def account_pages(router: APIRouter, site: Site, services: Services, *, deletion: bool) -> None:
    """Add `/me`, its forms, and `/confirm-email-change`; without `deletion` no form deletes."""

    async def session_of(request: Request) -> Session:
        token = site.cookie.read(request)
        if token is None:
            raise InvalidToken
        return await services.sessions.recognise(token)

    async def signed_in(request: Request) -> User:
        return (await session_of(request)).user

    async def submit(
        request: Request, form: Form[B], act: Callable[[User, B], Awaitable[Response]]
    ) -> Response:
        entries, user = await read_entries(request), await signed_in(request)
        shown = await _shown(user, services, request, site)
        return await site.submit(request, form, entries, lambda body: act(user, body), **shown)

    @router.get("/me")
    async def show(request: Request) -> Response:
        return site.show(request, "me", **await _shown(await signed_in(request), services, request, site))

    @router.get("/me/{form}")
    async def show_form() -> Response:
        # Where a form was refused, the address is its own; a person may well load it again.
        return site.go("me")

    @router.post("/me/name")
    async def rename(request: Request) -> Response:
        async def act(user: User, body: ProfileForm) -> Response:
            await services.accounts.rename(user, body.full_name)
            return site.go("me", done="name")

        return await submit(request, NAME, act)

    @router.post("/me/password")
    async def change_password(request: Request) -> Response:
        async def act(user: User, body: ChangePasswordBody) -> Response:
            token = await services.passwords.change(user, body.current_password, body.new_password)
            return site.cookie.put(site.go("me", done="password"), token)

        return await submit(request, PASSWORD, act)

    @router.post("/me/email")
    async def change_email(request: Request) -> Response:
        async def act(user: User, body: ChangeEmailBody) -> Response:
            await services.email_change.request(user, body.new_email, body.current_password)
            return site.go("me", done="email")

        return await submit(request, EMAIL, act)

    if services.oauth is not None:
        oauth_pages(router, site, services.oauth, session_of, submit)
    if services.phone is not None:
        second_factor_pages(router, site, services.phone, submit)

    @router.post("/me/delete")
    async def delete(request: Request) -> Response:
        async def act(user: User, body: DeleteForm) -> Response:
            await services.accounts.delete(user, body.current_password)
            return site.cookie.drop(site.go("login", done="deleted"))

        if not deletion:
            raise HTTPException(404, "accounts are not deleted here")
        return await submit(request, DELETE, act)

    @router.get("/confirm-email-change")
    async def show_confirmation(request: Request) -> Response:
        token, broken = mailed_token(request, CONFIRM_EMAIL_CHANGE)
        status = 200 if token else 400
        return site.show(request, "confirm-email-change", token=token, failed=broken, status=status)

    @router.post("/confirm-email-change")
    async def confirm_email_change(request: Request) -> Response:
        async def act(body: ConfirmEmailChangeForm) -> Response:
            await services.email_change.confirm(body.token, body.password)
            return site.cookie.drop(site.go("login", done="email-changed"))

        return await site.submit(request, CONFIRM_EMAIL_CHANGE, await read_entries(request), act)


async def _shown(user: User, services: Services, request: Request, site: Site) -> dict[str, Any]:
    """What the template may know: of an account its public part, and what it is entered by."""
    linked = await services.oauth.accounts.linked(user) if services.oauth is not None else []
    return {
        "user": UserAnswer.of(user),
        "has_password": user.hashed_password is not None,
        "linked": [LinkedProvider.of(identity) for identity in linked],
        "phone_hint": Delivery.to_phone(user.phone_number).hint if user.phone_number else None,
        "awaits_phone_code": site.phone_cookie.read(request) is not None,
    }
