"""Behind PgBouncer in transaction mode, which gives each transaction any of its sessions."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from regstack.backends.changes import ANYTHING, Change
from regstack.errors import BackendUnavailable, LastSuperuserError
from regstack.models.user import User
from regstack_postgres.backend import PostgresBackend
from tests.servers.process import Server

pytestmark = pytest.mark.anyio

OpenBackend = Callable[..., PostgresBackend]
MakeUser = Callable[..., User]

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


class PgBouncer(Server):
    """PgBouncer with two sessions for as many clients as come."""

    def __init__(self, url: str) -> None:
        super().__init__()
        target = urlsplit(url)
        self.url = target._replace(netloc=f"{target.username}@127.0.0.1:{self.port}").geturl()
        database = target.path[1:]
        users = self.folder / "users.txt"
        users.write_text(f'"{target.username}" ""\n')
        self._settings = self.folder / "pgbouncer.ini"
        self._settings.write_text(
            f"[databases]\n{database} = host={target.hostname} port={target.port}\n[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\n"
            f"auth_type = trust\nauth_file = {users}\n"
            "pool_mode = transaction\ndefault_pool_size = 2\nmax_client_conn = 100\n"
        )
        self.folder.chmod(0o755)
        for path in self.folder.iterdir():
            path.chmod(0o644)

    def command(self) -> Sequence[str | Path]:
        as_nobody = ["-u", "nobody"] if os.geteuid() == 0 else []
        return [str(PROGRAM), *as_nobody, self._settings]

    def answers(self) -> bool:
        with socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True


@pytest.fixture
def pooled(url: str) -> Iterator[str]:
    """The test's database, through PgBouncer."""
    if PROGRAM is None:
        if os.environ.get("CI"):
            pytest.fail("pgbouncer is missing; `.ci/run` installs it")
        pytest.skip("needs pgbouncer: apt-get install pgbouncer")
    assert subprocess.run([PROGRAM, "--version"], check=False, capture_output=True).returncode == 0
    with PgBouncer(url) as pooler:
        yield pooler.url


async def test_many_clients_share_two_sessions(pooled: str, build: OpenBackend, make_user: MakeUser) -> None:
    backends = [build(database_url=pooled, postgres_statement_cache_size=0, db_pool_size=4) for _ in range(3)]
    await backends[0].drop_schema()
    reports = await asyncio.gather(*(backend.install_schema() for backend in backends))
    assert sorted(len(report.changes) for report in reports) == [0, 0, 1]
    users = [await backends[0].users.create(make_user(is_superuser=True)) for _ in range(12)]
    for _ in range(3):
        answers = await asyncio.gather(
            *(backends[at % 3].users.get_by_id(user.id) for at, user in enumerate(users))
        )
        assert answers == users
    deletions = await asyncio.gather(
        *(backends[at % 3].users.delete(user.id) for at, user in enumerate(users)), return_exceptions=True
    )
    assert sorted(type(answer).__name__ for answer in deletions if answer is not True) == [
        LastSuperuserError.__name__
    ]
    assert deletions.count(True) == 11
    findings = await backends[1].diagnose()
    # The clock of the test stands in another year.
    assert {finding.name for finding in findings if finding.status == "failed"} == {"clock"}


async def test_nothing_stays_in_a_session_that_others_get(
    pooled: str, url: str, build: OpenBackend, make_user: MakeUser
) -> None:
    backend = build(database_url=pooled, postgres_statement_cache_size=0)
    await backend.drop_schema()
    await backend.install_schema()
    user = await backend.users.create(make_user())
    await backend.users.delete(user.id)
    for _ in range(5):
        row = await backend.executor.ask(
            "SELECT (SELECT count(*) FROM pg_prepared_statements),"
            " (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),"
            " current_setting('statement_timeout'), current_setting('lock_timeout')"
        )
        assert tuple(row) == (0, 0, "0", "0")


async def test_prepared_statements_behind_it_fail_with_the_setting_to_change(
    pooled: str, build: OpenBackend, make_user: MakeUser
) -> None:
    # Limits at the start of a session are refused by it at once.
    backend = build(database_url=pooled, db_timeout_seconds=5)
    with pytest.raises(Exception, match="postgres_statement_cache_size = 0"):
        await asyncio.gather(*(backend.users.get_by_id(make_user().id) for _ in range(20)))


async def test_what_is_announced_through_it_is_heard_beside_it(
    pooled: str, url: str, build: OpenBackend
) -> None:
    backend = build(database_url=pooled, postgres_statement_cache_size=0, db_notify_url=url)
    feed = backend.change_feed()
    assert feed is not None
    async with asyncio.timeout(30), aclosing(feed.listen()) as heard:
        assert await anext(heard) == ANYTHING
        await feed.announce(Change(user_id="alice"))
        assert await anext(heard) == Change(user_id="alice")


async def test_a_listener_behind_it_is_told_that_it_hears_nothing(pooled: str, build: OpenBackend) -> None:
    settings = {"database_url": pooled, "postgres_statement_cache_size": 0, "db_connect_timeout_seconds": 3}
    feed = build(**settings, db_notify_url=pooled).change_feed()
    assert feed is not None
    with pytest.raises(BackendUnavailable, match="past any pooler"):
        await anext(feed.listen())
