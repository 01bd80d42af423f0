"""Transports of mails and texts: found, isolated and picked, with a real installed distribution for each."""

from __future__ import annotations

from typing import Any

import pytest

CREATE = """
import json, sys
from regstack.config.schema import RegStackConfig
from regstack.plugins.transports import TransportRegistry

registry = TransportRegistry.discover()
config = RegStackConfig(**json.loads(sys.argv[2]))
try:
    kind = sys.argv[1]
    service = getattr(registry, f"create_{kind}_service")(getattr(config, kind))
except Exception as error:
    print(type(error).__name__, "/", type(error.__cause__).__name__, "/", error)
else:
    print("built", type(service).__module__)
"""
START = """
from regstack import RegStack, RegStackConfig
rs = RegStack(RegStackConfig(database_url="memory://", jwt_secret="x" * 32))
print(type(rs.email).__module__, type(rs.sms).__module__)
"""


def create(distributions: Any, kind: str, settings: str, **environ: str) -> str:
    done = distributions.run("-c", CREATE, kind, settings, **environ)
    assert done.returncode == 0, done.stderr
    return str(done.stdout).strip()


def test_the_transports_of_regstack_itself_go_through_the_same_hooks(distributions: Any) -> None:
    records = distributions.transports()
    assert {(record["kind"], name, record["library"]) for name, record in records.items()} == {
        ("email", "console", ""),
        ("email", "smtp", "aiosmtplib"),
        ("email", "ses", "boto3"),
        ("sms", "null", ""),
        ("sms", "sns", "boto3"),
        ("sms", "twilio", "httpx2"),
    }
    assert {record["state"] for record in records.values()} == {"ok"}


def test_a_good_plugin_is_ok_and_described(distributions: Any) -> None:
    distributions.install_transport("acme-pigeon", kind="sms")
    assert distributions.transports()["acme-pigeon"] == {
        "name": "pigeon",
        "kind": "sms",
        "state": "ok",
        "distribution": "acme-pigeon",
        "version": "1.2.3",
        "entry_point": "acme_pigeon",
        "api_version": 1,
        "library": "pigeon",
        "summary": "a sample",
        "reason": "",
        "next_step": "",
    }


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("email", '{"email": {"backend": "pigeon", "options": {"loft": "7"}}}'),
        ("sms", '{"sms": {"backend": "pigeon"}}'),
    ],
)
def test_the_setting_picks_the_plugin_of_its_kind(distributions: Any, kind: str, settings: str) -> None:
    distributions.install_transport("acme-mail", name="pigeon", kind="email")
    distributions.install_transport("acme-text", name="pigeon", kind="sms")
    assert create(distributions, kind, settings) == f"built acme_{'mail' if kind == 'email' else 'text'}"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import a_library_that_is_missing", "ModuleNotFoundError: No module named"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("answer = 42", "it does not implement the hook regstack_transport_info"),
    ],
)
def test_a_broken_transport_stops_nothing_that_does_not_ask_for_it(
    distributions: Any, source: str, reason: str
) -> None:
    distributions.install("acme-broken", source, group="regstack.transports")
    broken = distributions.transports()["acme-broken"]
    assert (broken["state"], broken["kind"]) == ("broken", None)
    assert broken["reason"].startswith(reason)
    assert broken["next_step"]
    done = distributions.run("-c", START)
    assert done.stdout.split() == ["regstack.email.console", "regstack.sms.null"], done.stderr
    asked = create(distributions, "sms", '{"sms": {"backend": "broken"}}')
    assert asked.startswith("TransportPluginUnusable / ")
    assert (
        f"'broken' (acme-broken 1.2.3) is asked for by sms.backend = \"broken\" and is broken: {reason}"
        in asked
    )


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (("regstack_create_email_service", "create"), "does not implement the hook regstack_create_email_s"),
        (("TransportKind('email')", "'email'"), "its TransportInfo has the wrong type of kind"),
        (("name='odd'", "name=''"), "its TransportInfo has no name"),
        (
            ("regstack_create_email_service", "regstack_create_mail_service"),
            "unknown hooks: regstack_create_m",
        ),
    ],
)
def test_a_transport_that_does_not_fit_the_hooks_is_broken(
    distributions: Any, changed: tuple[str, str], reason: str
) -> None:
    distributions.install_transport("acme-odd")
    module = distributions.folder / "acme_odd.py"
    text = module.read_text()
    if changed[1] == "create":
        text = text.replace("@hookimpl\ndef regstack_create_email", "def regstack_create_email")
    module.write_text(text.replace(*changed))
    record = distributions.transports()["acme-odd"]
    assert record["state"] == "broken"
    assert reason in record["reason"]


def test_another_api_version_is_incompatible(distributions: Any) -> None:
    distributions.install_transport("acme-late", api_version=2)
    assert distributions.transports()["acme-late"]["state"] == "incompatible"


def test_a_name_of_one_kind_is_taken_once_and_the_second_is_told_by_whom(distributions: Any) -> None:
    distributions.install_transport("acme-zebra", name="pigeon", entry_point="pigeon")
    distributions.install_transport("acme-aardvark", name="pigeon", entry_point="pigeon")
    distributions.install_transport("acme-texts", name="pigeon", kind="sms", entry_point="pigeon")
    records = distributions.transports()
    assert [records[f"acme-{name}"]["state"] for name in ("aardvark", "zebra", "texts")] == [
        "ok",
        "duplicate",
        "ok",
    ]
    assert "email transport 'pigeon' is taken by acme-aardvark 1.2.3" in records["acme-zebra"]["reason"]


def test_nobody_takes_the_name_of_a_shipped_transport(distributions: Any) -> None:
    distributions.install_transport("acme-aaa", name="smtp")
    records = distributions.transports()
    assert (records["acme-aaa"]["state"], records["smtp"]["state"]) == ("duplicate", "ok")


def test_a_blocked_transport_is_not_even_imported(distributions: Any) -> None:
    distributions.install("acme-blocked", "open('imported', 'w').close()", group="regstack.transports")
    record = distributions.transports(REGSTACK_DISABLE_TRANSPORTS="blocked")["acme-blocked"]
    assert record["state"] == "blocked"
    assert "REGSTACK_DISABLE_TRANSPORTS" in record["next_step"]
    assert not (distributions.folder / "imported").exists()


def test_a_name_that_nobody_has_is_told_what_is_installed_and_what_would_help(distributions: Any) -> None:
    distributions.install_transport("acme-pigeon")
    told = create(distributions, "email", '{"email": {"backend": "owl"}}')
    assert told.startswith(
        'TransportNotInstalled / NoneType / no installed transport takes email.backend = "owl".'
    )
    assert "pigeon (ok, acme-pigeon 1.2.3, with pigeon)" in told
    assert "console (ok, regstack " in told
    assert "twilio" not in told
    assert 'pip install "regstack[ses]>=1.0.0.dev0"' in told


def test_a_name_of_the_other_kind_is_told_where_it_belongs(distributions: Any) -> None:
    told = create(distributions, "email", '{"email": {"backend": "twilio"}}')
    assert "'twilio' belongs in sms.backend" in told


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            "raise ValueError(config.options['key'].get_secret_value())",
            "TransportPluginUnusable / NoneType / ",
        ),
        ("import a_library_that_is_missing", "TransportPluginUnusable / ModuleNotFoundError / "),
        ("return 'pigeon'", "TransportPluginUnusable / NoneType / "),
        (
            "from regstack.errors import ConfigurationError; raise ConfigurationError('no loft')",
            "ConfigurationError / NoneType / no loft",
        ),
    ],
)
def test_a_transport_that_cannot_be_built_says_why_without_secrets(
    distributions: Any, body: str, expected: str
) -> None:
    more = f"@hookimpl\ndef regstack_create_email_service(config):\n    {body}\n"
    distributions.install_transport("acme-pigeon", more=more)
    told = create(distributions, "email", '{"email": {"backend": "pigeon", "options": {"key": "s3cret"}}}')
    assert told.startswith(expected)
    assert "s3cret" not in told


def test_options_come_from_the_environment_and_are_shown_to_nobody(distributions: Any) -> None:
    more = (
        "@hookimpl\ndef regstack_create_email_service(config):\n"
        "    print({key: value.get_secret_value() for key, value in config.options.items()}, config)\n"
        "    return Sample(config)\n"
    )
    distributions.install_transport("acme-pigeon", more=more)
    told = create(
        distributions,
        "email",
        '{"email": {"backend": "pigeon"}}',
        REGSTACK_EMAIL__OPTIONS__API_KEY="012345",
        REGSTACK_EMAIL__OPTIONS__LOFT="42",
    )
    assert "{'api_key': '012345', 'loft': '42'}" in told
    assert told.count("012345") == 1


@pytest.mark.parametrize("settings", ['{"sms": {"options": {"key": "s3cret"}}}'])
def test_a_shipped_transport_takes_no_options(distributions: Any, settings: str) -> None:
    told = create(distributions, "sms", settings)
    assert told.startswith('ConfigurationError / NoneType / sms.backend = "null" takes no sms.options')


def test_strict_makes_a_transport_that_is_not_ok_fatal_to_every_start(distributions: Any) -> None:
    distributions.install("acme-broken", "raise RuntimeError('no')", group="regstack.transports")
    assert distributions.run("-c", START).returncode == 0
    strict = distributions.run("-c", START, REGSTACK_STRICT_PLUGINS="1")
    assert strict.returncode == 1
    assert "TransportPluginUnusable: REGSTACK_STRICT_PLUGINS is set, and:" in strict.stderr


def test_the_listing_for_people_has_a_line_for_each_plugin(distributions: Any) -> None:
    distributions.install("acme-broken", "raise RuntimeError('no')", group="regstack.transports")
    done = distributions.run("-m", "regstack.cli", "doctor", "--list-transports")
    header, *lines = done.stdout.splitlines()
    assert header.split() == ["KIND", "NAME", "STATE", "DISTRIBUTION", "API", "LIBRARY", "DETAIL"]
    (broken,) = (line for line in lines if line.split()[1] == "broken")
    assert "RuntimeError: no →" in broken
    assert len(lines) == 7
