"""Which plugin gets a database URL, and what is said where none does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from regstack.plugins.install_hints import install_hint

HOOKS_OF_ITS_OWN = """
@hookimpl
def regstack_install_schema(backend):
    async def install():
        return SchemaReport(revision="the hook's")
    return install()

@hookimpl
async def regstack_ping(backend):
    return PingReport(round_trip=timedelta(0), server_version="the hook's")
"""
MUST_NOT_RUN = """
@hookimpl(tryfirst=True)
def regstack_create_backend(config, clock):
    raise AssertionError("another plugin's URL")

regstack_install_schema = hookimpl(specname="regstack_install_schema")(lambda backend: 1 / 0)
"""
CREATE = """
import sys
from regstack.auth.clock import SystemClock
from regstack.config.schema import RegStackConfig
from regstack.plugins.registry import PluginRegistry

registry = PluginRegistry.discover()
try:
    backend = registry.create_backend(RegStackConfig(database_url=sys.argv[1]), SystemClock())
except Exception as error:
    print(type(error).__name__, "/", type(error.__cause__).__name__, "/", error)
else:
    print("built", type(backend).__module__)
"""
CALL = """
import asyncio, json
from regstack.auth.clock import SystemClock
from regstack.config.schema import RegStackConfig
from regstack.plugins.registry import PluginRegistry
import acme_one

config = RegStackConfig(database_url="one://")
registry = PluginRegistry.discover()

async def told(backend):
    return [
        (await registry.install_schema(backend)).revision, (await registry.ping(backend)).server_version
    ]

async def main():
    made = registry.create_backend(config, SystemClock())
    passed_in = acme_one.Sample(config=config, clock=SystemClock())
    print(json.dumps([await told(made), await told(passed_in)]))

asyncio.run(main())
"""


def create(distributions: Any, url: str, **environ: str) -> str:
    done = distributions.run("-c", CREATE, url, **environ)
    assert done.returncode == 0, done.stderr
    return str(done.stdout).strip()


@pytest.mark.parametrize("url", ["one://somewhere", "ONE://somewhere"])
def test_the_scheme_picks_one_plugin_and_no_other_is_called(distributions: Any, url: str) -> None:
    distributions.install_plugin("acme-one")
    distributions.install_plugin("acme-other", more=MUST_NOT_RUN)
    assert create(distributions, url) == "built acme_one"


def test_a_plugins_own_hooks_go_before_the_backends_methods(distributions: Any) -> None:
    distributions.install_plugin("acme-one", more=HOOKS_OF_ITS_OWN)
    distributions.install_plugin("acme-other", more=MUST_NOT_RUN)
    made, passed_in = json.loads(distributions.script(CALL))
    assert made == ["the hook's", "the hook's"]
    assert passed_in == ["the backend's own", "the backend's own"]


def test_without_hooks_the_backends_methods_answer(distributions: Any) -> None:
    distributions.install_plugin("acme-one")
    made, passed_in = json.loads(distributions.script(CALL))
    assert made == passed_in == ["the backend's own", "the backend's own"]


@pytest.mark.parametrize("scheme", ["mongodb", "mongodb+srv"])
def test_the_scheme_of_a_shipped_backend_is_told_which_extra_brings_it(scheme: str) -> None:
    assert 'pip install "regstack[mongo]>=1.0.0.dev0"' in install_hint(scheme)


def test_a_url_that_nobody_takes_is_told_what_is_installed_and_what_would_help(distributions: Any) -> None:
    distributions.install_plugin("acme-one")
    distributions.install("acme-broken", "raise RuntimeError('no')")
    told = create(distributions, "nosuch://user:s3cret@host/db", REGSTACK_DISABLE_BACKENDS="sqlite")
    assert told.startswith("BackendNotInstalled / NoneType / no installed backend takes nosuch://")
    assert "a backend for nosuch:// URLs" in told
    assert "one (ok, acme-one 1.2.3, one://)" in told
    assert "broken (broken, acme-broken 1.2.3)" in told
    assert "s3cret" not in told


@pytest.mark.parametrize("url", ["", "regstack.db", "user:s3cret@host/db", "sqlite:s3cret.db", "://s3cret"])
def test_a_url_without_a_scheme_is_told_what_a_url_looks_like(distributions: Any, url: str) -> None:
    distributions.install_plugin("acme-one")
    told = create(distributions, url)
    assert told.startswith("ConfigurationError / NoneType / database_url has no scheme")
    assert "sqlite+aiosqlite:///" in told
    assert "one://" in told
    assert "s3cret" not in told


def test_the_configured_plugin_that_is_broken_is_named_with_its_own_error(distributions: Any) -> None:
    distributions.install("acme-nosuch", "import a_driver_that_is_missing")
    told = create(distributions, "nosuch://user:s3cret@host/db")
    assert told.startswith("BackendPluginUnusable / ModuleNotFoundError / ")
    assert "'nosuch' (acme-nosuch 1.2.3)" in told
    assert "No module named 'a_driver_that_is_missing'" in told
    assert "pip install --force-reinstall acme-nosuch" in told
    assert "s3cret" not in told


@pytest.mark.parametrize(
    ("url", "state"), [("late://", "incompatible"), ("second://", "duplicate"), ("closed://", "blocked")]
)
def test_the_configured_plugin_that_may_not_be_used_says_why(
    distributions: Any, url: str, state: str
) -> None:
    distributions.install_plugin("acme-late", api_version=2)
    distributions.install_plugin("acme-first", schemes=("shared",))
    distributions.install_plugin("acme-second", schemes=("shared", "second"))
    distributions.install_plugin("acme-closed")
    told = create(distributions, url, REGSTACK_DISABLE_BACKENDS="closed")
    assert told.startswith("BackendPluginUnusable")
    assert f"takes {url} URLs and is {state}: " in told


def test_a_scheme_that_two_want_goes_to_the_first(distributions: Any) -> None:
    distributions.install_plugin("acme-first", schemes=("shared",))
    distributions.install_plugin("acme-second", schemes=("shared", "second"))
    assert create(distributions, "shared://") == "built acme_first"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("import a_driver_that_is_missing", "BackendPluginUnusable / ModuleNotFoundError / "),
        ("return None", "BackendPluginUnusable / NoneType / "),
        (
            "raise ValueError('bad url ' + config.database_url.get_secret_value())",
            "BackendPluginUnusable / NoneType / ",
        ),
        ("raise ValueError('bad password s3 cret')", "BackendPluginUnusable / NoneType / "),
        (
            "from regstack.errors import ConfigurationError; raise ConfigurationError('no such path')",
            "ConfigurationError / NoneType / no such path",
        ),
    ],
)
def test_a_plugin_that_cannot_build_its_backend_says_why_without_secrets(
    distributions: Any, body: str, expected: str
) -> None:
    more = f"@hookimpl\ndef regstack_create_backend(config, clock):\n    {body}\n"
    distributions.install_plugin("acme-one", more=more)
    told = create(distributions, "one://user:s3%20cret@host/db")
    assert told.startswith(expected)
    assert "s3%20cret" not in told
    assert "s3 cret" not in told


def test_two_registries_do_not_share_anything(distributions: Any) -> None:
    distributions.install_plugin("acme-one")
    script = (
        "from regstack.plugins.registry import PluginRegistry\n"
        "a = PluginRegistry.discover(environ={'REGSTACK_DISABLE_BACKENDS': 'one'})\n"
        "b = PluginRegistry.discover(environ={})\n"
        "for r in (a, b): print(*(x.state for x in r.records if x.name == 'one'))\n"
    )
    assert distributions.script(script).split() == ["blocked", "ok"]
