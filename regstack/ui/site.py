"""What all pages of one instance share: templates, addresses, cookie, header fields."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode, urlsplit

from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import BaseLoader, Environment, FileSystemLoader, StrictUndefined
from pydantic import ValidationError

from regstack.auth.password_policy import MINIMUM_LENGTH
from regstack.errors import ChallengeOver, InvalidOneTimeToken, InvalidToken, RegStackError
from regstack.routers.cookies import OAUTH_COOKIE, InstanceCookie
from regstack.routers.errors import to_http
from regstack.ui.assets import STYLESHEET, stylesheet_version
from regstack.ui.cookie import SessionCookie
from regstack.ui.forms import ERROR_WORDS, FORMS, FormState, problems_in
from regstack.ui.headers import page_headers
from regstack.ui.messages import NOTICES, OAUTH_ERRORS, explain
from regstack.ui.origin import OwnOrigin

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import datetime

    from fastapi import Request, Response

    from regstack.config.schema import RegStackConfig
    from regstack.routers.bodies import Body
    from regstack.ui.forms import Form

    B = TypeVar("B", bound=Body)

SHIPPED = Path(__file__).parent / "templates"


class Site:
    """The pages' common ground.

    Args:
        config: the settings.
        folders: folders of the host's templates, best first; may grow later. A file
            `pages/login.html` in one of them replaces the shipped one.
        providers: external providers that people can sign in with, and what buttons call them.

    Raises:
        ConfigurationError: `theme_css_url` or `brand_logo_url` is not a plain URL or path.
    """

    def __init__(
        self, config: RegStackConfig, folders: Sequence[Path], providers: Mapping[str, str] | None = None
    ) -> None:
        self.cookie = SessionCookie(config)
        # What is half finished is kept apart from the session, and never in an address.
        self.sign_in_cookie = InstanceCookie(config, "mfa")
        self.phone_cookie = InstanceCookie(config, "phone")
        self.oauth_cookie = InstanceCookie(config, OAUTH_COOKIE)
        self.own_origin = OwnOrigin(config)
        self.headers = page_headers(config)
        self._base_path = urlsplit(config.base_url).path
        self._prefix = self._base_path + config.ui_prefix
        self._api_prefix = self._base_path + config.api_prefix
        self._templates = Environment(
            loader=_Folders(folders),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters["day"] = _day
        stylesheet = f"{STYLESHEET}?v={stylesheet_version()}"
        self._templates.globals |= {
            "url": self.url,
            "start_url": self.start_url,
            "providers": providers or {},
            "home_url": self._base_path + "/",
            "stylesheet_url": f"{self._base_path}{config.static_prefix}/{stylesheet}",
            "theme_css_url": config.theme_css_url,
            "brand_logo_url": config.brand_logo_url,
            "brand_tagline": config.brand_tagline,
            "app_name": config.app_name,
            "allow_registration": config.allow_registration,
            "enable_password_reset": config.enable_password_reset,
            "enable_account_deletion": config.enable_account_deletion,
            "enable_sms_2fa": config.enable_sms_2fa,
            "minimum_password_length": MINIMUM_LENGTH,
        }

    def url(self, page: str, **query: str) -> str:
        """Give the address of a page on this site; like mailed links it begins as `base_url` does."""
        return f"{self._prefix}/{page}" + (f"?{urlencode(query)}" if query else "")

    def start_url(self, provider: str, redirect_to: str = "") -> str:
        """Give the address, among the JSON routes, that leads to a provider."""
        query = f"?{urlencode({'redirect_to': redirect_to})}" if redirect_to else ""
        return f"{self._api_prefix}/oauth/{provider}/start{query}"

    def show(
        self,
        request: Request,
        page: str,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        failed: FormState | None = None,
        token: str | None = None,
        **context: Any,
    ) -> HTMLResponse:
        """Render a page.

        Args:
            request: what it answers.
            page: its name.
            status: of the answer.
            headers: further header fields.
            failed: the form that was refused, if one was.
            token: a mailed token, for the hidden field of the form that uses it.
            **context: what else its template needs.
        """
        forms = {form.name: FormState(form.name) for form in FORMS}
        if failed is not None:
            forms[failed.name] = failed
        done = request.query_params.get("done", "")
        html = self._templates.get_template(f"pages/{page}.html").render(
            page=page,
            status=status,
            forms=forms,
            failed=failed,
            token=token,
            notice=None if failed else NOTICES.get(page, {}).get(done),
            refusal=None if failed else self._refusal(request, page),
            **context,
        )
        return HTMLResponse(html, status, headers)

    def _refusal(self, request: Request, page: str) -> str | None:
        """What a provider's answer came to, by the word that the callback put into the address."""
        word = request.query_params.get("error", "") if page in {"login", "me"} else ""
        return OAUTH_ERRORS.get(word)

    def go(self, page: str, **query: str) -> RedirectResponse:
        """Send the browser to a page, by GET, after something was done there or elsewhere.

        Args:
            page: its name.
            **query: `done` names a notice; what is empty is left out.
        """
        return RedirectResponse(
            self.url(page, **{name: value for name, value in query.items() if value}), 303
        )

    def show_problem(
        self, request: Request, status: int, detail: str, headers: Mapping[str, str] | None = None
    ) -> HTMLResponse:
        """Render what went wrong where there is no form to show it in."""
        return self.show(request, "problem", status=status, headers=headers, detail=detail)

    async def submit(
        self,
        request: Request,
        form: Form[B],
        entries: Mapping[str, str],
        act: Callable[[B], Awaitable[Response]],
        **context: Any,
    ) -> Response:
        """Check entries and act on them; what is refused comes back with the form in its place.

        Args:
            request: what is answered.
            form: the form.
            entries: what was posted.
            act: calls one service and says where to go then.
            **context: what the form's page needs besides.

        Raises:
            InvalidToken: whoever was signed in is not any more.
            ChallengeOver: no entry of this form can be right any more.
        """
        token = entries.get("token")
        try:
            return await act(form.validate(entries))
        except ValidationError as error:
            problems = problems_in(error)
            if "token" in problems:
                return self._refuse(request, form, entries, InvalidOneTimeToken(), token=None, **context)
            state = FormState.refused(form, entries, problems=problems)
            return self.show(request, form.page, status=422, failed=state, token=token, **context)
        except (InvalidToken, ChallengeOver):
            raise
        except RegStackError as error:
            kept = None if isinstance(error, InvalidOneTimeToken) else token
            return self._refuse(request, form, entries, error, token=kept, **context)

    def _refuse(
        self,
        request: Request,
        form: Form[B],
        entries: Mapping[str, str],
        error: RegStackError,
        **context: Any,
    ) -> HTMLResponse:
        answer = to_http(error)
        text, field = explain(error, answer), form.field_at_fault(error)
        if field is None:
            word = ERROR_WORDS.get(type(error))
            state = FormState.refused(form, entries, problems={}, alert=text, error=word)
        else:
            state = FormState.refused(form, entries, problems={field: text})
        headers = retry_after(answer.headers)
        return self.show(
            request, form.page, status=answer.status_code, headers=headers, failed=state, **context
        )


def retry_after(headers: Mapping[str, str] | None) -> dict[str, str]:
    """Keep of an error's header fields what a browser can use."""
    return {name: value for name, value in (headers or {}).items() if name == "Retry-After"}


class _Folders(BaseLoader):
    """Looks into the host's folders, which may grow, and then at the shipped templates."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        seen = tuple(self._folders)
        source, path, is_unchanged = FileSystemLoader([*seen, SHIPPED]).get_source(environment, template)
        return source, path, lambda: is_unchanged() and seen == tuple(self._folders)


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y}"
