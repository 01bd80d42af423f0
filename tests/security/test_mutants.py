"""No attack is shown to fail by chance: each defence, taken out, is missed by the tests that name it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.security.mutant import Misfit, Mutant, replace, rewrite
from tests.security.mutant_runs import ROOT, judge, path_of, registry, run_share, survivors

SHARES = 4


@pytest.mark.parametrize("share", range(SHARES))
def test_no_defence_can_be_taken_out_unnoticed(share: int, publish_verdicts: Callable[[Any], None]) -> None:
    verdicts = run_share(share, SHARES)
    assert verdicts
    publish_verdicts(verdicts)
    assert not survivors(verdicts), "\n".join(survivors(verdicts))


def test_every_mutant_has_a_name_of_its_own_and_tests_that_exist() -> None:
    mutants = registry()
    assert len(mutants) >= 40
    assert not [name for name, count in Counter(mutant.defence for mutant in mutants).items() if count > 1]
    for mutant in mutants:
        assert mutant.caught_by, mutant.defence
        for test in mutant.caught_by:
            file, _, name = path_of(test).partition("::")
            assert re.search(rf"^(async )?def {name}\(", (ROOT / file).read_text("utf-8"), re.MULTILINE), test


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        (replace("regstack.services.login:Login.gone", None), "there is no"),
        (replace("regstack.services.login:Gone.log_in", None), "there is no"),
        (rewrite("regstack.services.login:Login.log_in", ("a text that is not there", "")), "0 times"),
        (rewrite("regstack.services.login:Login.log_in", ("self", "them")), "times, and not once"),
        (rewrite("regstack.auth.tokens:ACCESS", ("a", "b")), "no function"),
    ],
)
def test_a_mutant_that_does_not_fit_says_so(change: Callable[[], None], missing: str) -> None:
    with pytest.raises(Misfit, match=missing):
        change()
    verdict = judge(Mutant("0", "nothing", change, ("test_guessing.py::test_of_nothing",)))
    assert not verdict.caught
    assert "does not fit" in verdict.missed["tests/security/test_guessing.py::test_of_nothing"]


def test_a_defence_that_nobody_watches_is_named_with_the_test_that_should() -> None:
    verdicts = {"the lock on the door": {"caught": [], "missed": {"tests/x.py::test_the_lock": "passed"}}}
    (line,) = survivors(verdicts)
    assert line == "nobody watches this defence: the lock on the door\n    tests/x.py::test_the_lock: passed"
