"""Addresses (rows 14, 15a), links (row 12), and what people write into mails and logs (row 19)."""

from __future__ import annotations

from typing import Any

from tests.security.mutant import Mutant, find, replace, rewrite

PARSE = "regstack.auth.emails:parse_email"
ALIKE = "test_look_alikes.py::test_"
NAME_IN_MAIL = "test_injection.py::test_a_name_gets_no_header_no_recipient_and_no_link_into_a_mail"


def links_from_the_host_header() -> None:
    bounded, seen = find("regstack.routers.route:bounded")[2], {"host": "app.example"}

    def listening(request: Any) -> Any:
        seen["host"] = request.headers.get("host", "")
        return bounded(request)

    def fill(links: Any, template: str, token: str) -> str:
        return template.replace("{base_url}", f"http://{seen['host']}").replace("{token}", token)

    replace("regstack.routers.route:bounded", listening)()
    replace("regstack.email.links:MailLinks._fill", fill)()


MUTANTS = [
    Mutant(
        "14",
        "an address is known by its folded form",
        rewrite(PARSE, ("search_key(parts.local_part)", "parts.local_part")),
        (
            ALIKE + "no_spelling_of_a_taken_address_gets_an_account_of_its_own",
            ALIKE + "fifty_registrations_of_one_address_give_one_account",
            ALIKE + "every_spelling_of_an_address_signs_in_to_the_same_account",
        ),
    ),
    Mutant(
        "14",
        "an address is normalised before it is checked",
        rewrite(
            PARSE, ('unicodedata.normalize("NFKC", check_text(text).strip())', "check_text(text).strip()")
        ),
        (ALIKE + "no_spelling_of_a_taken_address_gets_an_account_of_its_own",),
    ),
    Mutant(
        "14",
        "characters that do not show are refused",
        rewrite(PARSE, ("if any(_is_invisible(character) for character in written):", "if False:")),
        (ALIKE + "an_invisible_character_makes_no_second_address",),
    ),
    Mutant(
        "14",
        "one mailbox is one account in storage",
        rewrite(
            "regstack.testing.memory.users:MemoryUsers.create",
            ("if self._holder(user.email_key) is not None:", "if False:"),
        ),
        (
            ALIKE + "fifty_registrations_of_one_address_give_one_account",
            ALIKE + "no_spelling_of_a_taken_address_gets_an_account_of_its_own",
        ),
    ),
    Mutant(
        "14",
        "guesses count for the mailbox and not for its spelling",
        rewrite("regstack.services.login:Login.log_in", ("claim(LOGIN, key)", "claim(LOGIN, email)")),
        (ALIKE + "guesses_at_all_spellings_of_an_address_count_together",),
    ),
    Mutant(
        "14",
        "no link moves an account to an address that has one",
        rewrite(
            "regstack.services.email_change:EmailChange._send_mails",
            ("if owner is None or owner.id == user.id:", "if True:"),
        ),
        (ALIKE + "no_account_moves_to_a_spelling_of_a_taken_address",),
    ),
    Mutant(
        "15a",
        "a reset goes to the stored address",
        rewrite(
            "regstack.services.passwords:Passwords.forgot",
            (
                "user = await self._users.get_by_email(key)",
                "import dataclasses\n"
                "    user = await self._users.get_by_email(key)\n"
                "    user = user and dataclasses.replace(user, email=email)",
            ),
        ),
        (ALIKE + "mail_goes_to_the_stored_address_and_never_to_the_one_typed",),
    ),
    Mutant(
        "15a",
        "a notice to an owner goes to the stored address",
        rewrite(
            "regstack.services.registration:Registration._store_quietly",
            (
                "self._notices.already_registered(owner)",
                "import dataclasses\n"
                "        self._notices.already_registered(dataclasses.replace(owner, email=pending.email))",
            ),
        ),
        (ALIKE + "mail_goes_to_the_stored_address_and_never_to_the_one_typed",),
    ),
    Mutant(
        "12",
        "links come from the settings",
        links_from_the_host_header,
        ("test_poisoned_host.py::test_every_link_in_every_mail_comes_from_the_base_url",),
    ),
    Mutant(
        "12",
        "redirects of the pages name no host",
        rewrite(
            "regstack.ui.site:Site.go", ("        self.url(page", "        '//evil.example' + self.url(page")
        ),
        ("test_poisoned_host.py::test_a_redirect_of_the_pages_names_no_host",),
    ),
    Mutant(
        "12",
        "links of the pages name no host",
        rewrite("regstack.ui.site:Site.url", ('return f"{', 'return f"//evil.example{')),
        ("test_poisoned_host.py::test_no_page_names_the_host_of_its_request",),
    ),
    Mutant(
        "19",
        "foreign text in a log is one line",
        rewrite("regstack.models.line:one_line", ("text = str(value)[: 4 * limit]", "return str(value)")),
        ("test_injection.py::test_no_text_of_a_request_or_of_storage_begins_a_line_of_the_log",),
    ),
    Mutant(
        "19",
        "what storage says is one line of the log",
        rewrite("regstack.routers.errors:to_http", ("one_line(error)", "error")),
        ("test_injection.py::test_no_text_of_a_request_or_of_storage_begins_a_line_of_the_log",),
    ),
    Mutant(
        "19",
        "a display name cannot end its header field",
        rewrite("regstack.email.message:_header", ('.replace("=?", "= ?")', "")),
        ("test_injection.py::test_the_name_of_the_application_gets_no_header_into_a_mail",),
    ),
    Mutant(
        "19",
        "an address with a second line or recipient is none",
        replace(
            "regstack.auth.emails:validate_email",
            lambda text, **_: __import__("types").SimpleNamespace(
                normalized=text, local_part=text.rpartition("@")[0], ascii_domain=text.rpartition("@")[2]
            ),
        ),
        ("test_injection.py::test_an_address_with_a_second_line_or_a_second_recipient_is_refused",),
    ),
    Mutant(
        "19",
        "a name that reads like a link is not mailed",
        replace("regstack.email.composer:_presentable", lambda full_name: full_name),
        (NAME_IN_MAIL,),
    ),
    Mutant(
        "19",
        "a name is no element of a mail",
        rewrite(
            "regstack.email.composer:MailComposer._templates",
            ('jinja2.select_autoescape(enabled_extensions=("html",), default=False)', "False"),
        ),
        (NAME_IN_MAIL,),
    ),
    Mutant(
        "19",
        "an entry is no element of a page",
        rewrite("regstack.ui.site:Site.__init__", ("autoescape=True", "autoescape=False")),
        ("test_injection.py::test_no_entry_becomes_an_element_of_a_page",),
    ),
]
