"""The whole main job, run in an environment that holds nothing but the installed wheels."""

from __future__ import annotations

import asyncio
import re
import sys

import httpx2
from fastapi import FastAPI

import regstack
from regstack import RegStack, RegStackConfig

ALICE = {"email": "alice@example.com", "password": "correct horse battery"}


async def main() -> None:
    """Register, confirm, sign in, be recognised, sign out."""
    config = RegStackConfig(
        database_url="sqlite+aiosqlite:///./accounts.db",
        jwt_secret="a key of this script alone, nobody else's",
        enable_ui_router=True,
    )
    async with RegStack(config=config) as rs:
        app = FastAPI()
        app.include_router(rs.router, prefix=config.api_prefix)
        app.include_router(rs.ui_router, prefix=config.ui_prefix)
        app.mount(config.static_prefix, rs.static_files)
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url=config.base_url) as client:

            async def call(method: str, path: str, status: int, **kwargs: object) -> httpx2.Response:
                answer = await client.request(method, path, **kwargs)  # type: ignore[arg-type]
                assert answer.status_code == status, (path, answer.status_code, answer.text)
                return answer

            await call("POST", "/api/auth/register", 201, json=ALICE)
            assert await rs.drain()
            (mail,) = rs.email.outbox  # type: ignore[attr-defined]
            assert mail.html
            link = re.search(r"http://localhost:8000(/account/verify\?token=([\w-]+))", mail.text)
            assert link
            await call("GET", link[1], 200)
            await call("POST", "/api/auth/verify", 200, json={"token": link[2]})
            token = (await call("POST", "/api/auth/login", 200, json=ALICE)).json()["access_token"]
            signed_in = {"Authorization": f"Bearer {token}"}
            me = await call("GET", "/api/auth/me", 200, headers=signed_in)
            assert me.json()["email"] == ALICE["email"]
            await call("POST", "/api/auth/logout", 200, headers=signed_in)
            await call("GET", "/api/auth/me", 401, headers=signed_in)

            page = await call("GET", "/account/login", 200)
            for path in re.findall(r'(?:href|src)="(/regstack-static/[^"]+)"', page.text):
                await call("GET", path, 200)
    modules = [
        module.__file__ for name, module in sys.modules.items() if name in {"regstack", "regstack_sqlite"}
    ]
    print("\n".join(filter(None, modules)))
    print(regstack.__version__)


asyncio.run(main())
