from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from regstack import RegStackConfig
from regstack.errors import ConfigurationError
from regstack.ui.headers import page_headers

pytestmark = pytest.mark.anyio


def policy(**settings: Any) -> str:
    return page_headers(RegStackConfig(database_url="memory://", **settings))["Content-Security-Policy"]


async def test_the_stylesheet_is_served(browser: Any) -> None:
    page = await browser.open("login")
    (link,) = page.markup.all("link")
    answer = await browser.client.get(link["href"])
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/css")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "prefers-color-scheme: dark" in answer.text
    assert (await browser.client.get("/regstack-static/../assets.py")).status_code == 404


async def test_the_brand_of_the_host_is_shown(make_browser: Any) -> None:
    browser = await make_browser(
        app_name="Bücher & <Mehr>",
        theme_css_url="https://cdn.example.com/theme.css?v=1",
        brand_logo_url="/brand/logo.svg",
        brand_tagline="Read more",
    )
    page = await browser.open("login")
    assert page.title == "Sign in – Bücher & <Mehr>"
    assert "<Mehr>" not in page.html
    assert [link["href"] for link in page.markup.all("link")][1] == "https://cdn.example.com/theme.css?v=1"
    assert page.markup.all("img")[0]["src"] == "/brand/logo.svg"
    assert "Read more" in page.html
    csp = page.answer.headers["content-security-policy"]
    assert "style-src 'self' https://cdn.example.com;" in csp
    assert "img-src 'self' data:;" in csp


async def test_a_template_of_the_host_goes_before_the_shipped_one(make_browser: Any, tmp_path: Path) -> None:
    configured, added = tmp_path / "configured", tmp_path / "added"
    for folder, text in ((configured, "configured"), (added, "added")):
        (folder / "pages").mkdir(parents=True)
        (folder / "pages" / "login.html").write_text(
            "{% extends 'pages/base.html' %}{% block title %}" + text + "{% endblock %}"
        )
    browser = await make_browser(extra_template_dirs=(configured,))
    assert (await browser.open("login")).heading == "configured"
    browser.rs.add_template_dir(added)
    assert (await browser.open("login")).heading == "added"
    assert (await browser.open("register")).heading == "Create an account"


@pytest.mark.parametrize(
    ("url", "source"),
    [
        ("/brand/theme.css", ""),
        ("theme.css", ""),
        ("https://cdn.example.com/theme.css", " https://cdn.example.com"),
        ("https://CDN.example.com:8443/theme.css", " https://cdn.example.com:8443"),
        ("//cdn.example.com/theme.css", " cdn.example.com"),
        ("http://[::1]:8000/theme.css", " http://[::1]:8000"),
        ("https://cdn.example.com/a;b,c d.css", " https://cdn.example.com"),
    ],
)
def test_the_policy_lets_in_the_origin_of_the_theme_and_no_more(url: str, source: str) -> None:
    assert f"; style-src 'self'{source}; " in policy(theme_css_url=url)


@pytest.mark.parametrize(
    "url",
    [
        "https://cdn.example.com;script-src *",
        "https://cdn.example.com; script-src */theme.css",
        "https://cdn.example.com,script-src",
        "https://*/theme.css",
        "https://*.example.com/theme.css",
        "https://user@cdn.example.com/theme.css",
        "https://cdn.example.com 'unsafe-inline'/theme.css",
        "https://'unsafe-inline'/theme.css",
        "https://cdn.example.com:port/theme.css",
        "https:theme.css",
        "https:///theme.css",
        "javascript:alert(1)",
        "data:text/css,*{}",
        "ftp://cdn.example.com/theme.css",
        "https://[evil/theme.css",
        "https://b\u00fccher.example/theme.css",
    ],
)
def test_settings_cannot_write_into_the_policy(url: str) -> None:
    for setting in ("theme_css_url", "brand_logo_url"):
        with pytest.raises(ConfigurationError, match=setting):
            policy(**{setting: url})


def test_a_logo_may_be_part_of_the_page() -> None:
    csp = policy(brand_logo_url="data:image/png;base64,AAAA; script-src *")
    assert "; img-src 'self' data:; " in csp
    assert "script-src" not in csp


def test_the_policy_is_one_line() -> None:
    assert policy(brand_logo_url="https://cdn.example.com/\r\nSet-Cookie: a=b").isprintable()
