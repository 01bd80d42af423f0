"""The clauses for all repositories that need no table of operations."""

from __future__ import annotations

import asyncio
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from regstack.backends.base import Capability, PingReport
from regstack.errors import UnsupportedCapability, UserAlreadyExistsError
from regstack.testing.contest import call

if TYPE_CHECKING:
    from regstack.auth.clock import FrozenClock
    from regstack.backends.base import Backend
    from regstack.testing.builders import Builder
    from regstack.testing.contest import Contest
    from regstack.testing.expectation import Expectation
    from regstack.testing.fixtures import Database

pytestmark = pytest.mark.anyio
clause, needs = pytest.mark.clause, pytest.mark.needs

FINE = datetime(2031, 3, 30, 2, 30, 15, 123_999, tzinfo=timezone(timedelta(hours=5, minutes=30)))
CUT = datetime(2031, 3, 29, 21, 0, 15, 123_000, tzinfo=UTC)
SUMMER, WINTER = timezone(timedelta(hours=2)), timezone(timedelta(hours=1))


def _is_utc(value: datetime | None) -> bool:
    return value is not None and value.utcoffset() == timedelta()


@clause("COM-02")
async def test_datetimes_come_back_in_utc_and_cut_to_milliseconds(
    backend: Backend, make: Builder, expect: Expectation
) -> None:
    given = make.user(created_at=FINE, updated_at=FINE, last_login=FINE, tokens_invalidated_after=FINE)
    answered = await backend.users.create(given)
    stored = await backend.users.get_by_id(given.id)
    for user in (answered, stored):
        assert user is not None
        for name in ("created_at", "updated_at", "last_login", "tokens_invalidated_after"):
            value = getattr(user, name)
            did = f"stored {name} as {FINE.isoformat()}"
            expect(value, CUT, did=did, cause="microseconds are kept or rounded, or the zone is dropped")
            expect.that(_is_utc(value), came=value, wanted="a datetime in UTC", did=did)


@clause("COM-02")
async def test_the_two_half_past_twos_of_an_autumn_night_stay_apart(
    backend: Backend, make: Builder, expect: Expectation
) -> None:
    first = datetime(2031, 10, 26, 2, 30, tzinfo=SUMMER)
    second = datetime(2031, 10, 26, 2, 30, tzinfo=WINTER)
    earlier = await backend.users.create(make.user(created_at=first))
    later = await backend.users.create(make.user(created_at=second))
    expect(
        later.created_at - earlier.created_at,
        timedelta(hours=1),
        did="stored 02:30 in summer time and 02:30 in winter time",
        cause="local time is stored without its offset",
    )


@clause("COM-02")
@pytest.mark.parametrize("year", [1970, 2038, 2100, 2999])
async def test_dates_far_from_today_are_stored_exactly(
    year: int, backend: Backend, make: Builder, expect: Expectation
) -> None:
    when = datetime(year, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)
    user = await backend.users.create(make.user(created_at=when, updated_at=when))
    expect((await backend.users.get_by_id(user.id)) == user, True, did=f"stored and read {when}")
    expect(user.created_at, when, did=f"stored {when}", cause="time kept as float or in 32 bits")


@clause("COM-05")
async def test_what_is_returned_and_what_was_given_share_nothing_with_what_is_stored(
    backend: Backend, make: Builder, expect: Expectation
) -> None:
    given = make.user()
    created = await backend.users.create(given)
    original = replace(created)
    for snapshot in (given, created, await backend.users.get_by_id(given.id)):
        object.__setattr__(snapshot, "full_name", "changed behind the back of the backend")
    page = await backend.users.list_page(limit=10)
    object.__setattr__(page[0], "email", "changed@example.com")
    page.clear()
    expect(
        await backend.users.list_page(limit=10),
        [original],
        did="changed every object that was given to the backend or came from it, and read again",
        cause="the stored object itself is handed out",
    )


@clause("COM-05")
async def test_what_is_returned_cannot_be_changed(
    backend: Backend, make: Builder, expect: Expectation
) -> None:
    user = await backend.users.create(make.user())
    with expect.raises(FrozenInstanceError, did="assigned to an attribute", cause="not a domain value"):
        user.full_name = "Eve"  # type: ignore[misc]


@clause("COM-08")
async def test_what_one_instance_wrote_another_reads(
    database: Database, make: Builder, expect: Expectation
) -> None:
    one, other = await database.open(), await database.open()
    user = await one.users.create(make.user())
    expect(
        await other.users.get_by_id(user.id),
        user,
        did="wrote on one instance, then read on another over the same namespace",
        cause="the harness opens different databases, or the backend caches",
    )


@clause("COM-10", "users.create")
async def test_a_repeated_creation_answers_with_what_is_stored(
    backend: Backend, make: Builder, expect: Expectation
) -> None:
    user = await backend.users.create(make.user())
    changed = await backend.users.update_profile(user.id, full_name="Augusta Ada King")
    expect(
        await backend.users.create(replace(user, full_name="again")),
        changed,
        did="created an account once more under its own id, after it was changed",
        cause="the repeat fails, or overwrites what is stored",
    )


@clause("COM-10", "COM-08", "users.create")
async def test_creations_of_one_account_at_once_all_answer_with_it(
    contest: Contest, backend: Backend, make: Builder, expect: Expectation
) -> None:
    for _ in range(contest.rounds):
        user = make.user()
        outcomes = await contest.repeat(call("users.create", user))
        expect(
            outcomes.tally(),
            {"User": contest.size},
            did="created one account under one id many times at once",
            cause="the conflict on the own id is taken for a conflict on the address",
        )
        expect(all(value == user for value in outcomes.values()), True, did="compared the answers")
        expect(await backend.users.get_by_id(user.id), user, did="read it afterwards")


@clause("COM-04", "USR-01")
async def test_the_message_of_a_conflict_holds_no_password_hash(
    backend: Backend, make: Builder, expect: Expectation
) -> None:
    user = await backend.users.create(make.user())
    rival = make.user(email_key=user.email_key)
    with pytest.raises(UserAlreadyExistsError) as raised:
        await backend.users.create(rival)
    error: BaseException | None = raised.value
    while error is not None:
        text = f"{error} {error!r}"
        expect.that(
            str(rival.hashed_password) not in text,
            came=text,
            wanted="no password hash in the error or in its causes",
            did="created a second account with the same address",
            cause="the driver shows the parameters of the statement; tell it not to",
        )
        error = error.__cause__ or error.__context__


@clause("COM-09")
async def test_a_cancelled_change_is_whole_or_not_there_and_gives_its_connection_back(
    database: Database, backend: Backend, make: Builder, expect: Expectation
) -> None:
    other = await database.open()
    user = await backend.users.create(make.user())
    for turns in range(40):
        before, hashed = user, make.password_hash()
        task = asyncio.create_task(backend.users.set_password(user.id, hashed))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        (user,) = await other.users.list_page(limit=2)
        came: list[object] = [user.hashed_password, user.token_version]
        whole: list[object] = [hashed, before.token_version + 1]
        expect.that(
            came in ([before.hashed_password, before.token_version], whole),
            came=came,
            wanted=f"{whole}, or what it was before",
            did=f"cancelled set_password after {turns} turns of the event loop",
            cause="several statements without a transaction",
        )
    reads = await asyncio.gather(*(backend.users.get_by_id(user.id) for _ in range(64)))
    expect(reads.count(None), 0, did="64 reads after 40 cancellations", cause="connections were lost")


@clause("COM-12")
async def test_installing_the_schema_twice_changes_nothing_and_keeps_the_data(
    backend: Backend, make: Builder, expect: Expectation
) -> None:
    user = await backend.users.create(make.user())
    first, second = await backend.install_schema(), await backend.install_schema()
    did = "installed the schema on a namespace that has it"
    expect(first.changes, (), did=did)
    expect(second, first, did=f"{did}, twice")
    expect(await backend.pending_changes(), (), did="asked for pending changes")
    expect(await backend.users.get_by_id(user.id), user, did="read the data afterwards")


@clause("COM-12")
async def test_installing_the_schema_at_once_on_an_empty_namespace_works_for_all(
    database: Database, make: Builder, expect: Expectation
) -> None:
    for _ in range(3):
        await database.harness.renew()
        backends = [await database.open() for _ in range(8)]
        expect.that(
            len(await backends[0].pending_changes()) > 0,
            came=(),
            wanted="at least one line",
            did="asked an empty namespace for pending changes",
        )
        reports = await asyncio.gather(*(backend.install_schema() for backend in backends))
        expect(len({report.revision for report in reports}), 1, did="compared the revisions of 8 reports")
        expect(
            sum(bool(report.changes) for report in reports) >= 1,
            True,
            did="looked for the instance that says what it changed",
        )
        user = await backends[0].users.create(make.user())
        for backend in backends:
            expect(await backend.pending_changes(), (), did="asked for pending changes afterwards")
            expect(await backend.users.get_by_id(user.id), user, did="read through each instance")
        await database.aclose()


@clause("COM-12")
async def test_a_new_instance_works_without_installing_anything(
    database: Database, make: Builder, expect: Expectation
) -> None:
    user = make.user()
    with_nothing_before = await database.open()
    expect(
        await with_nothing_before.users.create(user),
        user,
        did="used an instance that never called install_schema, on a current schema",
        cause="repositories are made by install_schema",
    )


@clause("COM-12")
async def test_a_ping_tells_the_server_and_the_time_it_took(backend: Backend, expect: Expectation) -> None:
    report = await backend.ping()
    expect.that(
        isinstance(report, PingReport)
        and bool(report.server_version)
        and timedelta() <= report.round_trip < timedelta(minutes=1),
        came=report,
        wanted="a PingReport with a server version and a round trip",
        did="pinged",
    )


@clause("COM-12")
async def test_closing_twice_is_allowed_and_leaves_other_instances_open(
    database: Database, make: Builder, expect: Expectation
) -> None:
    closed, open_ = await database.open(), await database.open()
    user = await closed.users.create(make.user())
    await closed.aclose()
    await closed.aclose()
    expect(await open_.users.get_by_id(user.id), user, did="read on the other instance")
    never_used = await database.open()
    await never_used.aclose()


@clause("capabilities")
async def test_the_backend_is_called_what_the_harness_says(
    database: Database, backend: Backend, expect: Expectation
) -> None:
    expect(backend.kind, database.harness.kind, did="compared `kind`")
    expect.that(
        backend.capabilities <= set(Capability),
        came=backend.capabilities,
        wanted="members of Capability",
        did="looked at `capabilities`",
    )


@clause("capabilities")
@pytest.mark.parametrize(
    ("repository", "capability"),
    [
        ("mfa_codes", Capability.MFA_CODES),
        ("oauth_identities", Capability.OAUTH),
        ("oauth_states", Capability.OAUTH),
    ],
)
async def test_a_repository_is_there_exactly_if_its_capability_is_declared(
    repository: str, capability: Capability, backend: Backend, expect: Expectation
) -> None:
    if capability in backend.capabilities:
        expect.that(
            getattr(backend, repository) is not None,
            came=None,
            wanted="the repository",
            did=f"asked for {repository}, {capability} being declared",
        )
        return
    with expect.raises(UnsupportedCapability, did=f"asked for {repository}, which is not declared"):
        getattr(backend, repository)


@clause("COM-13")
@pytest.mark.parametrize(
    "operation",
    [
        "users.get_by_id",
        "users.get_by_email",
        "users.find_login_subject",
        "users.get_token_subject",
        "blacklist.is_revoked",
        "attempts.claim",
        "attempts.clear",
        pytest.param("oauth_identities.find_by_subject", marks=needs(Capability.OAUTH)),
    ],
)
@pytest.mark.parametrize("present", [True, False], ids=["found", "missing"])
async def test_a_hot_operation_takes_one_round_trip(
    operation: str,
    present: bool,
    counted: tuple[Backend, list[Any]],
    clock: FrozenClock,
    make: Builder,
    expect: Expectation,
) -> None:
    backend, round_trips = counted
    user, jti = make.user(), make.id()
    if present:
        await backend.users.create(user)
        await backend.blacklist.revoke(jti, clock.now() + timedelta(hours=1))
    claim = {"limit": 5, "window": timedelta(hours=1), "now": clock.now()}
    calls = {
        "users.get_by_id": call(operation, user.id),
        "users.get_by_email": call(operation, user.email_key),
        "users.find_login_subject": call(operation, user.email_key),
        "users.get_token_subject": call(operation, user.id, jti=jti),
        "blacklist.is_revoked": call(operation, jti),
        "attempts.claim": call(operation, user.email_key, **claim),
        "attempts.clear": call(operation, user.email_key, at_most=5),
        "oauth_identities.find_by_subject": call(operation, "https://accounts.google.com", "1"),
    }
    await calls[operation].make(backend)
    round_trips.clear()
    await calls[operation].make(backend)
    expect.that(
        len(round_trips) == 1,
        came=round_trips,
        wanted="one round trip",
        did=f"counted what {operation} sends at its second call",
        cause="BEGIN and COMMIT around a single statement, a pool that pings, or two reads",
    )
