"""Limits hold for whoever calls, however the address or the path is spelt, and lock no owner out.

Rows: a rate limit evaded by a spoofed or aliased address (CVE-2026-45364), or by the spelling of a
path (GHSA-x732-6j76-qmhm); a lockout used as a weapon.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from regstack import RegStack
from regstack.errors import ConfigurationError
from tests.backends import ON_MEMORY
from tests.everything import everything_on

pytestmark = pytest.mark.anyio

ALICE = {"email": "alice@example.com", "password": "correct horse battery"}
WRONG = ALICE | {"password": "not my password"}
HOME, ATTACKER = "198.51.100.1", "203.0.113.66"


async def statuses(calls: list[Any]) -> Counter[int]:
    return Counter(answer.status_code for answer in await asyncio.gather(*calls))


def asking(number: int) -> dict[str, str]:
    """A body that no two calls share, so that nothing but the network ties them together."""
    return {"email": f"person{number}@example.com"}


async def test_many_calls_at_once_pass_no_more_often_than_the_limit(make_world: Any) -> None:
    world = await make_world(forgot_password_rate_limit="5/minute;20/hour")
    calls = [world.post("/forgot-password", asking(number)) for number in range(20)]
    assert await statuses(calls) == {202: 5, 429: 15}


async def test_the_longer_window_holds_when_the_shorter_one_is_over(make_world: Any) -> None:
    world = await make_world(forgot_password_rate_limit="5/minute;7/hour")
    for allowed in (5, 2, 0):
        calls = [world.post("/forgot-password", asking(number)) for number in range(5)]
        assert (await statuses(calls))[202] == allowed
        world.clock.advance(timedelta(seconds=61))


async def test_two_instances_over_one_database_share_the_count(make_world: Any) -> None:
    first = await make_world(forgot_password_rate_limit="4/minute")
    second = await make_world(forgot_password_rate_limit="4/minute")
    if first.rs.backend.kind == "memory":
        pytest.skip("each instance of the reference has a store of its own")
    calls = [world.post("/forgot-password", asking(n)) for n in range(6) for world in (first, second)]
    assert (await statuses(calls))[202] == 4


async def test_one_account_is_counted_over_all_addresses(make_world: Any) -> None:
    world = await make_world(forgot_password_rate_limit="3/minute")
    places = [world.at(f"203.0.113.{number}") for number in range(10)]
    calls = [place.post("/forgot-password", {"email": "Alice@EXAMPLE.com"}) for place in places]
    assert await statuses(calls) == {202: 3, 429: 7}


@ON_MEMORY
@pytest.mark.parametrize("spelling", ["alice@example.com", "ALICE@example.COM", "ａlice@example.com"])
async def test_an_address_that_is_spelt_otherwise_is_the_same_account(make_world: Any, spelling: str) -> None:
    world = await make_world(resend_verification_rate_limit="1/minute")
    assert (await world.post("/resend-verification", {"email": "alice@example.com"})).status_code == 202
    elsewhere = world.at("203.0.113.9")
    assert (await elsewhere.post("/resend-verification", {"email": spelling})).status_code == 429


@ON_MEMORY
async def test_an_unknown_account_is_limited_like_a_known_one(make_world: Any) -> None:
    world = await make_world(login_rate_limit="2/minute", login_lockout_threshold=100)
    await world.account()
    for email in ("alice@example.com", "nobody@example.com"):
        seen = [
            await world.at(f"203.0.113.{number}").post("/login", {"email": email, "password": "wrong wrong"})
            for number in range(4)
        ]
        assert [answer.status_code for answer in seen] == [401, 401, 429, 429]


@ON_MEMORY
async def test_a_written_x_forwarded_for_gives_no_new_count(make_world: Any) -> None:
    world = await make_world(forgot_password_rate_limit="3/minute")

    def spoofing(number: int) -> Any:
        headers = {"X-Forwarded-For": f"198.51.100.{number}", "Forwarded": f"for=198.51.100.{number}",
                   "X-Real-IP": f"198.51.100.{number}"}  # fmt: skip
        path = world.rs.config.api_prefix + "/forgot-password"
        return world.client.post(path, json=asking(number), headers=headers)

    assert await statuses([spoofing(number) for number in range(9)]) == {202: 3, 429: 6}


@ON_MEMORY
async def test_behind_proxies_the_entry_that_they_wrote_counts_and_none_before_it(make_world: Any) -> None:
    world = await make_world(forgot_password_rate_limit="3/minute", trusted_proxy_count=2)

    def call(number: int, client: str) -> Any:
        headers = {"X-Forwarded-For": f"192.0.2.{number}, {client}, 10.0.0.2"}
        path = world.rs.config.api_prefix + "/forgot-password"
        return world.client.post(path, json=asking(number), headers=headers)

    assert await statuses([call(number, ATTACKER) for number in range(9)]) == {202: 3, 429: 6}
    assert (await call(20, HOME)).status_code == 202


@ON_MEMORY
async def test_all_addresses_of_one_ipv6_line_share_a_count(make_world: Any) -> None:
    world = await make_world(forgot_password_rate_limit="3/minute")
    line = [world.at(f"2001:db8:1:2::{number:x}") for number in range(9)]
    calls = [place.post("/forgot-password", asking(number)) for number, place in enumerate(line)]
    assert await statuses(calls) == {202: 3, 429: 6}
    neighbour = world.at("2001:db8:1:3::1")
    assert (await neighbour.post("/forgot-password", asking(99))).status_code == 202


@ON_MEMORY
async def test_an_ipv4_address_behind_ipv6_is_itself(make_world: Any) -> None:
    world = await make_world(forgot_password_rate_limit="1/minute")
    assert (await world.at("203.0.113.5").post("/forgot-password", asking(1))).status_code == 202
    assert (await world.at("::ffff:203.0.113.5").post("/forgot-password", asking(2))).status_code == 429


@ON_MEMORY
@pytest.mark.parametrize("spelling", ["/forgot-password/", "//forgot-password", "/./forgot-password",
                                      "/forgot%2Dpassword", "/FORGOT-PASSWORD"])  # fmt: skip
async def test_no_spelling_of_the_path_passes_the_limit(make_world: Any, spelling: str) -> None:
    world = await make_world(forgot_password_rate_limit="1/minute")
    assert (await world.post("/forgot-password", asking(1))).status_code == 202
    answer = await world.call("POST", spelling, asking(2), follow_redirects=True)
    assert answer.status_code in {404, 429}


@ON_MEMORY
async def test_the_answer_says_how_far_the_limit_is_used_up(make_world: Any) -> None:
    world = await make_world(forgot_password_rate_limit="2/minute;20/hour")
    answer = await world.post("/forgot-password", asking(1))
    assert answer.headers["RateLimit-Policy"] == (
        '"forgot_password-60s";q=2;w=60, "forgot_password-3600s";q=20;w=3600'
    )
    assert answer.headers["RateLimit"] == '"forgot_password-60s";r=1, "forgot_password-3600s";r=19'
    await world.post("/forgot-password", asking(2))
    world.clock.advance(timedelta(seconds=20))
    refused = await world.post("/forgot-password", asking(3))
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "40"
    assert refused.headers["RateLimit"] == '"forgot_password-60s";r=0;t=40, "forgot_password-3600s";r=17'


@ON_MEMORY
async def test_what_others_do_to_an_account_shows_in_no_header(make_world: Any) -> None:
    world = await make_world(login_rate_limit="10/minute", login_lockout_threshold=50)
    await world.account()
    before = await world.at("203.0.113.1").post("/login", WRONG)
    for number in range(3):
        await world.at(f"203.0.113.{number + 10}").post("/login", WRONG)
    after = await world.at("203.0.113.2").post("/login", WRONG)
    assert before.headers["RateLimit"] == after.headers["RateLimit"]


LIMITED_BODIES: list[tuple[str, str, str, dict[str, str]]] = [
    ("register", "POST", "/register", ALICE),
    ("verify", "POST", "/verify", {"token": "unknown"}),
    ("resend_verification", "POST", "/resend-verification", {"email": ALICE["email"]}),
    ("login", "POST", "/login", ALICE),
    ("forgot_password", "POST", "/forgot-password", {"email": ALICE["email"]}),
    ("reset_password", "POST", "/reset-password", {"token": "unknown", "new_password": "another password"}),
    ("change_password", "POST", "/change-password",
     {"current_password": "wrong wrong", "new_password": "another password"}),
    ("change_email", "POST", "/change-email",
     {"current_password": "wrong wrong", "new_email": "new@example.com"}),
    ("confirm_email_change", "POST", "/confirm-email-change", {"token": "unknown"}),
    ("delete_account", "DELETE", "/account", {"current_password": "wrong wrong"}),
    ("phone_start", "POST", "/phone/start",
     {"phone_number": "+41446681800", "current_password": "wrong wrong"}),
    ("phone_confirm", "POST", "/phone/confirm", {"pending_token": "unknown", "code": "123456"}),
    ("phone_disable", "DELETE", "/phone", {"current_password": "wrong wrong"}),
    ("login_mfa_confirm", "POST", "/login/mfa-confirm", {"mfa_pending_token": "unknown", "code": "123456"}),
    ("oauth_exchange", "POST", "/oauth/exchange", {"id": "unknown"}),
    ("oauth_start", "GET", "/oauth/acme/start", {}),
    ("oauth_callback", "GET", "/oauth/acme/callback?state=unknown", {}),
]  # fmt: skip
"""Setting, method, path and a body that gets as far as the service."""


@pytest.mark.parametrize(
    ("name", "method", "path", "body"), LIMITED_BODIES, ids=lambda value: str(value)[:20]
)
@pytest.mark.parametrize("database_url", ["memory"], indirect=True)
async def test_every_limit_of_the_settings_is_kept(
    make_world: Any, name: str, method: str, path: str, body: dict[str, str]
) -> None:
    world = await make_world(
        **everything_on() | {f"{name}_rate_limit": "2/minute", "login_lockout_threshold": 50}
    )
    await world.account("owner@example.com")
    elsewhere = world.at("203.0.113.8")
    token = None if name == "login" else await elsewhere.log_in("owner@example.com")
    seen = [(await elsewhere.call(method, path, body or None, token)).status_code for _ in range(3)]
    assert 429 not in seen[:2]
    assert seen[2] == 429


async def test_an_attacker_elsewhere_locks_no_owner_out(world: Any) -> None:
    await world.account()
    home = world.at(HOME)
    await home.log_in()
    attackers = [world.at(f"203.0.113.{number}") for number in range(20)]
    assert await statuses([attacker.post("/login", WRONG) for attacker in attackers]) == {401: 5, 429: 15}
    assert (await world.at(ATTACKER).post("/login", ALICE)).status_code == 429
    assert (await home.post("/login", ALICE)).status_code == 200


async def test_the_owner_is_known_again_by_the_browser_in_another_network(world: Any) -> None:
    await world.account()
    browser = world.at(HOME)
    await browser.log_in()
    moved = world.at("192.0.2.77")
    moved.client.cookies = browser.client.cookies
    await statuses([world.at(ATTACKER).post("/login", WRONG) for _ in range(20)])
    assert (await world.at("192.0.2.78").post("/login", ALICE)).status_code == 429
    assert (await moved.post("/login", ALICE)).status_code == 200


async def test_the_owner_is_known_again_by_the_network_without_cookies(world: Any) -> None:
    await world.account()
    await world.at(HOME).log_in()
    await statuses([world.at(ATTACKER).post("/login", WRONG) for _ in range(20)])
    assert (await world.at(HOME).post("/login", ALICE)).status_code == 200


@ON_MEMORY
async def test_a_known_place_has_a_limit_too(world: Any) -> None:
    await world.account()
    home = world.at(HOME)
    await home.log_in()
    assert await statuses([home.post("/login", WRONG) for _ in range(30)]) == {401: 10, 429: 20}


async def test_a_place_known_for_one_account_is_a_stranger_to_all_others(world: Any) -> None:
    await world.account()
    await world.account("mallory@example.com")
    mallory = world.at(ATTACKER)
    await mallory.log_in("mallory@example.com")
    assert await statuses([mallory.post("/login", WRONG) for _ in range(20)]) == {401: 5, 429: 15}


@ON_MEMORY
async def test_a_place_is_not_known_by_a_wrong_password_or_a_made_up_cookie(world: Any) -> None:
    await world.account()
    attacker = world.at(ATTACKER)
    await attacker.post("/login", WRONG)
    assert not attacker.client.cookies
    attacker.client.cookies.set("regstack-device-account", "A" * 22)
    assert (await statuses([attacker.post("/login", WRONG) for _ in range(20)]))[401] == 4


async def test_a_place_is_known_for_a_month_after_the_last_sign_in_from_it(world: Any) -> None:
    await world.account()
    home = world.at(HOME)
    for _ in range(3):
        await home.log_in()
        world.clock.advance(timedelta(days=29))
    await statuses([world.at(ATTACKER).post("/login", WRONG) for _ in range(6)])
    assert (await home.post("/login", ALICE)).status_code == 200


async def test_a_place_is_forgotten_after_two_months(world: Any) -> None:
    await world.account()
    home = world.at(HOME)
    await home.log_in()
    world.clock.advance(timedelta(days=60))
    await statuses([world.at(ATTACKER).post("/login", WRONG) for _ in range(6)])
    assert (await home.post("/login", ALICE)).status_code == 429


@ON_MEMORY
async def test_the_device_cookie_is_out_of_reach_of_scripts(make_world: Any) -> None:
    world = await make_world(base_url="https://app.example")
    await world.account()
    cookie = (await world.post("/login", ALICE)).headers["set-cookie"]
    assert cookie.startswith("__Host-regstack-device-account=")
    assert {"HttpOnly", "Secure", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))


def limited(**settings: Any) -> dict[str, Any]:
    return {"jwt_secret": "a root secret that only the tests know", "database_url": "memory://"} | settings


@pytest.mark.parametrize("text", ["", "5", "5/fortnight", "0/minute", "-1/minute", "5/minute;", "many"])
def test_a_limit_that_cannot_be_read_stops_the_start(text: str) -> None:
    from regstack import RegStackConfig

    with pytest.raises(ConfigurationError, match="verify_rate_limit cannot be read"):
        RegStack(RegStackConfig(**limited(verify_rate_limit=text)))


def test_limits_behind_an_uncounted_proxy_stop_the_start() -> None:
    from regstack import RegStackConfig

    with pytest.raises(ConfigurationError, match="trusted_proxy_count"):
        RegStack(RegStackConfig(**limited(verify_rate_limit="5/minute", behind_proxy=True)))


async def sign_in_often(world: Any, times: int) -> list[Any]:
    """Browsers that were all signed in once."""
    browsers = [world.at(f"203.0.113.{number}") for number in range(times)]
    for browser in browsers:
        await browser.log_in()
    return browsers


async def test_whoever_was_in_the_account_is_a_stranger_after_a_reset(world: Any) -> None:
    await world.account()
    thieves = await sign_in_often(world, 20)
    await world.post("/forgot-password", {"email": ALICE["email"]})
    body = {"token": await world.mailed_token(ALICE["email"]), "new_password": "another long password"}
    home = world.at(HOME)
    assert (await home.post("/reset-password", body)).status_code == 200
    guesses = [thief.post("/login", WRONG) for thief in thieves for _ in range(3)]
    assert (await statuses(guesses))[401] == 5
    await home.log_in(password="another long password")


@ON_MEMORY
async def test_a_change_of_the_password_keeps_the_place_that_it_was_made_from(world: Any) -> None:
    await world.account()
    (thief,) = await sign_in_often(world, 1)
    home = world.at(HOME)
    token = await home.log_in()
    body = {"current_password": ALICE["password"], "new_password": "another long password"}
    assert (await home.post("/change-password", body, token)).status_code == 200
    assert (await statuses([thief.post("/login", WRONG) for _ in range(20)]))[401] == 5
    await home.log_in(password="another long password")


@ON_MEMORY
async def test_the_owner_signs_in_from_a_known_place_as_often_as_wanted(world: Any) -> None:
    await world.account()
    home = world.at(HOME)
    await home.log_in()
    await statuses([world.at(ATTACKER).post("/login", WRONG) for _ in range(20)])
    for _ in range(8):
        await home.log_in()


async def test_the_owner_s_sign_ins_give_an_attacker_no_new_guesses(world: Any) -> None:
    await world.account()
    home, attacker = world.at(HOME), world.at(ATTACKER)
    await home.log_in()
    compared: Counter[int] = Counter()
    for _ in range(5):
        compared += await statuses([attacker.post("/login", WRONG) for _ in range(8)])
        await home.log_in()
    assert compared[401] == 5


async def test_what_a_network_is_refused_uses_up_nothing_of_an_account(make_world: Any) -> None:
    world = await make_world(forgot_password_rate_limit="3/minute")
    attacker = world.at(ATTACKER)
    await statuses([attacker.post("/forgot-password", {"email": f"{n}@example.com"}) for n in range(3)])
    await statuses([attacker.post("/forgot-password", {"email": ALICE["email"]}) for _ in range(20)])
    assert (await world.at(HOME).post("/forgot-password", {"email": ALICE["email"]})).status_code == 202


@ON_MEMORY
async def test_behind_an_uncounted_proxy_nobody_is_known_by_its_address(make_world: Any) -> None:
    world = await make_world(behind_proxy=True)
    await world.account()
    await world.at(HOME).log_in()
    stranger = world.at(HOME)
    assert (await statuses([stranger.post("/login", WRONG) for _ in range(20)]))[401] == 5
