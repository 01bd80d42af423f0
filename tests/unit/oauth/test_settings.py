"""From settings to clients: what is needed, what is refused at start, where values come from."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from regstack import extras
from regstack.auth.clock import SystemClock
from regstack.config.schema import OAuthConfig, RegStackConfig
from regstack.errors import ConfigurationError
from regstack.oauth.providers import make_providers

MARK = "hush-hush-hush"
TENANT = "11111111-2222-3333-4444-555555555555"
GOOD: dict[str, dict[str, Any]] = {
    "oidc": {"client_id": "a", "client_secret": MARK, "issuer": "https://a.example"},
    "google": {"client_id": "a", "client_secret": MARK},
    "microsoft": {"client_id": "a", "client_secret": MARK, "tenant": "common"},
    "github": {"client_id": "a", "client_secret": MARK},
    "apple": {"client_id": "a", "team_id": "T", "key_id": "K", "private_key": MARK},
}


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(**settings: Any) -> OAuthConfig:
    return RegStackConfig.load(oauth={"providers": {"acme": settings}}).oauth


@pytest.mark.parametrize("kind", GOOD)
def test_each_kind_needs_its_parts_and_no_more(kind: str) -> None:
    assert load(kind=kind, **GOOD[kind]).providers["acme"].kind == kind
    for setting in GOOD[kind]:
        with pytest.raises(ConfigurationError, match=setting) as caught:
            load(kind=kind, **{name: value for name, value in GOOD[kind].items() if name != setting})
        assert MARK not in str(caught.value)


WRONG = [
    ({"issuer": "http://a.example"}, "issuer: write an https"),
    ({"issuer": "a.example"}, "issuer: write an https"),
    ({"issuer": f"https://user:{MARK}@a.example"}, "issuer: must not hold"),
    ({"issuer": "https://a.example/.well-known/openid-configuration"}, "issuer: leave"),
    ({"redirect_uri": "http://a.example/callback"}, "redirect_uri: write an https"),
    ({"client_secret": " "}, "client_secret: must not be empty"),
    ({"client_id": ""}, "client_id"),
    ({"kind": "facebook"}, "kind"),
    ({"tenant": "common"}, 'tenant belongs to kind = "microsoft"'),
    ({"team_id": "T"}, 'team_id belongs to kind = "apple"'),
    ({"api_url": "https://a.example"}, 'api_url belongs to kind = "github"'),
    ({"token_endpoint_auth_method": "none"}, "sends no client_secret"),
    ({"token_endpoint_auth_method": "private_key_jwt"}, "token_endpoint_auth_method"),
    ({"no_such_setting": MARK}, "no_such_setting"),
    (
        GOOD["microsoft"] | {"kind": "microsoft", "issuer": None, "tenant": "contoso.com"},
        "tenant is the directory",
    ),
    (GOOD["microsoft"] | {"kind": "microsoft", "issuer": None, "trust_email": True}, "the id of one tenant"),
    (GOOD["apple"] | {"kind": "apple", "client_secret": MARK}, "Apple has no client_secret"),
]


@pytest.mark.parametrize(("change", "message"), WRONG, ids=[message for _, message in WRONG])
def test_what_cannot_work_is_told_at_start(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=r"oauth\.providers\.acme") as caught:
        load(**GOOD["oidc"] | change)
    assert message in str(caught.value)
    assert MARK not in str(caught.value)


@pytest.mark.parametrize("name", ["Acme", "a_b", "", "x" * 33, "a/b", "ü", "a.b", "a\n"])
def test_a_name_that_does_not_fit_a_url_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="providers"):
        RegStackConfig.load(oauth={"providers": {name: GOOD["google"] | {"kind": "google"}}})


def test_one_tenant_may_be_trusted_with_its_addresses() -> None:
    settings = GOOD["microsoft"] | {"kind": "microsoft", "tenant": TENANT, "trust_email": True}
    assert load(**settings).providers["acme"].trust_email is True


def test_a_public_client_has_no_secret() -> None:
    assert load(client_id="a", issuer="https://a.example", token_endpoint_auth_method="none")


def test_the_settings_of_0_9_make_google(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGSTACK_OAUTH__GOOGLE_CLIENT_ID", "a")
    monkeypatch.setenv("REGSTACK_OAUTH__GOOGLE_CLIENT_SECRET", MARK)
    monkeypatch.setenv("REGSTACK_OAUTH__GOOGLE_REDIRECT_URI", "https://a.example/callback")
    google = make_providers(RegStackConfig.load().oauth, SystemClock())["google"]
    assert (google.name, google.label) == ("google", "Google")
    assert google.redirect_uri == "https://a.example/callback"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"google_client_id": "a"}, "set both"),
        ({"google_client_secret": MARK}, "set both"),
        (
            {
                "google_client_id": "a",
                "google_client_secret": MARK,
                "google_redirect_uri": "http://a.example",
            },
            "redirect_uri: write an https",
        ),
        (
            {
                "google_client_id": "a",
                "google_client_secret": MARK,
                "providers": {"google": GOOD["google"] | {"kind": "google"}},
            },
            "set twice",
        ),
    ],
)
def test_half_of_google_or_two_of_it_are_refused(settings: dict[str, Any], message: str) -> None:
    config = RegStackConfig.load(oauth=settings).oauth
    with pytest.raises(ConfigurationError, match=message) as caught:
        make_providers(config, SystemClock())
    assert MARK not in str(caught.value)


def test_a_provider_is_merged_from_all_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("regstack.toml").write_text(
        '[oauth.providers.acme]\nissuer = "https://a.example"\nclient_id = "toml"\nlabel = "Acme"\n', "utf-8"
    )
    Path("regstack.secrets.env").write_text(
        f"REGSTACK_OAUTH__PROVIDERS__ACME__CLIENT_SECRET={MARK}\n", "utf-8"
    )
    monkeypatch.setenv("REGSTACK_OAUTH__PROVIDERS__ACME__CLIENT_ID", "12345")
    monkeypatch.setenv("REGSTACK_OAUTH__PROVIDERS__ACME__TRUST_EMAIL", "false")
    config = RegStackConfig.load()
    acme = config.oauth.providers["acme"]
    assert (acme.issuer, acme.client_id, acme.label, acme.trust_email) == (
        "https://a.example",
        "12345",
        "Acme",
        False,
    )
    assert acme.client_secret is not None
    assert acme.client_secret.get_secret_value() == MARK
    assert MARK not in f"{config!r} {config} {config.model_dump()} {config.model_dump_json()}"


def test_every_block_of_the_page_is_a_provider_once_its_secret_is_there() -> None:
    page = (Path(__file__).parents[3] / "docs" / "social-sign-in.md").read_text("utf-8")
    blocks = re.findall(r"^```toml\n(\[.*?)^```", page, re.MULTILINE | re.DOTALL)
    config = tomllib.loads("".join(blocks))
    for provider in config["oauth"]["providers"].values():
        provider["private_key" if provider.get("kind") == "apple" else "client_secret"] = MARK
    providers = RegStackConfig.load(**config).oauth.providers
    assert {provider.kind for provider in providers.values()} == set(GOOD)


def test_providers_keep_the_order_of_the_settings() -> None:
    names = ["zeta", "alpha", "mid"]
    config = OAuthConfig.model_validate(
        {"providers": {name: GOOD["google"] | {"kind": "google"} for name in names}}
    )
    assert list(make_providers(config, SystemClock())) == names


@pytest.mark.parametrize("missing", ["httpx2", "authlib"])
def test_a_missing_extra_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    def import_module(name: str) -> Any:
        if name.startswith(missing):
            raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)
        return sys.modules[name]

    config = load(**GOOD["oidc"])
    make_providers(config, SystemClock())
    monkeypatch.setattr(extras, "import_module", import_module)
    with pytest.raises(ConfigurationError, match=r'pip install "regstack\[oauth\]>=1') as caught:
        make_providers(config, SystemClock())
    assert missing in str(caught.value)


def test_the_extra_is_imported_for_a_client_alone() -> None:
    script = "import sys, json, regstack.oauth.providers; print(json.dumps(sorted(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=True
    )
    roots = {name.partition(".")[0] for name in json.loads(run.stdout)}
    assert not roots & {"authlib", "httpx", "httpx2", "fastapi", "starlette"}
