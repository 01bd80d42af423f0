"""What comes in: forms of other sites, ways out (row 13), the cookie, hostile bodies (row 21)."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from regstack.routers import bodies
from tests.security.mutant import Mutant, all_of, replace, rewrite

HAS_SENT = "regstack.ui.origin:OwnOrigin.has_sent"
FORGED = "test_cross_site.py::test_a_form_that_another_site_sends_is_refused"
PATH = "regstack.auth.redirects:local_path"
CORPUS = "test_redirects.py::test_what_leads_elsewhere_is_refused"
NO_WAY_OUT = ("test_redirects.py::test_no_sign_in_page_carries_a_way_out",
              "test_redirects.py::test_no_sign_in_leads_elsewhere")  # fmt: skip
COOKIE = "regstack.routers.cookies:InstanceCookie.put"
OVER_HTTP = "test_session_cookie.py::test_over_http_the_cookie_is_as_narrow_as_it_can_be"
OVER_TLS = "test_session_cookie.py::test_over_tls_the_cookie_belongs_to_this_host_alone"
BAD_BODIES = "test_hostile_input.py::test_bad_bodies_are_refused_without_an_echo_and_without_a_trace"
TOO_LONG = "test_hostile_input.py::test_a_password_past_the_limit_is_never_hashed"


def every_body() -> list[type[BaseModel]]:
    return [
        each for each in vars(bodies).values() if isinstance(each, type) and issubclass(each, bodies.Body)
    ]


def unknown_fields_pass() -> None:
    for body in every_body():
        body.model_config["extra"] = "ignore"
        body.model_rebuild(force=True)


def passwords_of_any_length_pass() -> None:
    for body in every_body():
        for name, info in body.model_fields.items():
            if "password" in name:
                info.metadata = [each for each in info.metadata if not hasattr(each, "max_length")]
        body.model_rebuild(force=True)


def echo(error: Any) -> list[dict[str, str]]:
    return [{"input": ascii(problem["input"])} for problem in error.errors()]


MUTANTS = [
    Mutant(
        "6",
        "pages take forms of their own site alone",
        replace(HAS_SENT, lambda origin, request: True),
        (
            FORGED,
            "test_cross_site.py::test_no_form_is_left_out",
            "test_cross_site.py::test_a_signed_in_person_cannot_be_signed_out_or_deleted_from_elsewhere",
        ),
    ),
    Mutant(
        "6",
        "a neighbour on another subdomain is another site",
        rewrite(HAS_SENT, ('sites == ["same-origin"]', 'sites in (["same-origin"], ["same-site"])')),
        (FORGED,),
    ),
    Mutant(
        "6",
        "a form that does not say where it comes from is refused",
        rewrite(HAS_SENT, ("        return False\n", "        return not origins\n")),
        (FORGED,),
    ),
    Mutant(
        "6",
        "an origin is compared whole",
        rewrite(HAS_SENT, ("origin == own", "origin.host.startswith(own.host)")),
        (FORGED,),
    ),
    Mutant(
        "6",
        "the cookie is hidden from scripts",
        rewrite(COOKIE, ("httponly=True", "httponly=False")),
        (OVER_HTTP, OVER_TLS),
    ),
    Mutant(
        "6",
        "the cookie does not travel with what another site sends",
        rewrite(COOKIE, ('samesite="lax"', 'samesite="none"')),
        (OVER_HTTP, OVER_TLS),
    ),
    Mutant(
        "6",
        "the cookie travels over TLS alone",
        rewrite(COOKIE, ("secure=self.secure", "secure=False")),
        (OVER_TLS,),
    ),
    Mutant(
        "6",
        "no neighbour can set the cookie",
        rewrite(
            "regstack.routers.cookies:InstanceCookie.__init__", ('"__Host-" if self.secure else ""', '""')
        ),
        (OVER_TLS,),
    ),
    Mutant(
        "6",
        "a browser's earlier session ends with its next sign-in",
        rewrite(
            "regstack.ui.door:Door.let_in",
            ("await self._end_session(request)", "pass"),
        ),
        ("tests/http/pages/test_main_job.py::test_signing_in_again_ends_the_session_that_the_browser_had",),
    ),
    Mutant(
        "6",
        "no page runs what does not come from here",
        rewrite("regstack.ui.headers:page_headers", ("\"default-src 'none'\"", "'default-src *'")),
        ("tests/http/pages/test_answers.py::test_every_answer_forbids_what_pages_never_need",),
    ),
    Mutant(
        "13",
        "a sign-in goes to a path of this site",
        rewrite(
            "regstack.ui.sessions:sessions_pages",
            ('local_path(entries.get("next"))', 'entries.get("next")'),
            ("local_path(wanted)", "wanted"),
        ),
        NO_WAY_OUT,
    ),
    Mutant(
        "13",
        "two slashes, backslashes and dots lead nowhere",
        rewrite(PATH, ("if _ESCAPE.search(path):", "if False:")),
        (CORPUS, *NO_WAY_OUT),
    ),
    Mutant(
        "13",
        "a path is looked at as it may be decoded",
        rewrite(PATH, ("decoded = unquote(path)", "decoded = path")),
        (CORPUS, *NO_WAY_OUT),
    ),
    Mutant(
        "13",
        "a path is printable characters alone",
        rewrite(PATH, ("not _WHOLE.fullmatch(text)", "not text.startswith('/')")),
        (CORPUS,),
    ),
    Mutant(
        "21",
        "a body is bounded while it is read",
        replace("regstack.routers.route:MAX_BODY_BYTES", 10**9),
        ("test_hostile_input.py::test_a_body_without_a_length_is_bounded_too",),
    ),
    Mutant(
        "21",
        "unknown fields are refused",
        unknown_fields_pass,
        (BAD_BODIES, "test_last_administrator.py::test_nobody_makes_himself_an_administrator"),
    ),
    Mutant(
        "21",
        "nothing that was sent comes back with an error",
        replace("regstack.routers.route:_without_input", echo),
        (BAD_BODIES,),
    ),
    Mutant(
        "21",
        "NUL is refused",
        rewrite("regstack.models.text:check_text", ('if "\\0" in value:', "if False:")),
        (BAD_BODIES,),
    ),
    Mutant(
        "21",
        "a password is measured before it is hashed",
        all_of(passwords_of_any_length_pass, replace("regstack.auth.password_policy:MAXIMUM_LENGTH", 10**9)),
        (TOO_LONG,),
    ),
    Mutant(
        "21",
        "a common password is refused",
        rewrite("regstack.auth.password_policy:PasswordPolicy.check", ("if folded in self._common or", "if")),
        ("test_hostile_input.py::test_common_passwords_are_refused_with_the_reason",),
    ),
]
