"""Row 20: no log line and no answer of a full run holds a secret that was used in it (ASVS 5.0, V16.2.5).

Every logger is at its most talkative, those of the database drivers too.
"""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit

import httpx2
import pytest
from pymongo import MongoClient

from regstack import RegStack
from regstack.errors import DeliveryError
from tests.everything import SECRET, everything_on, mounted
from tests.security.walk import KNOWN, WALK, Walk
from tests.servers.process import free_port
from tests.social import providers

pytestmark = pytest.mark.anyio

DATABASE_PASSWORD = "password-of-the-database-b7d3"


class Trap(logging.Handler):
    """Keeps all that a handler of any kind could write of each record."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == "httpx2" and "http://app.example" in record.getMessage():
            return  # the walker's own client
        parts = [record.name, record.getMessage(), repr(record.__dict__)]
        if record.exc_info:
            parts += traceback.format_exception(*record.exc_info)
        self.lines.append("\n".join(parts))

    def holding(self, secrets: set[str]) -> list[str]:
        """Give the lines that hold one of the secrets, in whichever spelling."""
        spellings = {form for secret in secrets for form in spelled(secret)}
        wanted = re.compile("|".join(map(re.escape, sorted(spellings))))
        return [line for line in self.lines if wanted.search(line)]


def spelled(secret: str) -> set[str]:
    """Give the forms in which a secret could stand in a line."""
    return {secret, repr(secret)[1:-1], quote(secret), quote_plus(secret), secret.encode().hex()}


@pytest.fixture
def trap() -> Iterator[Trap]:
    """Everything that is logged by anybody from now on."""
    root, trap = logging.getLogger(), Trap()
    loggers = [each for each in root.manager.loggerDict.values() if isinstance(each, logging.Logger)]
    before = [(each, each.level, each.propagate, each.disabled) for each in (root, *loggers)]
    for each in loggers:
        each.setLevel(logging.NOTSET)
        each.propagate, each.disabled = True, False
    root.setLevel(logging.DEBUG)
    root.addHandler(trap)
    yield trap
    root.removeHandler(trap)
    for each, level, each.propagate, each.disabled in before:
        each.setLevel(level)


@pytest.fixture
def database_url(database_url: str) -> Iterator[str]:
    """The database of the walk, with a password in its URL where it can have one."""
    parts = urlsplit(database_url)
    if parts.password is not None or parts.scheme not in {"postgresql", "mongodb"}:
        yield database_url
        return
    host = parts.netloc.rpartition("@")[2]
    given = parts._replace(netloc=f"{parts.username or 'walker'}:{DATABASE_PASSWORD}@{host}")
    if parts.scheme == "postgresql":  # the server of the tests takes any password
        yield given.geturl()
        return
    with MongoClient[Any](database_url) as client:
        client.admin.command("createUser", "walker", pwd=DATABASE_PASSWORD, roles=["root"])
        yield given._replace(query=f"{parts.query}&authSource=admin").geturl()
        client.admin.command("dropUser", "walker")


@pytest.fixture
async def walk(trap: Trap, make_world: Any, database_url: str) -> AsyncIterator[Walk]:
    """A walker in front of an application whose handlers of events fail."""
    world = await make_world(
        **everything_on(),
        db_connect_timeout_seconds=1.0,
        oauth_providers=providers(),
        sms_code_length=10,  # a shorter code would be found in some number by chance
    )

    @world.rs.on("user_logged_in")
    @world.rs.on("password_changed")
    @world.rs.on("verification_requested")
    async def fail(**payload: Any) -> None:
        raise RuntimeError(f"the host's handler is broken: {payload}")

    app = mounted(world.rs)
    app.include_router(world.rs.ui_router, prefix=world.rs.config.ui_prefix)
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url=world.rs.config.base_url) as client:
        walk = Walk(world.rs, client, world.outbox.outbox)
        walk.secrets |= {SECRET, *([password] if (password := urlsplit(database_url).password) else [])}
        spy_on_hashes(world.rs, walk)
        await world.rs.bootstrap_admin(KNOWN["root"], KNOWN["root_password"])
        yield walk


def spy_on_hashes(rs: RegStack, walk: Walk) -> None:
    """Count what the password hasher gives among the secrets."""
    original = rs.password_hasher.hash

    async def hash_and_tell(password: str, *turn: Any) -> str:
        hashed = await original(password, *turn)
        walk.secrets.add(hashed)
        return hashed

    rs.password_hasher.hash = hash_and_tell  # type: ignore[method-assign]


class Failing:
    """A mail transport that takes nothing."""

    async def send(self, message: Any) -> None:
        raise DeliveryError(f"550 no such mailbox: {message.to}", permanent=True)


async def test_no_log_line_and_no_answer_of_a_full_run_holds_a_secret_used_in_it(
    walk: Walk, trap: Trap, capfd: pytest.CaptureFixture[str]
) -> None:
    for step in WALK:
        await walk.make(step)
    walk.rs.set_email_backend(Failing())  # type: ignore[arg-type]
    answer = await walk.client.post("/api/auth/forgot-password", json={"email": KNOWN["carol"]})
    assert answer.status_code == 202
    assert await walk.rs.drain()

    assert len(walk.secrets) > 30
    assert any("user_logged_in failed" in line for line in trap.lines)
    assert trap.holding(walk.secrets) == []
    for step, text in walk.answers:
        assert [secret for secret in walk.secrets if secret in text] == [], step
    trap.lines = ["".join(capfd.readouterr())]
    assert trap.holding(walk.secrets) == []


@pytest.mark.parametrize("database_url", ["sqlite", "postgres", "mongo"], indirect=True)
async def test_a_database_that_is_away_leaves_no_secret_in_the_log(walk: Walk, trap: Trap) -> None:
    config = walk.rs.config
    url = config.database_url.get_secret_value()
    credentials, at, _ = urlsplit(url).netloc.rpartition("@")
    gone = f"{url}/nowhere/regstack.db"  # below a file
    if at:
        gone = urlsplit(url)._replace(netloc=f"{credentials}@127.0.0.1:{free_port()}").geturl()
    away = RegStack(config.model_copy(update={"database_url": type(config.database_url)(gone)}))
    body = {"email": KNOWN["alice"], "password": KNOWN["password"]}
    transport = httpx2.ASGITransport(mounted(away))
    async with httpx2.AsyncClient(transport=transport, base_url=config.base_url) as client:
        for path in ("/api/auth/login", "/api/auth/register"):
            answer = await client.post(path, json=body)
            assert answer.status_code == 503
            assert [secret for secret in walk.secrets if secret in answer.text] == []
    await away.aclose()
    assert any("storage failed" in line for line in trap.lines)
    assert trap.holding(walk.secrets) == []


@pytest.mark.parametrize("database_url", ["memory"], indirect=True)
async def test_the_walk_leads_over_every_route(walk: Walk) -> None:
    document = mounted(walk.rs).openapi()
    prefix = walk.rs.config.api_prefix
    routes = {
        f"{method.upper()} {path.removeprefix(prefix)}"
        for path, methods in document["paths"].items()
        for method in methods
    }
    walked = [
        step.route.partition("?")[0].removeprefix("form ")
        for step in WALK
        if step.status not in {401, 403, 404}
    ]
    missed = {
        route
        for route in routes
        if not any(re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(route)), each) for each in walked)
    }
    assert missed == set(), "WALK in tests/security/walk.py needs a line for each of these"


@pytest.mark.parametrize("leak", ["message", "argument", "exception", "extra", "bytes"])
def test_a_secret_in_any_part_of_a_record_would_be_found(trap: Trap, leak: str) -> None:
    secret, logger = "a secret/that is & logged", logging.getLogger("regstack.sample")
    if leak == "message":
        logger.debug("it is " + secret)  # noqa: G003
    elif leak == "argument":
        logger.debug("it is %s", {"password": secret})
    elif leak == "extra":
        logger.debug("it is", extra={"url": quote(secret)})
    elif leak == "bytes":
        logger.debug("it is %s", secret.encode())
    else:
        try:
            raise RuntimeError(secret)
        except RuntimeError:
            logger.exception("it failed")
    assert len(trap.holding({secret})) == 1
