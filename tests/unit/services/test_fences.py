"""Every write of the contract drops whom it concerns, however it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from regstack.auth.clock import FrozenClock
from regstack.backends.changes import ANYTHING, Change
from regstack.backends.protocols import BlacklistRepoProtocol, UserRepoProtocol
from regstack.errors import BackendTimeout, LastSuperuserError, UserAlreadyExistsError
from regstack.services.fences import FencedBlacklist, FencedUsers
from regstack.testing.builders import Builder

pytestmark = pytest.mark.anyio

USER = Builder(FrozenClock()).user()
OF_USER, OF_TOKEN = Change(user_id=USER.id), Change(jti="jti")


@dataclass(frozen=True)
class Write:
    """A write of the contract.

    Attributes:
        arguments: what it is called with.
        answers: what it answers, and what that changed.
        failed: what may have changed where it fails.
    """

    arguments: tuple[Any, ...]
    answers: tuple[tuple[Any, Change | None], ...]
    failed: Change = OF_USER


BY_ID = Write((USER.id,), ((USER, OF_USER), (None, OF_USER), (True, OF_USER), (False, OF_USER)))
BY_TOKEN = Write(("token",), ((USER, OF_USER), (None, None)), ANYTHING)
WRITES: dict[type, dict[str, Write]] = {
    FencedUsers: {
        "create": Write((USER,), ((USER, OF_USER),)),
        "create_from_pending": BY_TOKEN,
        "record_login": BY_ID,
        "rehash_password": BY_ID,
        "update_profile": BY_ID,
        "set_second_factor": BY_ID,
        "set_password": BY_ID,
        "invalidate_tokens": BY_ID,
        "hand_over": BY_ID,
        "put_reset_token": BY_ID,
        "reset_password": BY_TOKEN,
        "put_email_change": BY_ID,
        "confirm_email_change": BY_TOKEN,
        "set_flags": BY_ID,
        "delete": BY_ID,
    },
    FencedBlacklist: {"revoke": Write(("jti",), ((True, OF_TOKEN), (False, OF_TOKEN)), OF_TOKEN)},
}
READS: dict[type, set[str]] = {
    FencedUsers: {
        *("get_by_id", "get_by_email", "find_login_subject", "get_token_subject", "count", "list_page"),
    },
    FencedBlacklist: {"is_revoked", "purge_expired"},
}
"""Operations that leave every answer to `get_token_subject` as it was, but for tokens that expired."""
PROTOCOLS: dict[type, type] = {FencedUsers: UserRepoProtocol, FencedBlacklist: BlacklistRepoProtocol}
CASES = [(fence, name) for fence, writes in WRITES.items() for name in writes]


class Repository:
    """Answers everything with one thing."""

    def __init__(self, do: Callable[[], Any]) -> None:
        self._do = do

    def __getattr__(self, name: str) -> Any:
        async def operation(*_: Any, **__: Any) -> Any:
            return self._do()

        return operation


def fenced(fence: type, do: Callable[[], Any]) -> tuple[Any, list[Change], list[Change]]:
    forgotten: list[Change] = []
    announced: list[Change] = []
    return fence(Repository(do), forgotten.append, announced.append), forgotten, announced


@pytest.mark.parametrize("fence", PROTOCOLS)
def test_every_operation_of_the_contract_is_known_as_a_read_or_as_a_write(fence: Any) -> None:
    protocol = PROTOCOLS[fence]
    operations = {name for name in dir(protocol) if not name.startswith("_")}
    assert operations == READS[fence] | WRITES[fence].keys()
    assert fence.reads == READS[fence]


@pytest.mark.parametrize(("fence", "name"), CASES)
async def test_a_write_drops_whom_it_concerns(fence: type, name: str) -> None:
    write = WRITES[fence][name]
    for answer, change in write.answers:
        repository, forgotten, announced = fenced(fence, lambda answer=answer: answer)
        assert await getattr(repository, name)(*write.arguments) is answer
        assert forgotten == ([change] if change else [])
        assert announced in ([], forgotten)


@pytest.mark.parametrize(("fence", "name"), CASES)
@pytest.mark.parametrize("failure", [BackendTimeout, asyncio.CancelledError])
async def test_a_write_that_fails_or_is_given_up_drops_whom_it_may_have_changed(
    fence: type, name: str, failure: type[BaseException]
) -> None:
    def fail() -> None:
        raise failure

    write = WRITES[fence][name]
    repository, forgotten, _ = fenced(fence, fail)
    with pytest.raises(failure):
        await getattr(repository, name)(*write.arguments)
    assert forgotten == [write.failed]


@pytest.mark.parametrize(
    ("name", "refusal", "dropped"),
    [("confirm_email_change", UserAlreadyExistsError, []), ("set_flags", LastSuperuserError, [OF_USER])],
)
async def test_a_write_that_is_refused_drops_nobody_else(
    name: str, refusal: type[Exception], dropped: list[Change]
) -> None:
    def refuse() -> None:
        raise refusal

    users, forgotten, _ = fenced(FencedUsers, refuse)
    with pytest.raises(refusal):
        await getattr(users, name)(*WRITES[FencedUsers][name].arguments)
    assert forgotten == dropped


async def test_arguments_may_be_named() -> None:
    users, forgotten, _ = fenced(FencedUsers, lambda: None)
    await users.delete(user_id=USER.id)
    await users.create(user=USER)
    blacklist, revoked, _ = fenced(FencedBlacklist, lambda: True)
    await blacklist.revoke(jti="jti", exp=None)
    assert (forgotten, revoked) == ([OF_USER, OF_USER], [OF_TOKEN])


async def test_a_write_that_nobody_knows_may_have_changed_anything() -> None:
    for fence in PROTOCOLS:
        repository, forgotten, announced = fenced(fence, lambda: None)
        await repository.merge("one", "another")
        assert forgotten == announced == [ANYTHING]


def test_a_fence_shows_the_operations_of_what_it_stands_before() -> None:
    repository = Builder(FrozenClock())
    assert dir(FencedUsers(repository, lambda _: None, lambda _: None)) == dir(repository)


async def test_reads_drop_nothing() -> None:
    for fence, names in READS.items():
        repository, forgotten, _ = fenced(fence, lambda: None)
        for name in names:
            await getattr(repository, name)(USER.id)
        assert not forgotten


async def test_others_are_told_of_all_that_a_session_depends_on_and_not_of_sign_ins() -> None:
    told = set()
    for name, write in WRITES[FencedUsers].items():
        users, _, announced = fenced(FencedUsers, lambda: USER)
        await getattr(users, name)(*write.arguments)
        told |= {name} if announced else set()
    quiet = {"create", "record_login", "rehash_password", "put_reset_token", "put_email_change"}
    assert told == WRITES[FencedUsers].keys() - quiet
