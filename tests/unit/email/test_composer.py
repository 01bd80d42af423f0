from __future__ import annotations

import html
import re
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2
import pytest

from regstack.config.schema import RegStackConfig
from regstack.email.composer import TEMPLATES, MailComposer, duration
from regstack.errors import ConfigurationError

if TYPE_CHECKING:
    from regstack.email.message import MailMessage

TOKEN = "aZ09_-" * 7
WITH_LINK = {"verification": "verify", "password_reset": "reset", "email_change": "confirm-email-change"}
WITHOUT_LINK = [
    *("already_registered", "password_changed", "email_change_notice"),
    *("provider_linked", "provider_unlinked"),
    *("mfa_enabled", "mfa_disabled"),
]


def config(**values: object) -> RegStackConfig:
    return RegStackConfig(**{"base_url": "https://app.example.com", "app_name": "Acme", **values})


def compose(composer: MailComposer, kind: str, full_name: str | None = "Alice") -> MailMessage:
    arguments: dict[str, object] = {"full_name": full_name}
    if kind in WITH_LINK:
        arguments |= {"token": TOKEN, "expires_in": timedelta(hours=24)}
    if kind == "email_change_notice":
        arguments["new_address"] = "alice.new@example.org"
    if kind == "mfa_enabled":
        arguments["phone_hint"] = "…00"
    if kind.startswith("provider_"):
        arguments["provider"] = "Acme Login"
    message: MailMessage = getattr(composer, kind)("alice@example.com", **arguments)
    return message


class Markup(HTMLParser):
    """What a mail program would act on, and whether every element is closed."""

    VOID = frozenset({"meta", "hr", "br", "img"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str | None] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in {"href", "src"}]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize(("kind", "page"), WITH_LINK.items())
def test_a_mail_with_a_link_has_it_exactly_once_in_each_part(kind, page):
    mail = compose(MailComposer(config()), kind)
    link = f"https://app.example.com/account/{page}?token={TOKEN}"
    assert mail.text.count(link) == mail.text.count(TOKEN) == 1
    assert link in mail.text.splitlines()
    assert html.unescape(mail.html).count(link) == mail.html.count(TOKEN) == 1
    assert Markup(mail.html).links == [link]
    assert TOKEN not in mail.subject
    assert "24 hours" in mail.text
    assert "24 hours" in mail.html


@pytest.mark.parametrize("kind", WITHOUT_LINK)
def test_a_notice_has_no_link_that_acts(kind):
    mail = compose(MailComposer(config()), kind)
    assert Markup(mail.html).links == []
    assert re.findall(r"https?://\S+", mail.text) == ["https://app.example.com)."]


@pytest.mark.parametrize("kind", [*WITH_LINK, *WITHOUT_LINK])
def test_every_mail_says_who_sent_it_and_what_to_do_if_nobody_asked(kind):
    mail = compose(MailComposer(config()), kind)
    assert "Acme" in mail.subject
    assert mail.to == "alice@example.com"
    assert mail.sender_name == "Acme"
    plain = html.unescape(re.sub(r"<[^>]+>", " ", mail.html))
    for part in (mail.text, plain):
        assert "Hello Alice," in part
        assert "If that was not you" in part
        assert "Sent automatically by Acme (https://app.example.com)" in part
    markup = Markup(mail.html)
    assert markup.open == []
    assert markup.tags.count("h1") == 1
    assert all(len(line) <= 78 for line in mail.text.splitlines() if TOKEN not in line)
    assert len(mail.html) < 4000


@pytest.mark.parametrize("kind", [*WITH_LINK, *WITHOUT_LINK])
@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        '"><b>Bob',
        "{{ link }}{% raw %}",
        "Bob & <i>Co",
        "\r\nBcc: victim@example.com",
        "Alice\r\n\r\nYou have won",
        "\u202egnihsihp",
        "\ud800",
        "x" * 10_000,
    ],
    ids=ascii,
)
def test_a_hostile_name_stays_one_harmless_line(kind, name):
    composer = MailComposer(config())
    honest, mail = compose(composer, kind), compose(composer, kind, name)
    assert Markup(mail.html).tags == Markup(honest.html).tags
    assert Markup(mail.html).links == Markup(honest.html).links
    assert len(mail.text.splitlines()) == len(honest.text.splitlines())
    assert len(mail.text) < len(honest.text) + 100
    assert mail.subject == honest.subject
    assert mail.text.count(TOKEN) == honest.text.count(TOKEN)
    mail.to_email("noreply@example.com").as_bytes()


def test_names_are_escaped_in_html_and_as_written_in_text():
    mail = compose(MailComposer(config()), "verification", "Bob & <i>Zoë")
    assert "Hello Bob & <i>Zoë," in mail.text
    assert "Hello Bob &amp; &lt;i&gt;Zoë," in mail.html


@pytest.mark.parametrize(
    "name",
    [
        "win money at evil.example",
        "http://evil.example/",
        "www.evil.example",
        "call me@evil.example",
        "evil.example\\x",
        "evil\u200d.example",
        "evil\u3002example",
        "evil\uff0eexample",
        "evil\u2024example",
        "evil\uff61example",
        "evil\u0301.example",
        "evil-.example",
        "   ",
        "",
        None,
    ],
)
def test_a_name_that_reads_like_a_link_is_not_carried_to_strangers(name):
    mail = compose(MailComposer(config()), "verification", name)
    assert mail.text.startswith("Hello,\n")
    assert "Hello,<" in mail.html
    assert "evil" not in mail.text + mail.html


@pytest.mark.parametrize(
    "name", ["J. R. R. Tolkien", "O'Hara", "Anne-Marie", "名前", "نام‌خانوادگی", "Dr. Who, Jr."]
)
def test_an_honest_name_is_greeted_as_written(name):
    assert compose(MailComposer(config()), "verification", name).text.startswith(f"Hello {name},\n")


def test_a_hostile_application_name_breaks_neither_header_nor_markup():
    composer = MailComposer(config(app_name="Acme\r\nBcc: victim@example.com <b>"))
    mail = compose(composer, "verification")
    assert mail.subject == "Confirm your email address for Acme Bcc: victim@example.com <b>"
    assert "<b>" not in mail.html
    assert "Bcc" not in mail.to_email("noreply@example.com")


def test_the_senders_name_is_that_of_the_settings_where_there_is_one():
    composer = MailComposer(config(email={"from_name": "Acme accounts"}))
    assert compose(composer, "verification").sender_name == "Acme accounts"


def test_the_notice_does_not_show_the_new_address_whole():
    mail = compose(MailComposer(config()), "email_change_notice")
    for part in (mail.text, mail.html):
        assert "a…@example.org" in part
        assert "alice.new" not in part


def write(directory: Path, name: str, text: str) -> Path:
    path = directory / "email" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return directory


def test_a_host_replaces_one_template_and_keeps_the_others(tmp_path):
    write(tmp_path, "verification.txt", "Welcome {{ full_name }} <3\n\n{{ link }}\n")
    write(
        tmp_path,
        "password_reset.html",
        '{% extends "email/layout.html" %}{% block content %}<hr>{{ link }}{% endblock %}',
    )
    composer = MailComposer(config(extra_template_dirs=(tmp_path,)))
    shipped = MailComposer(config())
    mail, original = compose(composer, "verification"), compose(shipped, "verification")
    assert mail.text == f"Welcome Alice <3\n\nhttps://app.example.com/account/verify?token={TOKEN}\n"
    assert (mail.subject, mail.html) == (original.subject, original.html)
    reset = compose(composer, "password_reset")
    assert f"<hr>https://app.example.com/account/reset?token={TOKEN}" in reset.html
    assert reset.text == compose(shipped, "password_reset").text


def test_the_newest_directory_goes_first_even_after_a_mail_was_composed(tmp_path):
    directories = [
        write(tmp_path / str(number), "verification.subject.txt", f"subject {number}") for number in range(4)
    ]
    composer = MailComposer(config(extra_template_dirs=(directories[0],)))
    assert compose(composer, "verification").subject == "subject 0"
    composer = MailComposer(config(extra_template_dirs=(directories[0],)), [directories[1]])
    assert compose(composer, "verification").subject == "subject 1"
    composer.add_template_dir(directories[2])
    assert compose(composer, "verification").subject == "subject 2"
    composer.add_template_dir(str(directories[3]))
    assert compose(composer, "verification").subject == "subject 3"


def test_two_composers_share_no_templates(tmp_path):
    write(tmp_path, "verification.subject.txt", "mine")
    first, second = MailComposer(config()), MailComposer(config())
    first.add_template_dir(tmp_path)
    assert compose(first, "verification").subject == "mine"
    assert compose(second, "verification").subject != "mine"


def test_a_subject_of_several_lines_becomes_one(tmp_path):
    write(tmp_path, "verification.subject.txt", "\nHello\n{{ app_name }}\n\n")
    assert compose(MailComposer(config(), [tmp_path]), "verification").subject == "Hello Acme"


def test_a_template_that_asks_for_what_there_is_not_fails(tmp_path):
    write(tmp_path, "verification.txt", "{{ password }}")
    with pytest.raises(jinja2.UndefinedError):
        compose(MailComposer(config(), [tmp_path]), "verification")


def test_a_template_directory_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="nowhere does not exist"):
        MailComposer(config(extra_template_dirs=(tmp_path / "nowhere",)))
    with pytest.raises(ConfigurationError, match="nowhere does not exist"):
        MailComposer(config()).add_template_dir(tmp_path / "nowhere")


def test_every_mail_has_its_three_templates():
    names = {path.name for path in TEMPLATES.iterdir()}
    kinds = [*WITH_LINK, *WITHOUT_LINK]
    expected = {f"{kind}{ending}" for kind in kinds for ending in (".subject.txt", ".txt", ".html")}
    assert names == expected | {"layout.txt", "layout.html"}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "1 second"),
        (45, "45 seconds"),
        (60, "1 minute"),
        (90, "90 seconds"),
        (150, "2 minutes"),
        (1800, "30 minutes"),
        (3600, "1 hour"),
        (5400, "90 minutes"),
        (86400, "24 hours"),
        (172800, "2 days"),
        (604800, "7 days"),
        (604801, "10080 minutes"),
        (0, "0 seconds"),
    ],
)
def test_lengths_of_time_are_said_in_words(seconds, words):
    assert duration(timedelta(seconds=seconds)) == words
