"""Counting, searching and paging accounts (USR-13)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from regstack.backends.base import Backend
    from regstack.testing.builders import Builder
    from regstack.testing.expectation import Expectation
    from regstack.testing.fixtures import Database

pytestmark = pytest.mark.anyio
clause = pytest.mark.clause


async def _pages(backend: Backend, limit: int, **filters: Any) -> list[str]:
    ids: list[str] = []
    after = None
    # A backend that answers the same page again must not keep the test from ending.
    while len(ids) < 1000:
        page = await backend.users.list_page(limit=limit, after=after, **filters)
        if not page:
            break
        ids.extend(user.id for user in page)
        after = page[-1].id
    return ids


@clause("USR-13")
@pytest.mark.parametrize("limit", [1, 3, 4, 12, 100])
async def test_pages_hold_every_account_once_in_the_order_of_ids(
    limit: int, backend: Backend, make: Builder, expect: Expectation
) -> None:
    ids = [(await backend.users.create(make.user())).id for _ in range(12)]
    expect(
        await _pages(backend, limit),
        sorted(ids),
        did=f"paged through 12 accounts of one millisecond, {limit} at a time",
        cause="rows are ordered by time, which is equal, and not by id",
    )


@clause("USR-13")
async def test_skipping_goes_on_from_where_the_page_begins(
    backend: Backend, make: Builder, expect: Expectation
) -> None:
    ids = sorted([(await backend.users.create(make.user())).id for _ in range(8)])
    for after, skip, limit in ((None, 3, 2), (None, 8, 2), (None, 0, 3), (ids[2], 2, 10), (ids[7], 0, 1)):
        start = (ids.index(after) + 1 if after is not None else 0) + skip
        page = await backend.users.list_page(limit=limit, after=after, skip=skip)
        expect(
            [user.id for user in page],
            ids[start : start + limit],
            did=f"listed {limit} with skip={skip}, after={'nothing' if after is None else ids.index(after)}",
        )


@clause("USR-13", "COM-08")
async def test_paging_misses_nothing_while_accounts_come_and_go(
    database: Database, backend: Backend, make: Builder, expect: Expectation
) -> None:
    other = await database.open()
    staying = [(await backend.users.create(make.user())).id for _ in range(30)]
    going = [(await backend.users.create(make.user())).id for _ in range(30)]

    async def disturb() -> None:
        for user_id in going:
            await other.users.delete(user_id)
            await other.users.create(make.user())

    paging = asyncio.create_task(_pages(backend, 4))
    await disturb()
    ids = await paging
    expect(len(ids), len(set(ids)), did="paged while accounts came and went", cause="a row comes twice")
    expect(ids == sorted(ids), True, did="looked at the order")
    expect(
        [user_id for user_id in staying if user_id not in ids],
        [],
        did="looked for accounts that were there all the time",
        cause="pages are cut by offset, so a deletion moves the rest",
    )


@clause("USR-13", "users.count")
async def test_filters_narrow_the_list_and_the_count_alike(
    backend: Backend, make: Builder, expect: Expectation
) -> None:
    flags = [(a, s, v) for a in (True, False) for s in (True, False) for v in (True, False)]
    users = [
        await backend.users.create(
            make.user(is_active=a, is_superuser=s, is_verified=v, full_name=f"{'Ada' if v else 'Eve'} {s}")
        )
        for a, s, v in flags
    ]
    for a in (None, True, False):
        for s in (None, True, False):
            for v in (None, True, False):
                for search in (None, "ada", "eve false"):
                    filters = {"is_active": a, "is_superuser": s, "is_verified": v, "search": search}
                    wanted = [
                        user.id
                        for user in users
                        if a is None or user.is_active == a
                        if s is None or user.is_superuser == s
                        if v is None or user.is_verified == v
                        if search is None
                        or (user.full_name or "").casefold().startswith(search)
                        or user.email_key.startswith(search)
                    ]
                    page = await backend.users.list_page(limit=20, **filters)  # type: ignore[arg-type]
                    did = f"filtered by {filters}"
                    expect([user.id for user in page], sorted(wanted), did=did)
                    count = await backend.users.count(**filters)  # type: ignore[arg-type]
                    expect(count, len(wanted), did=f"{did}, and counted")


NAMES = {
    "plain": "Ada Lovelace",
    "percent": "100% sure",
    "hundred": "1000 sure",
    "underscore": "a_b",
    "letter": "axb",
    "dot": "a.*b",
    "dollar": "$ne",
    "brackets": "[a-z]+",
    "backslash": "\\d",
    "umlaut": "Ärger",
    "sharp s": "Straße",
    "ligature": "ﬁnn",
    "dotted": "İpek",
    "emoji": "👩‍🚀 Sally",
    "none": None,
}


@clause("USR-13", "COM-11")
@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("ada l", ["plain"]),
        ("ADA LOVELACE", ["plain"]),
        ("lovelace", []),
        ("100%", ["percent"]),
        ("100", ["percent", "hundred"]),
        ("%", []),
        ("_", []),
        ("a_", ["underscore"]),
        ("a.", ["dot"]),
        (".*", []),
        ("^a", []),
        ("$ne", ["dollar"]),
        ("[a", ["brackets"]),
        ("\\", ["backslash"]),
        ("\\d", ["backslash"]),
        ("ärg", ["umlaut"]),
        ("A\u0308RG", ["umlaut"]),
        ("arg", []),
        ("STRASS", ["sharp s"]),
        ("straß", ["sharp s"]),
        ("FIN", ["ligature"]),
        ("i\u0307p", ["dotted"]),
        ("👩", ["emoji"]),
        ("'", []),
        ("nobody", []),
    ],
)
async def test_a_search_is_a_prefix_and_never_a_pattern(
    search: str, found: list[str], backend: Backend, make: Builder, expect: Expectation
) -> None:
    for label, name in NAMES.items():
        key = f"zz-{label.replace(' ', '-')}@example.com"
        await backend.users.create(make.user(full_name=name, email_key=key))
    page = await backend.users.list_page(limit=50, search=search)
    labels = {name: label for label, name in NAMES.items()}
    did = f"searched for {search!r}"
    expect(
        sorted(labels[user.full_name] for user in page),
        sorted(found),
        did=did,
        cause="the text goes into a LIKE or a regular expression, or is folded differently from the name",
    )
    expect(await backend.users.count(search=search), len(found), did=f"{did}, and counted")


@clause("USR-13", "COM-11")
async def test_a_search_matches_a_prefix_of_the_email_key_and_follows_changes_of_the_name(
    backend: Backend, make: Builder, expect: Expectation
) -> None:
    user = await backend.users.create(make.user(full_name="Ada", email_key="grace%h@example.com"))
    await backend.users.create(make.user(full_name=None))
    for search, hits in (("grace%", 1), ("GRACE%H@", 1), ("grace_", 0), ("race", 0), ("example", 0)):
        expect(await backend.users.count(search=search), hits, did=f"searched for {search!r}")
    await backend.users.update_profile(user.id, full_name="Übermut")
    expect(await backend.users.count(search="über"), 1, did="searched for the new name")
    expect(
        await backend.users.count(search="ada "),
        0,
        did="searched for the old name",
        cause="the folded name is not written with the name",
    )
    pending = make.pending(full_name="Zoë Öl")
    await backend.pending.put(pending)
    await backend.users.create_from_pending(pending.token_hash, make.clock.now())
    expect(
        await backend.users.count(search="ZOË"),
        1,
        did="searched for the name of an account that was a registration",
        cause="create_from_pending does not write the folded name",
    )


@clause("USR-13", "COM-11")
@pytest.mark.parametrize("search", ["ada", "\ud7ff", "\U0010ffff"])
async def test_a_search_reaches_names_up_to_the_last_character_of_unicode(
    search: str, backend: Backend, make: Builder, expect: Expectation
) -> None:
    names = [search, f"{search}\U0010ffff", f"{search}\U0010ffff\U0010ffffz"]
    for name in [*names, f"z{search}"]:
        await backend.users.create(make.user(full_name=name, email_key=f"{make.hash()}@example.com"))
    expect(
        await backend.users.count(search=search),
        len(names),
        did=f"searched for {search!a} among names that go on with U+10FFFF",
        cause="the range of a prefix ends below some of what begins with it",
    )
