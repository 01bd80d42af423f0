"""What keeps the bound of `token_cache_milliseconds` (row 9)."""

from __future__ import annotations

from tests.security.mutant import Mutant, rewrite

CACHE = "regstack.services.token_subjects:TokenSubjects."
FENCE = "regstack.services.fences:_Fenced."
UNIT = "tests/unit/services/test_token_subjects.py::test_"
FENCES = "tests/unit/services/test_fences.py::test_"

MUTANTS = [
    Mutant(
        "9",
        "what is remembered is as old as its question",
        rewrite(
            CACHE + "get_token_subject",
            ("entry.subject = subject", "entry.subject, entry.sent = subject, self._elapsed()"),
        ),
        (UNIT + "an_answer_is_as_old_as_its_question",),
    ),
    Mutant(
        "9",
        "what is remembered is of no use at the instant when its time is up",
        rewrite(
            CACHE + "_is_good",
            ("now - entry.sent < self._keep_seconds", "now - entry.sent <= self._keep_seconds"),
        ),
        (UNIT + "an_answer_is_used_again_until_its_time_is_up_and_not_at_that_instant",),
    ),
    Mutant(
        "9",
        "using what is remembered makes it no younger",
        rewrite(
            CACHE + "get_token_subject",
            ("return entry.subject", "entry.sent = now\n        return entry.subject"),
        ),
        (UNIT + "using_an_answer_makes_it_no_younger",),
    ),
    Mutant(
        "9",
        "a read that a write overtook is not remembered",
        rewrite(
            CACHE + "get_token_subject",
            ("entry.subject = subject", "self._prepare(jti, entry).subject = subject"),
        ),
        (UNIT + "a_question_that_a_write_overtook_leaves_nothing_behind",),
    ),
    Mutant(
        "9",
        "what is remembered of a token opens no other account",
        rewrite(CACHE + "get_token_subject", ("and entry.user_id == user_id", "")),
        (UNIT + "the_token_of_one_account_opens_no_other",),
    ),
    Mutant(
        "9",
        "a write forgets after it was made",
        rewrite(
            FENCE + "__getattr__",
            ("try:\n", "self._fence(name, self.asked(name, arguments, named) or ANYTHING)\n        try:\n"),
            ("self._fence(name, self.asked(name, arguments, named) or self.answered(name, answer))", "pass"),
        ),
        (UNIT + "a_question_during_a_write_leaves_nothing_behind",),
    ),
    Mutant(
        "9",
        "a write that failed forgets as well",
        rewrite(
            FENCE + "__getattr__",
            ("self._fence(name, self.asked(name, arguments, named) or ANYTHING)", "pass"),
        ),
        (FENCES + "a_write_that_fails_or_is_given_up_drops_whom_it_may_have_changed",),
    ),
    Mutant(
        "9",
        "a change that this worker makes counts on it at once",
        rewrite(FENCE + "_fence", ("self._forget(change)", "pass")),
        (
            "test_token_cache.py::test_what_ends_a_session_on_this_worker_ends_it_here_at_once",
            "test_token_cache.py::test_a_change_on_this_worker_shows_here_at_once",
        ),
    ),
    Mutant(
        "9",
        "what was read before the feed was lost is forgotten",
        rewrite(
            "regstack.services.change_listener:ChangeListener._follow",
            ("self._heard(ANYTHING)", "pass"),
        ),
        (UNIT + "nothing_is_kept_of_what_was_read_before_the_feed_was_lost",),
    ),
    Mutant(
        "9",
        "what changes something is done by what is read now",
        rewrite("regstack.services.sessions:Sessions.recognise", ("fresh or self", "self")),
        (
            "test_token_cache.py::test_no_route_that_changes_something_goes_by_what_was_remembered",
            "test_token_cache.py::test_administration_knows_at_once_who_is_none_any_more",
        ),
    ),
]
