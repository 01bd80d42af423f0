from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

from regstack import RegStack, RegStackConfig
from regstack.auth.clock import FrozenClock
from regstack.backends.base import Capability
from regstack.email.console import ConsoleEmailService
from regstack.email.smtp import SmtpEmailService
from regstack.errors import BackendUnavailable, ConfigurationError, PluginError, UnsupportedCapability
from regstack.models.user import User
from regstack.plugins.transports import TransportRegistry
from regstack.sms.null import NullSmsService
from regstack.sms.service import SmsMessage
from regstack.sms.twilio import TwilioSmsService

pytestmark = pytest.mark.anyio

SECRET = "a root secret that only the tests know"
PASSWORD = "correct horse battery"


def settings(**more: Any) -> RegStackConfig:
    defaults = {"database_url": "memory://", "jwt_secret": SECRET, "password_hash_preset": "insecure-test"}
    return RegStackConfig(**(defaults | more))


async def test_two_instances_in_one_process_share_nothing(make_world: Any) -> None:
    one = await make_world(table_prefix="one_")
    other = await make_world(table_prefix="other_", jwt_secret="another root secret for the other one")
    await one.account()
    token = await one.log_in()
    assert await other.rs.users.count() == 0
    assert (await other.get("/me", token)).status_code == 401
    await other.account()
    assert (await other.get("/me", await other.log_in())).status_code == 200
    one.clock.advance(one.clock.now() - other.clock.now())
    await one.rs.aclose()
    assert await other.rs.users.count() == 1


async def test_every_fixed_name_that_is_built_is_there() -> None:
    rs = RegStack(settings(enable_ui_router=True))
    for name in [
        "config",
        "clock",
        "backend",
        "users",
        "pending",
        "blacklist",
        "attempts",
        "mfa_codes",
        "oauth_identities",
        "oauth_states",
        "password_hasher",
        "jwt",
        "lockout",
        "email",
        "sms",
        "mail",
        "hooks",
        "deps",
        "router",
        "ui_router",
        "static_files",
    ]:
        assert getattr(rs, name) is not None, name
    await rs.aclose()


async def test_the_constructor_does_no_io(tmp_path: Any) -> None:
    rs = RegStack(settings(database_url=f"sqlite+aiosqlite:///{tmp_path}/new/folder/regstack.db"))
    assert list(tmp_path.iterdir()) == []
    await rs.aclose()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"jwt_secret": None}, "regstack init"),
        ({"enable_oauth": True}, "enable_oauth"),
        ({"login_rate_limit": "5/fortnight"}, "login_rate_limit"),
        ({"sms": {"backend": "twilio"}}, r"sms\.twilio_account_sid"),
        ({"email": {"backend": "ses", "ses_access_key_id": "AKIA"}}, r"email\.ses_secret_access_key"),
        ({"database_url": "nothing"}, "scheme"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_start_with_their_name(
    change: dict[str, Any], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigurationError, match=told):
        RegStack(settings(**change))


def test_a_scheme_that_nobody_takes_says_what_to_install() -> None:
    with pytest.raises(PluginError, match=r"pip install .*regstack\[postgres\]") as caught:
        RegStack(settings(database_url="mariadb://alice:hunter2@db.example/app"))
    assert "hunter2" not in str(caught.value)


async def test_a_backend_that_is_passed_in_is_used_and_left_open(make_world: Any) -> None:
    owner = await make_world()
    guest = RegStack(settings(), backend=owner.rs.backend, clock=owner.clock)
    assert guest.users is owner.rs.users
    await guest.aclose()
    assert await owner.rs.users.count() == 0


async def test_a_repository_that_the_backend_lacks_says_so(make_world: Any) -> None:
    world = await make_world()
    backend = world.rs.backend
    del backend.__dict__["mfa_codes"]
    with pytest.raises(UnsupportedCapability) as caught:
        _ = world.rs.mfa_codes
    assert caught.value.capability == Capability.MFA_CODES


async def test_a_switch_that_needs_what_the_backend_lacks_is_refused_at_start(make_world: Any) -> None:
    world = await make_world()
    backend = world.rs.backend
    del backend.__dict__["mfa_codes"]
    with pytest.raises(UnsupportedCapability) as caught:
        RegStack(settings(enable_sms_2fa=True), backend=backend, clock=world.clock)
    assert caught.value.capability == Capability.MFA_CODES


async def test_handlers_run_after_the_answer_and_are_told_no_secret(world: Any) -> None:
    told: list[tuple[str, dict[str, Any]]] = []
    for event in ("verification_requested", "user_registered", "user_verified", "user_logged_in",
                  "password_reset_requested", "password_reset_completed", "user_logged_out"):  # fmt: skip
        world.rs.on(event, lambda event=event, **payload: told.append((event, payload)))

    @world.rs.on("user_logged_in")
    async def fail(**payload: Any) -> None:
        raise RuntimeError("the host's handler is broken")

    await world.account()
    token = await world.log_in()
    await world.post("/logout", token=token)
    await world.post("/forgot-password", {"email": "alice@example.com"})
    reset = await world.mailed_token("alice@example.com")
    await world.post("/reset-password", {"token": reset, "new_password": "another long password"})
    assert await world.rs.drain()
    assert [event for event, _ in told] == [
        "verification_requested", "user_registered", "user_verified", "user_logged_in",
        "user_logged_out", "password_reset_requested", "password_reset_completed",
    ]  # fmt: skip
    for secret in (token, reset, PASSWORD, "another long password"):
        assert secret not in repr(told)
    assert all(isinstance(payload.get("user"), User) for event, payload in told if event.startswith("user_"))


async def test_no_log_line_of_the_main_job_holds_a_secret(
    world: Any, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    await world.post("/register", {"email": "alice@example.com", "password": PASSWORD})
    verification = await world.mailed_token("alice@example.com")
    await world.post("/verify", {"token": verification})
    token = await world.log_in()
    await world.get("/me", token)
    await world.post("/login", {"email": "alice@example.com", "password": "a wrong password"})
    await world.post("/forgot-password", {"email": "alice@example.com"})
    reset = await world.mailed_token("alice@example.com")
    await world.post("/reset-password", {"token": reset, "new_password": "another long password"})
    assert await world.rs.drain()
    user = await world.rs.users.get_by_email("alice@example.com")
    written = caplog.text + "".join(capsys.readouterr())
    for secret in (PASSWORD, "a wrong password", "another long password", verification, token, reset,
                   SECRET, user.hashed_password):  # fmt: skip
        assert secret not in written
        assert secret not in repr(world.rs.config)
        assert secret not in repr(user)


@pytest.mark.parametrize("database_url", ["memory"], indirect=True)
def test_a_host_protects_its_own_routes(database_url: str) -> None:
    rs = RegStack(settings(require_verification=False), clock=FrozenClock())
    app = FastAPI()
    app.include_router(rs.router, prefix="/api/auth")

    @app.get("/mine")
    async def mine(user: User = Depends(rs.deps.current_user())) -> str:
        return user.email

    @app.get("/anyone")
    async def anyone(user: User | None = Depends(rs.deps.current_user_optional())) -> str | None:
        return user.email if user else None

    @app.get("/admins")
    async def admins(user: User = Depends(rs.deps.current_admin())) -> str:
        return user.email

    client = TestClient(app)
    credentials = {"email": "alice@example.com", "password": PASSWORD}
    assert client.post("/api/auth/register", json=credentials).status_code == 201
    token = client.post("/api/auth/login", json=credentials).json()["access_token"]
    signed_in = {"Authorization": f"Bearer {token}"}
    assert client.get("/mine").status_code == 401
    assert client.get("/mine", headers=signed_in).json() == "alice@example.com"
    assert client.get("/anyone").json() is None
    assert client.get("/anyone", headers={"Authorization": "Bearer x"}).json() is None
    assert client.get("/anyone", headers=signed_in).json() == "alice@example.com"
    assert client.get("/admins", headers=signed_in).status_code == 403
    schemes = client.get("/openapi.json").json()["components"]["securitySchemes"]
    assert [scheme["scheme"] for scheme in schemes.values()] == ["bearer"]
    asyncio.run(rs.aclose())


async def test_mail_is_in_the_outbox_of_a_test_once_it_has_drained(world: Any) -> None:
    await world.post("/register", {"email": "alice@example.com", "password": PASSWORD})
    assert await world.rs.drain()
    assert world.rs.email.outbox[-1].to == "alice@example.com"
    assert "http://app.example/account/verify?token=" in world.rs.email.outbox[-1].text


async def test_what_became_of_mails_is_counted(world: Any) -> None:
    await world.account()
    assert await world.rs.drain()
    counts = world.rs.counts()
    assert set(counts) == {"places", "background", "events", "mail", "sms"}
    assert counts["mail"]["sent"] == counts["mail"]["done"] == 1
    assert counts["mail"]["undeliverable"] == counts["mail"]["waiting"] == counts["mail"]["dropped"] == 0


async def test_texts_leave_through_a_queue_of_their_own_and_are_counted(world: Any) -> None:
    class Closable(NullSmsService):
        closed = 0

        async def aclose(self) -> None:
            self.closed += 1

    rs, service, text = world.rs, Closable(), SmsMessage("+4930123456", "your code is 987654")
    rs.set_sms_backend(service)
    assert rs.sms is service
    rs._texter.post(lambda: text, kind="login_code")
    assert await rs.drain()
    assert service.outbox == [text]
    assert rs.counts()["sms"]["sent"] == rs.counts()["sms"]["done"] == 1
    await rs.aclose()
    assert service.closed == 1


def test_transports_that_are_passed_in_need_no_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TransportRegistry, "discover", None)
    rs = RegStack(settings(), email_service=ConsoleEmailService(), sms_service=(texts := NullSmsService()))
    assert rs.sms is texts


def test_the_settings_name_the_transports() -> None:
    mail = {"backend": "smtp", "smtp_host": "mail.example.com"}
    twilio = {"twilio_account_sid": "AC1", "twilio_auth_token": "s3cret", "from_number": "+15005550006"}
    rs = RegStack(settings(email=mail, sms={"backend": "twilio", **twilio}))
    assert isinstance(rs.email, SmtpEmailService)
    assert isinstance(rs.sms, TwilioSmsService)
    with pytest.raises(PluginError, match=r"no installed transport takes email\.backend"):
        RegStack(settings(email={"backend": "pigeon"}))


async def test_a_start_that_fails_closes_what_it_opened(
    make_world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rs = RegStack(settings())
    closed = []

    async def fail() -> None:
        raise BackendUnavailable

    async def close() -> None:
        closed.append(True)

    monkeypatch.setattr(rs.backend, "install_schema", fail)
    monkeypatch.setattr(rs.backend, "aclose", close)
    with pytest.raises(BackendUnavailable):
        async with rs:
            pass
    assert closed


async def test_an_account_that_confirms_its_address_later_is_registered_once(make_world: Any) -> None:
    world = await make_world(require_verification=False)
    told: list[str] = []
    for event in ("user_registered", "user_verified"):
        world.rs.on(event, lambda event=event, **_: told.append(event))
    await world.post("/register", {"email": "alice@example.com", "password": PASSWORD})
    await world.post("/resend-verification", {"email": "alice@example.com"})
    await world.post("/verify", {"token": await world.mailed_token("alice@example.com")})
    assert await world.rs.drain()
    assert told == ["user_registered", "user_verified"]
