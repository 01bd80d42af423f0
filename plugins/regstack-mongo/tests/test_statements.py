"""Each operation is as few commands as it can be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pymongo.monitoring import CommandListener

from regstack.backends.coalescing import MOST
from regstack.models.user import TokenSubject
from regstack.testing.builders import Builder
from regstack_mongo.backend import MongoBackend

pytestmark = pytest.mark.anyio

HOUR = timedelta(hours=1)


class Listener(CommandListener):
    """Keeps the commands that were sent."""

    def __init__(self) -> None:
        self.commands: list[Any] = []

    def started(self, event: Any) -> None:
        self.commands.append(event.command)

    def succeeded(self, event: Any) -> None:
        """What was started is kept already."""

    failed = succeeded


def listening(backend: MongoBackend) -> list[Any]:
    listener = Listener()
    connection = backend.executor._connection
    assert connection is not None
    listeners: Any = connection.client._event_listeners
    listeners._EventListeners__command_listeners.append(listener)
    listeners._EventListeners__enabled_for_commands = True
    return listener.commands


async def every_operation(backend: MongoBackend, make: Builder) -> dict[str, Callable[[], Any]]:
    now, later = make.clock.now(), make.clock.now() + HOUR
    user, doomed = [await backend.users.create(make.user()) for _ in range(2)]
    admin, _ = [await backend.users.create(make.user(is_superuser=True)) for _ in range(2)]
    token, state, pending = make.hash(), make.state(linking_user_id=user.id), make.pending()
    identity = make.identity(user.id)
    users, codes, flows = backend.users, backend.mfa_codes, backend.oauth_states
    result = {"user_id": user.id, "token_version": 0, "was_new_account": False, "expires_at": later}
    return {
        "create": lambda: users.create(make.user()),
        "get_by_id": lambda: users.get_by_id(user.id),
        "get_by_email": lambda: users.get_by_email(user.email_key),
        "find_login_subject": lambda: users.find_login_subject(user.email_key),
        "get_token_subject": lambda: users.get_token_subject(user.id, jti="x"),
        "record_login": lambda: users.record_login(user.id, now),
        "set_password": lambda: users.set_password(user.id, "x"),
        "put_reset_token": lambda: users.put_reset_token(user.id, token, later),
        "reset_password": lambda: users.reset_password(token, "x", now),
        "put_email_change": lambda: users.put_email_change(user.id, token, make.email(), later),
        "confirm_email_change": lambda: users.confirm_email_change(token, now),
        "disable": lambda: users.set_flags(user.id, is_active=False),
        "enable": lambda: users.set_flags(user.id, is_active=True),
        "demote": lambda: users.set_flags(admin.id, is_superuser=False),
        "delete": lambda: users.delete(doomed.id),
        "list_page": lambda: users.list_page(limit=5, after=user.id),
        "search": lambda: users.list_page(limit=5, search="ada"),
        "pending.put": lambda: backend.pending.put(pending),
        "pending.find_by_token_hash": lambda: backend.pending.find_by_token_hash(pending.token_hash),
        "create_from_pending": lambda: users.create_from_pending(pending.token_hash, now),
        "consume": lambda: backend.pending.consume(token, now),
        "revoke": lambda: backend.blacklist.revoke(token, later),
        "is_revoked": lambda: backend.blacklist.is_revoked(token),
        "claim": lambda: backend.attempts.claim("key", limit=3, window=HOUR, now=now),
        "mfa.put": lambda: codes.put(make.code(user.id)),
        "mfa.verify": lambda: codes.verify(user.id, "login", token, now),
        "mfa.find": lambda: codes.find(user.id, "login"),
        "link": lambda: backend.oauth_identities.create(identity),
        "create_with_user": lambda: backend.oauth_identities.create_with_user(
            new := make.user(), make.identity(new.id)
        ),
        "find_by_subject": lambda: backend.oauth_identities.find_by_subject(
            identity.issuer, identity.subject
        ),
        "touch_last_used": lambda: backend.oauth_identities.touch_last_used(identity.id, now),
        "flow.create": lambda: flows.create(state),
        "flow.set_result": lambda: flows.set_result(state.state_hash, result_hash=token, now=now, **result),
        "flow.consume": lambda: flows.consume(token, now),
        "purge": lambda: backend.purge_expired(now),
    }


ONE_COMMAND = {
    "create", "get_by_id", "get_by_email", "find_login_subject", "get_token_subject", "record_login",
    "set_password", "put_reset_token", "reset_password", "put_email_change", "confirm_email_change",
    "disable", "enable", "list_page", "search", "pending.put", "consume", "revoke", "is_revoked", "claim",
    "mfa.put", "mfa.verify", "mfa.find", "link", "create_with_user", "find_by_subject", "touch_last_used",
}  # fmt: skip


async def test_what_one_statement_can_do_is_one_command(backend: MongoBackend, make: Builder) -> None:
    operations = await every_operation(backend, make)
    commands = listening(backend)
    sent = {}
    for name, operation in operations.items():
        commands.clear()
        await operation()
        sent[name] = [next(iter(command)) for command in commands]
    assert {name for name, names in sent.items() if len(names) == 1} >= ONE_COMMAND, sent


async def test_tokens_that_are_looked_up_in_one_turn_take_one_command_and_none_feels_another(
    backend: MongoBackend, make: Builder
) -> None:
    users = [await backend.users.create(make.user()) for _ in range(3)]
    unknown, revoked = make.user(), make.id()
    await backend.blacklist.revoke(revoked, make.clock.now() + HOUR)
    asked = [(user, jti) for user in (*users, unknown) for jti in (make.id(), revoked)] * 7
    commands = listening(backend)
    lookups = [
        asyncio.create_task(backend.users.get_token_subject(user.id, jti=jti)) for user, jti in asked[:50]
    ]
    await asyncio.sleep(0)
    lookups[7].cancel()
    found = await asyncio.gather(*lookups, return_exceptions=True)
    assert isinstance(found.pop(7), asyncio.CancelledError)
    del asked[7]
    wanted = [None if user is unknown else TokenSubject(user, jti == revoked) for user, jti in asked[:49]]
    assert found == wanted
    assert [next(iter(command)) for command in commands] == ["aggregate"]


async def test_the_longest_answer_to_lookups_that_share_a_command_comes_at_once(
    backend: MongoBackend, make: Builder
) -> None:
    asked = [(await backend.users.create(make.user()), make.id()) for _ in range(MOST)]
    for _, jti in asked:
        await backend.blacklist.revoke(jti, make.clock.now() + HOUR)
    commands = listening(backend)
    found = await asyncio.gather(*(backend.users.get_token_subject(user.id, jti=jti) for user, jti in asked))
    assert found == [TokenSubject(user, revoked=True) for user, _ in asked]
    assert [next(iter(command)) for command in commands] == ["aggregate"]
