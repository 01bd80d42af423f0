"""An application with every part switched on, so that routes to come are tested once they are there."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from regstack import RegStack, RegStackConfig

SECRET = "a root secret that only the tests know " * 2
NEEDS: dict[str, dict[str, Any]] = {
    # Nobody listens there: tests of the routes ask nobody outside of this machine.
    "enable_oauth": {
        "oauth": {
            "providers": {
                "acme": {
                    "issuer": "http://127.0.0.1:9",
                    "client_id": "client",
                    "client_secret": "oauth-client-secret",
                }
            }
        }
    },
}
"""What a switch needs beside itself."""


def everything_on() -> dict[str, Any]:
    """Give the settings that switch on every part."""
    settings: dict[str, Any] = {"jwt_secret": SECRET, "password_hash_preset": "insecure-test"}
    for name in RegStackConfig.model_fields:
        if name.startswith("enable_"):
            settings |= {name: True} | NEEDS.get(name, {})
    return settings


def mounted(rs: RegStack) -> FastAPI:
    """Give an application that has the JSON routes of an instance and nothing else."""
    app = FastAPI(title="regstack", version="1")
    app.include_router(rs.router, prefix=rs.config.api_prefix)
    return app
