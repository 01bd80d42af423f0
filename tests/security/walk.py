"""A walk through everything that is reachable over HTTP, and every secret that was used on the way."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2

from regstack import RegStack
from tests.social import FakeProvider, person, query_of

SECRET_NAMES = re.compile("password|token|code|secret")
"""Fields of requests and answers that hold secrets, by their names."""
HANDED_OVER = re.compile('"(access_token|mfa_pending_token|pending_token|authorization_url)": ?"[^"]*"')
"""Secrets of an answer that are meant for who gets it."""


@dataclass(frozen=True)
class Step:
    """One call.

    Attributes:
        route: method and path of a JSON route; after the word `page` of a page, after `form` of a route
            that takes a form.
        status: what it is answered with.
        body: the fields that are sent. `{name}` stands for something known: an address, a password,
            `{mailed_alice}` for the newest token mailed to alice@…, `{texted}` for the newest code,
            `{state}` and `{code}` for what the provider acme sent somebody back with,
            `{exchange_id}`, or what an earlier step kept.
        by: the known access token of who calls.
        keep: what to know of the answer afterwards, as name → field.
    """

    route: str
    status: int
    body: Mapping[str, str | bool] | None = None
    by: str | None = None
    keep: Mapping[str, str] = field(default_factory=dict)


KNOWN = {
    "alice": "alice@example.com",
    "bob": "bob@example.com",
    "carol": "carol@example.com",
    "root": "root@example.com",
    "moved": "moved@example.com",
    "password": "pass-of-alice-3f81",
    "newer_password": "newer-of-alice-77c2",
    "reset_password": "reset-of-alice-90ab",
    "root_password": "pass-of-root-15d4",
    "wrong_password": "mistyped-password-e46a",
    "wrong_token": "mistyped-token-5b0c",
    "wrong_bearer": "mistyped.access.token-c2d9",
    "common_password": "password123",
}
OLD = {"email": "{alice}", "password": "{password}"}
ALICE = {"email": "{alice}", "password": "{newer_password}"}
RESET = {"email": "{alice}", "password": "{reset_password}"}
ROOT = {"email": "{root}", "password": "{root_password}"}
CAROL = {"email": "{carol}", "password": "{reset_password}"}
PHONE = {"phone_number": "+41446681800", "current_password": "{reset_password}"}

WALK = [
    Step("POST /register", 422, {"email": "{alice}", "password": "{common_password}"}),
    Step("POST /register", 201, OLD),
    Step("POST /login", 403, OLD),
    Step("POST /resend-verification", 202, {"email": "{alice}"}),
    Step("POST /verify", 400, {"token": "{wrong_token}"}),
    Step("POST /verify", 422, {"token": "{mailed_alice}", "code": "{wrong_token}"}),
    Step("POST /verify", 200, {"token": "{mailed_alice}"}),
    Step("POST /verify", 400, {"token": "{mailed_alice}"}),
    Step("POST /register", 409, OLD),
    Step("POST /login", 401, {"email": "{alice}", "password": "{wrong_password}"}),
    Step("POST /login", 401, {"email": "nobody@example.com", "password": "{wrong_password}"}),
    Step("POST /login", 422, {"email": "{alice}", "password": "{password}\0"}),
    Step("POST /login", 200, OLD, keep={"session": "access_token"}),
    Step("GET /me", 200, by="session"),
    Step("GET /me", 401, by="wrong_bearer"),
    Step("PATCH /me", 200, {"full_name": "Alice"}, by="session"),
    Step("PATCH /me", 422, {"password": "{wrong_password}"}, by="session"),
    Step(
        "POST /change-password",
        400,
        {"current_password": "{wrong_password}", "new_password": "{newer_password}"},
        by="session",
    ),
    Step(
        "POST /change-password",
        200,
        {"current_password": "{password}", "new_password": "{newer_password}"},
        by="session",
        keep={"newer_session": "access_token"},
    ),
    Step("GET /me", 401, by="session"),
    Step(
        "POST /change-email",
        400,
        {"new_email": "{moved}", "current_password": "{wrong_password}"},
        by="newer_session",
    ),
    Step(
        "POST /change-email",
        202,
        {"new_email": "{moved}", "current_password": "{newer_password}"},
        by="newer_session",
    ),
    Step("POST /forgot-password", 202, {"email": "{alice}"}),
    Step("POST /reset-password", 400, {"token": "{wrong_token}", "new_password": "{reset_password}"}),
    Step("POST /reset-password", 422, {"token": "{mailed_alice}", "new_password": "{common_password}"}),
    Step("POST /reset-password", 200, {"token": "{mailed_alice}", "new_password": "{reset_password}"}),
    Step("POST /confirm-email-change", 400, {"token": "{mailed_moved}"}),
    Step("POST /login", 200, RESET, keep={"last_session": "access_token"}),
    Step(
        "POST /change-email",
        202,
        {"new_email": "{moved}", "current_password": "{reset_password}"},
        by="last_session",
    ),
    Step("POST /confirm-email-change", 200, {"token": "{mailed_moved}"}),
    Step(
        "POST /login",
        200,
        {"email": "{moved}", "password": "{reset_password}"},
        keep={"moved_session": "access_token", "other_session": "access_token"},
    ),
    Step("POST /logout", 200, by="moved_session"),
    Step("POST /logout", 401, by="moved_session"),
    # Administrators.
    Step("POST /login", 200, ROOT, keep={"root_session": "access_token"}),
    Step("GET /admin/stats", 200, by="root_session"),
    Step("GET /admin/users?search=moved", 200, by="root_session", keep={"alice_id": "items.0.id"}),
    Step("GET /admin/users?search=root", 200, by="root_session", keep={"root_id": "items.0.id"}),
    Step("GET /admin/users/{alice_id}", 200, by="root_session"),
    Step("GET /admin/users/{wrong_token}", 404, by="root_session"),
    Step("PATCH /admin/users/{alice_id}", 200, {"is_active": False}, by="root_session"),
    Step("POST /login", 403, {"email": "{moved}", "password": "{reset_password}"}),
    Step("PATCH /admin/users/{root_id}", 409, {"is_superuser": False}, by="root_session"),
    Step("POST /admin/users/{alice_id}/resend-verification", 400, by="root_session"),
    Step("DELETE /admin/users/{alice_id}", 200, by="root_session"),
    Step("POST /register", 201, {"email": "{bob}", "password": "{password}"}),
    Step("POST /admin/pending/bob@example.com/promote", 201, by="root_session", keep={"bob_id": "id"}),
    Step(
        "POST /login",
        200,
        {"email": "{bob}", "password": "{password}"},
        keep={"bob_session": "access_token"},
    ),
    Step("GET /admin/stats", 403, by="bob_session"),
    Step("DELETE /account", 400, {"current_password": "{wrong_password}"}, by="bob_session"),
    Step("DELETE /account", 200, {"current_password": "{password}"}, by="bob_session"),
    *[Step("POST /login", 401, {"email": "many@example.com", "password": "{wrong_password}"})] * 5,
    Step("POST /login", 429, {"email": "many@example.com", "password": "{wrong_password}"}),
    # Pages.
    Step("page POST /register", 303, {"email": "{carol}", "password": "{password}", "full_name": "Carol"}),
    Step("page POST /register", 422, {"email": "{carol}", "password": "{common_password}", "full_name": ""}),
    Step("page GET /verify", 200, {"token": "{mailed_carol}"}),
    Step("page POST /verify", 400, {"token": "{wrong_token}", "password": "{password}"}),
    Step("page POST /verify", 303, {"token": "{mailed_carol}", "password": "{password}"}),
    Step("page POST /login", 401, {"email": "{carol}", "password": "{wrong_password}", "next": ""}),
    Step("page POST /login", 303, {"email": "{carol}", "password": "{password}", "next": ""}),
    Step("page GET /me", 200),
    Step(
        "page POST /me/password",
        400,
        {"current_password": "{wrong_password}", "new_password": "{newer_password}"},
    ),
    Step(
        "page POST /me/password",
        303,
        {"current_password": "{password}", "new_password": "{newer_password}"},
    ),
    Step("page POST /forgot", 303, {"email": "{carol}"}),
    Step("page GET /reset", 200, {"token": "{mailed_carol}"}),
    Step("page POST /reset", 422, {"token": "{mailed_carol}", "new_password": "{common_password}"}),
    Step("page POST /reset", 303, {"token": "{mailed_carol}", "new_password": "{reset_password}"}),
    Step("page POST /logout", 303),
    # The second factor.
    Step("POST /login", 200, CAROL, keep={"phone_session": "access_token"}),
    Step("POST /phone/start", 400, PHONE | {"current_password": "{wrong_password}"}, by="phone_session"),
    Step("POST /phone/start", 202, PHONE, by="phone_session", keep={"phone_pending": "pending_token"}),
    Step("POST /phone/confirm", 400, {"pending_token": "{phone_pending}", "code": "000"}, by="phone_session"),
    Step(
        "POST /phone/confirm",
        200,
        {"pending_token": "{phone_pending}", "code": "{texted}"},
        by="phone_session",
    ),
    Step("POST /login", 200, CAROL, keep={"half": "mfa_pending_token"}),
    Step("GET /me", 401, by="half"),
    Step("POST /login/mfa-confirm", 400, {"mfa_pending_token": "{wrong_token}", "code": "{texted}"}),
    Step("POST /login/mfa-confirm", 400, {"mfa_pending_token": "{half}", "code": "0000000000"}),
    Step(
        "POST /login/mfa-confirm",
        200,
        {"mfa_pending_token": "{half}", "code": "{texted}"},
        keep={"full_session": "access_token"},
    ),
    Step("DELETE /phone", 400, {"current_password": "{wrong_password}"}, by="full_session"),
    Step("DELETE /phone", 200, {"current_password": "{reset_password}"}, by="full_session"),
    # Social sign-in.
    Step("GET /oauth/providers", 200),
    Step("GET /oauth/acme/start", 302),
    Step("GET /oauth/acme/callback", 302, {"state": "{wrong_token}", "code": "{code}"}),
    Step("form POST /oauth/acme/callback", 303, {"state": "{state}", "code": "{code}"}),
    Step("GET /oauth/acme/callback", 302, {"state": "{state}", "code": "{code}"}),
    Step("POST /oauth/exchange", 404, {"id": "{wrong_token}"}),
    Step("POST /oauth/exchange", 200, {"id": "{exchange_id}"}, keep={"social_session": "access_token"}),
    Step("POST /oauth/exchange", 404, {"id": "{exchange_id}"}),
    Step("GET /me", 200, by="social_session"),
    Step("GET /oauth/acme/start", 302),
    Step("GET /oauth/acme/callback", 302, {"state": "{state}", "code": "{wrong_token}"}),
    Step("GET /oauth/acme/start", 302),
    Step("GET /oauth/acme/callback", 302, {"state": "{state}", "error": "access_denied"}),
    Step("POST /login", 200, CAROL, keep={"carol_session": "access_token"}),
    Step("DELETE /oauth/other/link", 404, by="carol_session"),
    Step("POST /oauth/other/link/start", 200, by="carol_session"),
    Step("GET /oauth/other/callback", 302, {"state": "{state}", "code": "{code}"}),
    Step("DELETE /oauth/other/link", 200, by="carol_session"),
]
"""What is done, in this order; a route to come takes a line."""


class Walk:
    """Makes the calls of a table.

    Args:
        rs: the instance.
        client: reaches its JSON routes and its pages.
        outbox: the mails that it sent.

    Attributes:
        rs, client: as given.
        secrets: everything that no log and no answer may hold.
        answers: what each call was answered with, less what is handed over there on purpose.
    """

    def __init__(self, rs: RegStack, client: httpx2.AsyncClient, outbox: list[Any]) -> None:
        self.rs = rs
        self.client = client
        self._outbox = outbox
        self._read = 0
        self._known = dict(KNOWN)
        self.secrets = {value for name, value in KNOWN.items() if SECRET_NAMES.search(name)}
        self.secrets |= {KNOWN["wrong_bearer"]}
        self.secrets -= {KNOWN["common_password"]}  # the list of common passwords is no secret
        self.answers: list[tuple[Step, str]] = []

    async def make(self, step: Step) -> None:
        """Make one call, and learn from its answer and its messages."""
        of, method, path = (["api", *step.route.split()])[-3:]
        body = {name: self._filled(value) for name, value in (step.body or {}).items()}
        headers = {"Sec-Fetch-Site": "same-origin"} if of == "page" else {}
        if step.by is not None:
            headers["Authorization"] = f"Bearer {self._known[step.by]}"
        sent_as = "params" if method == "GET" else "json" if of == "api" else "data"
        prefix = self.rs.config.ui_prefix if of == "page" else self.rs.config.api_prefix
        more = {} if step.body is None else {sent_as: body}
        answer = await self.client.request(method, prefix + self._filled(path), headers=headers, **more)
        assert answer.status_code == step.status, (step, answer.text)
        for name, where in step.keep.items():
            self._keep(name, answer.json(), where)
        self.secrets |= {value for value in self.client.cookies.values() if value}
        location = self._go_to_the_provider(answer) or answer.headers.get("location", "")
        text = HANDED_OVER.sub("", answer.text)
        if of == "page":  # a form carries the token that it was opened with
            text = re.sub(r'name="token"[^>]*', "", text)
        self.answers.append((step, f"{location}\n{text}"))
        await self._read_messages()

    def _go_to_the_provider(self, answer: httpx2.Response) -> str | None:
        """Sign somebody in where an answer leads to a provider; give what may stand in such an address."""
        location = answer.headers.get("location", "")
        if "authorization_url" in answer.text:
            location = answer.json()["authorization_url"]
        for provider in self.rs.oauth.providers.values():
            if isinstance(provider, FakeProvider) and location.startswith(provider.origin):
                self._learn(**provider.consent(location, person("dora", issuer=provider.origin)))
                return provider.origin
        if location.startswith("?state="):  # back from the provider by a form, on by an address
            return "?"
        if "/oauth-complete?id=" in location:
            self._learn(exchange_id=query_of(location)["id"])
            return location.partition("?")[0]
        return None

    def _learn(self, **secrets: str) -> None:
        self._known |= secrets
        self.secrets |= set(secrets.values())

    def _filled(self, value: Any) -> Any:
        return value.format_map(self._known) if isinstance(value, str) else value

    def _keep(self, name: str, answer: Any, where: str) -> None:
        for part in where.split("."):
            answer = answer[int(part) if part.isdecimal() else part]
        self._known[name] = answer
        if SECRET_NAMES.search(where):
            self.secrets.add(answer)

    async def _read_messages(self) -> None:
        assert await self.rs.drain()
        for mail in self._outbox[self._read :]:
            if found := re.search(r"token=([\w-]+)", mail.text):
                self._known[f"mailed_{mail.to.partition('@')[0]}"] = found[1]
                self.secrets.add(found[1])
        self._read = len(self._outbox)
        for text in self.rs.sms.outbox[-1:]:
            self._learn(texted=text.text.split()[0])
