"""Plays a person's whole way over HTTP, and prints each step.

    make demo                                   # in one terminal
    .venv/bin/python examples/walkthrough.py    # in another

Needs only the standard library.
"""

from __future__ import annotations

import argparse
import json
import re
import secrets
import sys
import time
from email import message_from_bytes, policy
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit
from urllib.request import HTTPCookieProcessor, HTTPRedirectHandler, Request, build_opener

if TYPE_CHECKING:
    from collections.abc import Mapping

DEADLINE_SECONDS = 20
OUTBOX = Path(__file__).parents[1] / "build" / "mail"
"""Where `make demo` puts a copy of each mail and of each text message."""


class Unexpected(Exception):
    """The server did not answer as it should."""


class NoRedirects(HTTPRedirectHandler):
    """Leaves it to the walk to go where it is sent."""

    def redirect_request(self, *_: Any) -> None:
        """Follow nothing."""


class Server:
    """A running application, as one browser sees it: JSON routes, cookies, redirects."""

    def __init__(self, base_url: str) -> None:
        self._api = f"{base_url.rstrip('/')}/api/auth"
        self._browser = build_opener(HTTPCookieProcessor(), NoRedirects())
        self._step = 0

    def call(
        self, told: str, route: str, body: dict[str, Any] | None = None, *, token: str = "", expect: int = 200
    ) -> Any:
        """Send one request, print it, and give the answer's body.

        Raises:
            Unexpected: the status is another than `expect`.
        """
        method, path = route.split()
        request = Request(f"{self._api}{path}", method=method)  # noqa: S310 - the caller's own server
        request.add_header("Accept", "application/json")
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        if body is not None:
            request.add_header("Content-Type", "application/json")
            request.data = json.dumps(body).encode()
        try:
            with self._browser.open(request, timeout=DEADLINE_SECONDS) as response:
                status, answer = response.status, json.load(response)
        except HTTPError as error:
            status, answer = error.code, json.load(error)
        self._tell(told, method, path, status)
        if status != expect:
            raise Unexpected(f"{method} {path} answered {status}, not {expect}: {answer}")
        return answer

    def go(self, told: str, url: str, form: Mapping[str, str] | None = None) -> str:
        """Open an address, or send a form to it, and give the address that the browser is sent to.

        Raises:
            Unexpected: it is sent nowhere.
        """
        url = url if url.startswith("http") else f"{self._api}{url}"
        data = urlencode(form).encode() if form is not None else None
        try:
            with self._browser.open(url, data, timeout=DEADLINE_SECONDS) as response:
                raise Unexpected(f"{url} answered {response.status} and sent the browser nowhere")
        except HTTPError as error:
            self._tell(told, "POST" if form else "GET", url.partition("?")[0], error.code)
            location = error.headers.get("Location")
        if location is None:
            raise Unexpected(f"{url} sent the browser nowhere")
        return urljoin(url, location)

    def _tell(self, told: str, method: str, path: str, status: int) -> None:
        self._step += 1
        print(f"{self._step:2}. {told}\n      {method} {path} → {status} {HTTPStatus(status).phrase}")


class Mailbox:
    """The mails and texts that a demo server writes into a folder, one file each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: set[Path] = {*folder.glob("*.eml"), *folder.glob("*.txt")}

    def token(self, recipient: str) -> str:
        """Wait for the next mail to `recipient` with a link, and give the token in the link.

        Raises:
            Unexpected: none came within the deadline.
        """
        end = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < end:
            for path in sorted(set(self._folder.glob("*.eml")) - self._read):
                self._read.add(path)
                mail = message_from_bytes(path.read_bytes(), policy=policy.default)
                body = mail.get_body(("plain",))
                found = re.search(r"token=([\w.~-]+)", body.get_content() if body else "")
                if found and recipient in str(mail["To"]):
                    print(f"      a mail to {recipient}: “{mail['Subject']}”")
                    return found[1]
            time.sleep(0.05)
        raise Unexpected(f"no mail with a link came to {recipient} in {self._folder}")

    def code(self, number: str) -> str:
        """Wait for the next text to a phone, and give the code that it begins with.

        Raises:
            Unexpected: none came within the deadline.
        """
        end = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < end:
            for path in sorted(set(self._folder.glob("*.txt")) - self._read):
                self._read.add(path)
                to, _, text = path.read_text("utf-8").partition("\n")
                if to == number:
                    print(f"      a text to {number}: “{text.strip()}”")
                    return text.split()[0]
            time.sleep(0.05)
        raise Unexpected(f"no text came to {number} in {self._folder}")

    def administrator(self) -> tuple[str, str]:
        """Give address and password of the demo's administrator.

        Raises:
            Unexpected: the demo wrote none.
        """
        written = sorted(self._folder.glob("*.administrator"))
        if not written:
            raise Unexpected(f"no administrator is in {self._folder}")
        email, password = written[-1].read_text("utf-8").split()
        return email, password


def walk(server: Server, mailbox: Mailbox) -> None:
    """Register, confirm, sign in, recover, move, add a phone, come by a provider, be administered, leave."""
    name = f"walk-{secrets.token_hex(4)}"
    email, moved = f"{name}@example.com", f"{name}-new@example.com"
    first, second, third = (secrets.token_urlsafe(16) for _ in range(3))

    server.call(
        "Register", "POST /register", {"email": email, "password": first, "full_name": "Wendy"}, expect=201
    )
    login = {"email": email, "password": first}
    server.call("Sign in too early: the address is not confirmed", "POST /login", login, expect=403)
    token = mailbox.token(email)
    server.call("Confirm the address", "POST /verify", {"token": token})
    server.call("The link works once", "POST /verify", {"token": token}, expect=400)

    server.call("A wrong password", "POST /login", {"email": email, "password": "not-it"}, expect=401)
    access = server.call("Sign in", "POST /login", login)["access_token"]
    me = server.call("Be recognised", "GET /me", token=access)
    print(f"      {me['full_name']}, {me['email']}")

    body = {"current_password": first, "new_password": second}
    newer = server.call("Change the password", "POST /change-password", body, token=access)["access_token"]
    server.call("The earlier token is dead", "GET /me", token=access, expect=401)
    server.call("The fresh one works", "GET /me", token=newer)
    server.call("Sign out", "POST /logout", token=newer)
    server.call("The token is dead", "GET /me", token=newer, expect=401)

    server.call("Forget the password", "POST /forgot-password", {"email": email}, expect=202)
    server.call(
        "An unknown address gets the same answer",
        "POST /forgot-password",
        {"email": f"nobody-{name}@example.com"},
        expect=202,
    )
    body = {"token": mailbox.token(email), "new_password": third}
    server.call("Set a new one with the mailed link", "POST /reset-password", body)
    server.call("The link works once", "POST /reset-password", body, expect=400)
    server.call("The old one is refused", "POST /login", {"email": email, "password": second}, expect=401)
    access = server.call("Sign in with the new one", "POST /login", {"email": email, "password": third})[
        "access_token"
    ]

    body = {"new_email": moved, "current_password": third}
    server.call("Move to another address", "POST /change-email", body, token=access, expect=202)
    server.call("Confirm it", "POST /confirm-email-change", {"token": mailbox.token(moved)})
    server.call("The earlier token is dead", "GET /me", token=access, expect=401)
    access = server.call("Sign in with the new address", "POST /login", {"email": moved, "password": third})[
        "access_token"
    ]

    second_factor(server, mailbox, {"email": moved, "password": third}, access)
    social_sign_in(server)
    administration(server, mailbox, moved)
    access = server.call("Sign in once more", "POST /login", {"email": moved, "password": third})[
        "access_token"
    ]

    server.call("Delete the account", "DELETE /account", {"current_password": third}, token=access)
    server.call("Nobody is there any more", "POST /login", {"email": moved, "password": third}, expect=401)


def second_factor(server: Server, mailbox: Mailbox, login: dict[str, Any], access: str) -> None:
    """Add a phone, sign in with it, remove it."""
    phone, password = "+41446681800", {"current_password": login["password"]}

    body = {"phone_number": "+41 44 668 18 00", **password}
    pending = server.call("Give a phone number", "POST /phone/start", body, token=access, expect=202)
    body = {"pending_token": pending["pending_token"], "code": mailbox.code(phone)}
    server.call("Confirm it with the code", "POST /phone/confirm", body, token=access)

    begun = server.call("Sign in: the password is half of it", "POST /login", login)
    print(f"      {begun['status']}, a code goes to the phone ending in {begun['delivery']['hint']}")
    pending = begun["mfa_pending_token"]
    server.call("What is half finished is no session", "GET /me", token=pending, expect=401)
    code = mailbox.code(phone)
    wrong = {"mfa_pending_token": pending, "code": "000000" if code != "000000" else "000001"}
    server.call("A wrong code", "POST /login/mfa-confirm", wrong, expect=400)
    right = {"mfa_pending_token": pending, "code": code}
    newer = server.call("The right one", "POST /login/mfa-confirm", right)["access_token"]
    server.call("It works once", "POST /login/mfa-confirm", right, expect=400)
    server.call("Remove the phone", "DELETE /phone", password, token=newer)
    server.call("The password is enough again", "POST /login", login)


def social_sign_in(server: Server) -> None:
    """Come by an external provider, if the server has one."""
    available = server.call("Which providers are there?", "GET /oauth/providers")["available"]
    if not available:
        print("      none: `make demo` starts one")
        return
    provider = server.go("Go to the provider", f"/oauth/{available[0]}/start?redirect_to=/welcome")
    callback = server.go("Say there who one is", provider, {"sub": "wendy"})
    done = server.go("Come back with its answer", callback)
    exchange = {"id": parse_qs(urlsplit(done).query)["id"][0]}
    entered = server.call("Exchange it for an access token", "POST /oauth/exchange", exchange)
    print(f"      on to {entered['redirect_to']}, new account: {entered['was_new_account']}")
    server.call("It works once", "POST /oauth/exchange", exchange, expect=404)
    access = entered["access_token"]
    me = server.call("Be recognised", "GET /me", token=access)
    print(f"      {me['full_name']}, {me['email']}")
    server.call(
        "The only way in cannot be taken away",
        f"DELETE /oauth/{available[0]}/link",
        token=access,
        expect=400,
    )


def administration(server: Server, mailbox: Mailbox, email: str) -> None:
    """Look an account up, lock it out and let it in again."""
    root, password = mailbox.administrator()
    body = {"email": root, "password": password}
    access = server.call("Sign in as the administrator", "POST /login", body)["access_token"]
    stats = server.call("Count the accounts", "GET /admin/stats", token=access)
    print(f"      {stats['total_users']} accounts, {stats['superusers']} of an administrator")
    (found,) = server.call("Look one up", f"GET /admin/users?search={email}", token=access)["items"]
    account = f"/admin/users/{found['id']}"
    server.call("Disable it", f"PATCH {account}", {"is_active": False}, token=access)
    server.call("Enable it", f"PATCH {account}", {"is_active": True}, token=access)
    own = server.call("Who am I?", "GET /me", token=access)["id"]
    server.call("The last one stays", f"DELETE /admin/users/{own}", token=access, expect=409)


def main() -> int:
    """Read the arguments and walk."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="the running application")
    parser.add_argument(
        "--outbox", type=Path, default=OUTBOX, help="folder that it writes its mails and texts to"
    )
    arguments = parser.parse_args()
    try:
        walk(Server(arguments.url), Mailbox(arguments.outbox))
    except (Unexpected, OSError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    print("\nEverything answered as it should.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
