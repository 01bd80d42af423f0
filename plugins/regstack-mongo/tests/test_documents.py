"""What is stored has the shape that the Beanie documents state."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from beanie import Document

from regstack.testing.builders import Builder
from regstack_mongo import documents
from regstack_mongo.backend import MongoBackend
from regstack_mongo.indexes import wanted_indexes
from regstack_mongo.oauth_identities import identity_key

pytestmark = pytest.mark.anyio

HOUR = timedelta(hours=1)
COLLECTIONS = wanted_indexes(ttl=False)


async def filled(backend: MongoBackend, make: Builder) -> Any:
    """Write something to every field of every document."""
    now = make.clock.now()
    user = await backend.users.create(make.user(last_login=now, tokens_invalidated_after=now))
    await backend.users.put_reset_token(user.id, make.hash(), now + HOUR)
    await backend.users.put_email_change(user.id, make.hash(), make.email(), now + HOUR)
    await backend.mfa_codes.put(make.code(user.id))
    await backend.oauth_identities.create(make.identity(user.id))
    await backend.users.create(make.user(is_superuser=True))
    admin = await backend.users.create(make.user(is_superuser=True))
    await backend.users.set_flags(admin.id, is_superuser=False)
    await backend.pending.put(make.pending())
    await backend.blacklist.revoke(make.id(), now + HOUR)
    await backend.attempts.claim("key", limit=1, window=HOUR, now=now)
    state = make.state(linking_user_id=user.id)
    await backend.oauth_states.create(make.state())
    await backend.oauth_states.create(state)
    await backend.oauth_states.set_result(
        state.state_hash,
        result_hash=make.hash(),
        user_id=user.id,
        token_version=0,
        was_new_account=True,
        expires_at=now + HOUR,
        now=now,
    )
    return user


async def test_every_stored_document_is_one_of_its_class(
    backend: MongoBackend, raw: Any, make: Builder
) -> None:
    await filled(backend, make)
    classes = await backend.documents()
    for name in COLLECTIONS:
        stored = list(raw[f"regstack_{name}"].find())
        assert stored
        for document in stored:
            getattr(classes, name).model_validate(document)


async def test_beanies_own_queries_work_on_an_instances_classes(backend: MongoBackend, make: Builder) -> None:
    user = await filled(backend, make)
    users: Any = (await backend.documents()).users
    found = await users.find_one(users.email_key == user.email_key)
    assert (found.id, found.identities[0].provider) == (user.id, "google")


async def test_the_classes_of_one_event_loop_are_made_once(backend: MongoBackend) -> None:
    one, other = await asyncio.gather(backend.documents(), backend.documents())
    assert one is other is await backend.documents()


async def test_the_shared_bases_are_never_bound_to_a_database(backend: MongoBackend) -> None:
    bases = [value for name, value in vars(documents).items() if name.endswith("Fields")]
    assert len(bases) == len(COLLECTIONS)
    assert not [base for base in bases if issubclass(base, Document)]


async def test_two_identities_never_share_a_key() -> None:
    pairs = [("a", "b:c"), ("a:", "b:c"), ("a:b", "c"), ("", "a:b:c"), ("1:a", ""), ("", "1:a"), ("1", ":a")]
    assert len({identity_key(*pair) for pair in pairs}) == len(pairs)
    assert identity_key("ä", "b") != identity_key("a\u0308", "b")


async def test_pages_and_prefixes_follow_the_order_of_code_points(
    backend: MongoBackend, make: Builder
) -> None:
    """In UTF-16 the characters beyond the first plane would come before U+E000 to U+FFFF."""
    for letter in ("a", "z", "\u00e9", "\ud7ff", "\ue000", "\ufffd", "\U00010000", "\U0001f680"):
        await backend.users.create(make.user(email_key=f"{letter}@example.com", full_name=f"q{letter}"))
    connection = backend.executor._connection
    assert connection is not None
    keys = [row["email_key"] async for row in connection.users.find().sort("email_key", 1)]
    assert keys == sorted(keys)
    assert len(keys) == 8
    assert await backend.users.count(search="q") == 8
    for letter in ("\U0001f680", "\ufffd", "\ud7ff"):
        assert await backend.users.count(search=letter) == 1
        assert await backend.users.count(search=f"q{letter}") == 1


async def test_codes_are_swept_without_touching_their_users(backend: MongoBackend, make: Builder) -> None:
    now = make.clock.now()
    users = [await backend.users.create(make.user()) for _ in range(3)]
    for user in users:
        for kind in ("login", "phone_setup"):
            await backend.mfa_codes.put(make.code(user.id, kind=kind, expires_at=now - 2 * HOUR))
        await backend.mfa_codes.put(make.code(user.id, kind="alive"))
    assert await backend.mfa_codes.purge_expired(now, batch=2) == 6
    for user in users:
        assert await backend.users.get_by_id(user.id) == user
        assert await backend.mfa_codes.find(user.id, "alive") is not None
