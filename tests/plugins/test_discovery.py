"""Every state of a plugin, with a real installed distribution for each."""

from __future__ import annotations

from typing import Any

import pytest

UNKNOWN_HOOK = """
@hookimpl
def regstack_create_backnd(config, clock):
    return None
"""
UNKNOWN_BUT_OPTIONAL_HOOK = UNKNOWN_HOOK.replace("@hookimpl", "@hookimpl(optionalhook=True)")
WRONG_ARGUMENT = """
@hookimpl
def regstack_ping(backend, colour):
    return None
"""
NOT_AN_INFO = """
from regstack import hookimpl

@hookimpl
def regstack_backend_info():
    return {"name": "dictionary"}
"""
INFO_ONLY = """
from regstack import hookimpl
from regstack.backends.base import BackendInfo

@hookimpl
def regstack_backend_info():
    return BackendInfo(
        name="half", url_schemes=("half",), api_version=1, capabilities=frozenset(), summary="", driver=""
    )
"""


def test_a_good_plugin_is_ok_and_described(distributions: Any) -> None:
    distributions.install_plugin("acme-warehouse", schemes=("warehouse", "warehouse+fast"))
    assert distributions.records()["acme-warehouse"] == {
        "name": "warehouse",
        "state": "ok",
        "distribution": "acme-warehouse",
        "version": "1.2.3",
        "entry_point": "acme_warehouse",
        "api_version": 1,
        "url_schemes": ["warehouse", "warehouse+fast"],
        "capabilities": ["oauth"],
        "summary": "a sample",
        "driver": "none",
        "reason": "",
        "next_step": "",
    }


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (
            "raise RuntimeError('it does not feel like it\\nand goes on')",
            "RuntimeError: it does not feel like it and goes on",
        ),
        (
            "import a_driver_that_is_missing",
            "ModuleNotFoundError: No module named 'a_driver_that_is_missing'",
        ),
        ("def broken(:", "SyntaxError: "),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("import asyncio; raise asyncio.CancelledError", "asyncio.exceptions.CancelledError"),
        ("raise ValueError('\\x1b[31mred\\u202e')", "ValueError: [31mred"),
        ("answer = 42", "it does not implement the hook regstack_backend_info"),
        (NOT_AN_INFO, "its regstack_backend_info returned dict, not a BackendInfo"),
        (INFO_ONLY, "it does not implement the hook regstack_create_backend"),
        (INFO_ONLY.replace("api_version=1", "api_version=None"), "its BackendInfo has the wrong type of api"),
        (INFO_ONLY.replace('("half",)', "7"), "its BackendInfo has the wrong type of url_schemes"),
        (INFO_ONLY.replace('("half",)', "(7,)"), "its BackendInfo has the wrong type of url_schemes"),
        (INFO_ONLY.replace('"half"', '["half"]', 1), "its BackendInfo has the wrong type of name"),
    ],
)
def test_a_broken_plugin_is_reported_with_a_next_step_and_harms_nothing(
    distributions: Any, source: str, reason: str
) -> None:
    distributions.install("acme-broken", source)
    distributions.install_plugin("acme-good")
    records = distributions.records()
    broken = records["acme-broken"]
    assert broken["state"] == "broken"
    assert broken["reason"].startswith(reason)
    assert "\n" not in broken["reason"]
    assert broken["next_step"]
    assert records["acme-good"]["state"] == "ok"
    assert records["regstack"]["state"] == "ok"


def test_a_missing_dependency_is_told_how_to_be_installed(distributions: Any) -> None:
    distributions.install("acme-broken", "import a_driver_that_is_missing")
    assert "pip install --force-reinstall acme-broken" in distributions.records()["acme-broken"]["next_step"]


@pytest.mark.parametrize(
    ("more", "reason"), [(UNKNOWN_HOOK, "regstack_create_backnd"), (WRONG_ARGUMENT, "PluginValidationError")]
)
def test_a_plugin_that_does_not_fit_the_hooks_is_broken(distributions: Any, more: str, reason: str) -> None:
    distributions.install_plugin("acme-typo", more=more)
    record = distributions.records()["acme-typo"]
    assert record["state"] == "broken"
    assert reason in record["reason"]


def test_an_unknown_hook_that_is_marked_optional_does_no_harm(distributions: Any) -> None:
    distributions.install_plugin("acme-newer", more=UNKNOWN_BUT_OPTIONAL_HOOK)
    assert distributions.records()["acme-newer"]["state"] == "ok"


def test_schemes_must_be_written_as_urls_have_them(distributions: Any) -> None:
    distributions.install_plugin("acme-shouting", schemes=("SHOUT",))
    record = distributions.records()["acme-shouting"]
    assert (record["state"], "SHOUT" in record["reason"]) == ("broken", True)


@pytest.mark.parametrize(("api_version", "older"), [(99, "regstack"), (0, "acme-other")])
def test_another_api_version_is_incompatible_and_says_what_to_upgrade(
    distributions: Any, api_version: int, older: str
) -> None:
    distributions.install_plugin("acme-other", api_version=api_version, more=UNKNOWN_HOOK)
    record = distributions.records()["acme-other"]
    assert record["state"] == "incompatible"
    assert f"API {api_version}" in record["reason"]
    assert record["next_step"].endswith(f"pip install --upgrade {older}")


def test_the_second_of_one_name_is_a_duplicate_whatever_order_they_were_installed_in(
    distributions: Any,
) -> None:
    distributions.install_plugin("acme-zebra", name="warehouse", schemes=("z",), entry_point="warehouse")
    distributions.install_plugin("acme-aardvark", name="warehouse", schemes=("a",), entry_point="warehouse")
    records = distributions.records()
    assert records["acme-aardvark"]["state"] == "ok"
    assert records["acme-zebra"]["state"] == "duplicate"
    assert "acme-aardvark 1.2.3" in records["acme-zebra"]["reason"]


def test_the_second_of_one_scheme_is_a_duplicate(distributions: Any) -> None:
    distributions.install_plugin("acme-one", schemes=("one", "shared"))
    distributions.install_plugin("acme-two", schemes=("shared", "two"))
    records = distributions.records()
    assert (records["acme-one"]["state"], records["acme-two"]["state"]) == ("ok", "duplicate")
    assert "shared://" in records["acme-two"]["reason"]


def test_what_is_broken_takes_no_name_from_others(distributions: Any) -> None:
    distributions.install("acme-aardvark", "raise RuntimeError", entry_point="warehouse")
    distributions.install_plugin("acme-zebra", name="warehouse", entry_point="warehouse")
    records = distributions.records()
    assert (records["acme-aardvark"]["state"], records["acme-zebra"]["state"]) == ("broken", "ok")


def test_a_blocked_plugin_is_not_even_imported(distributions: Any) -> None:
    distributions.install("acme-blocked", "open('imported', 'w').close()")
    distributions.install_plugin("acme-good")
    records = distributions.records(REGSTACK_DISABLE_BACKENDS="blocked, nothing-of-that-name")
    assert records["acme-blocked"]["state"] == "blocked"
    assert "REGSTACK_DISABLE_BACKENDS" in records["acme-blocked"]["next_step"]
    assert records["acme-good"]["state"] == "ok"
    assert not (distributions.folder / "imported").exists()
    distributions.records()
    assert (distributions.folder / "imported").exists()


def test_blocking_goes_by_the_described_name_as_well(distributions: Any) -> None:
    distributions.install_plugin("acme-other", name="warehouse")
    record = distributions.records(REGSTACK_DISABLE_BACKENDS="warehouse")["acme-other"]
    assert (record["state"], record["name"]) == ("blocked", "warehouse")
    assert "'warehouse'" in record["next_step"]


def test_unreadable_metadata_of_a_stranger_hides_no_plugin(distributions: Any) -> None:
    distributions.install_plugin("acme-good")
    for name, content in (
        ("garbage", b"[regstack.backends]\nneither name nor value\n"),
        ("bytes", b"\xff\xfe["),
    ):
        stranger = distributions.folder / f"{name}-1.0.dist-info"
        stranger.mkdir()
        (stranger / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (stranger / "entry_points.txt").write_bytes(content)
    records = distributions.records()
    assert records["acme-good"]["state"] == "ok"
    assert records["regstack"]["state"] == "ok"


def test_a_plugin_without_metadata_is_still_found(distributions: Any) -> None:
    distributions.install_plugin("acme-bare")
    (distributions.folder / "acme_bare-1.2.3.dist-info" / "METADATA").unlink()
    assert distributions.records()[""]["name"] == "bare"


def test_what_a_plugin_prints_does_not_spoil_the_json(distributions: Any) -> None:
    distributions.install_plugin("acme-chatty", more="\nprint('hello')\n")
    assert distributions.records()["acme-chatty"]["state"] == "ok"


def test_strict_makes_every_plugin_that_is_not_ok_fatal(distributions: Any) -> None:
    distributions.install("acme-broken", "raise RuntimeError('no')")
    discover = "from regstack.plugins.registry import PluginRegistry; PluginRegistry.discover()"
    assert distributions.run("-c", discover).returncode == 0
    assert distributions.run("-c", discover, REGSTACK_STRICT_PLUGINS="0").returncode == 0
    strict = distributions.run("-c", discover, REGSTACK_STRICT_PLUGINS="1")
    assert strict.returncode == 1
    assert "BackendPluginUnusable: REGSTACK_STRICT_PLUGINS is set, and:" in strict.stderr
    assert "'broken' (acme-broken 1.2.3) must be ok and is broken: RuntimeError: no" in strict.stderr


def test_the_listing_shows_what_strict_would_refuse(distributions: Any) -> None:
    distributions.install("acme-broken", "raise RuntimeError('no')")
    assert distributions.records(REGSTACK_STRICT_PLUGINS="1")["acme-broken"]["state"] == "broken"


def test_the_listing_for_people_has_a_line_for_each_plugin(distributions: Any) -> None:
    distributions.install("acme-broken", "raise RuntimeError('no')")
    done = distributions.run("-m", "regstack.cli", "doctor", "--list-backends")
    header, *lines = done.stdout.splitlines()
    assert header.split() == ["NAME", "STATE", "DISTRIBUTION", "API", "SCHEMES", "DETAIL"]
    (broken,) = (line for line in lines if line.startswith("broken"))
    assert broken.split()[:4] == ["broken", "broken", "acme-broken", "1.2.3"]
    assert "RuntimeError: no →" in broken
