from __future__ import annotations

import pytest

from regstack.config.schema import RegStackConfig
from regstack.email.links import MailLinks

BASE = "https://app.example.com"


def links(**values: object) -> MailLinks:
    return MailLinks(RegStackConfig(**{"base_url": BASE, **values}))


def test_links_open_the_pages_under_the_base_url():
    assert links().verify("T") == f"{BASE}/account/verify?token=T"
    assert links().reset("T") == f"{BASE}/account/reset?token=T"
    assert links().confirm_email_change("T") == f"{BASE}/account/confirm-email-change?token=T"


@pytest.mark.parametrize(
    ("values", "start"),
    [
        ({"ui_prefix": "/me"}, f"{BASE}/me/verify"),
        ({"ui_prefix": "/me", "email_link_prefix": "/app/auth"}, f"{BASE}/app/auth/verify"),
        ({"email_link_prefix": ""}, f"{BASE}/verify"),
        ({"base_url": f"{BASE}/site/"}, f"{BASE}/site/account/verify"),
    ],
)
def test_the_prefix_of_mailed_links_can_be_set(values, start):
    assert links(**values).verify("T") == f"{start}?token=T"


def test_a_template_of_a_link_is_filled_literally():
    made = links(
        verify_url_template="{base_url}/#/verify/{token}?keep={this}&{0}&{token.__class__}",
        password_reset_url_template="acme://reset/{token}",
        email_change_url_template="https://other.example/{token}/{token}",
    )
    assert made.verify("T") == f"{BASE}/#/verify/T?keep={{this}}&{{0}}&{{token.__class__}}"
    assert made.reset("T") == "acme://reset/T"
    assert made.confirm_email_change("T") == "https://other.example/T/T"


def test_a_token_cannot_leave_its_place_in_the_link():
    assert links().verify("a&b=c/#{base_url}") == f"{BASE}/account/verify?token=a%26b%3Dc%2F%23%7Bbase_url%7D"
    assert links().verify("aZ09_-") == f"{BASE}/account/verify?token=aZ09_-"
