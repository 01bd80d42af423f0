"""The random programs reach everything, and what they find can be read."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from regstack.auth.clock import FrozenClock
from regstack.config.schema import RegStackConfig
from regstack.models.attempt import AttemptDecision
from regstack.models.mfa_code import MfaOutcome, MfaVerifyResult
from regstack.models.user import LoginSubject, TokenSubject
from regstack.testing.builders import Builder
from regstack.testing.clauses import REPOSITORIES, catalogue
from regstack.testing.contest import Outcome, call
from regstack.testing.expectation import ClauseBroken
from regstack.testing.fixtures import START
from regstack.testing.memory import MemoryBackend
from regstack.testing.memory.harness import MemoryHarness
from regstack.testing.model.agreement import agree, same, spoil
from regstack.testing.model.machine import Explorer, Model
from regstack.testing.model.program import Move, Step, replay
from regstack.testing.model.shortening import shorten
from regstack.testing.model.twin import clauses_of, operations
from regstack.testing.runner import run_suite, run_suites

HERE = Path(__file__).parent
MODEL = "test_every_program_is_answered_as_the_reference_answers_it"
SEED = 1

ONE_ANSWER = {"pending.put"}
"""Operations that have nothing to say."""


def kind(outcome: Outcome) -> str:
    """Tell answers apart by what they mean to a caller."""
    value = outcome.value
    match value:
        case int():
            return str(value)
        case list():
            return f"list of {len(value)}"
        case AttemptDecision():
            return f"allowed: {value.allowed}"
        case MfaVerifyResult():
            return value.outcome
        case LoginSubject():
            return f"{value.user is not None} {value.pending is not None}"
        case TokenSubject():
            return f"revoked: {value.revoked}"
    return outcome.name


@pytest.fixture(scope="module")
def answers() -> dict[str, set[str]]:
    """Give the kinds of answers that each operation gave in some programs."""
    programs: list[list[Step]] = []
    answers: dict[str, set[str]] = defaultdict(set)
    with asyncio.Runner() as runner:
        explorer = Explorer(MemoryHarness(), START, runner, SEED, lambda twin: programs.append(twin.program))
        explorer.explore(frozenset(REPOSITORIES), programs=120, steps=110)
        for program in programs:
            clock = FrozenClock(START)
            backend = MemoryBackend(config=RegStackConfig(database_url="memory://"), clock=clock)
            outcomes = runner.run(replay(program, backend, clock))
            calls = [step for step in program if not isinstance(step, Move)]
            for each, outcome in zip(calls, outcomes, strict=True):
                answers[each.operation].add(kind(outcome))
    return answers


def test_every_operation_of_the_contract_has_a_rule_and_is_called(answers: dict[str, set[str]]) -> None:
    rules = {rule.function.__name__ for rule in Model.setup_state().rules}
    missing = [each for each in operations() if each.replace(".", "_") not in rules]
    assert not missing
    assert set(operations()) == set(answers)


def test_every_operation_hits_and_misses(answers: dict[str, set[str]]) -> None:
    lame = {each: answers[each] for each in operations() if len(answers[each]) < 2}
    assert lame.keys() == ONE_ANSWER, lame


@pytest.mark.parametrize(
    ("operation", "wanted"),
    [
        ("users.create", {"User", "UserAlreadyExistsError"}),
        ("users.create_from_pending", {"User", "None", "UserAlreadyExistsError"}),
        ("users.confirm_email_change", {"User", "None", "UserAlreadyExistsError"}),
        ("users.set_flags", {"User", "None", "LastSuperuserError"}),
        ("users.delete", {"True", "False", "LastSuperuserError"}),
        ("users.get_token_subject", {"None", "revoked: True", "revoked: False"}),
        ("users.find_login_subject", {"True False", "False True", "False False"}),
        ("mfa_codes.verify", set(MfaOutcome)),
        (
            "oauth_identities.create",
            {"OAuthIdentity", "OAuthIdentityAlreadyLinkedError", "UserNotFoundError"},
        ),
        (
            "oauth_identities.create_with_user",
            {"User", "UserAlreadyExistsError", "OAuthIdentityAlreadyLinkedError"},
        ),
    ],
)
def test_programs_reach_every_outcome_of_the_operations_that_have_several(
    operation: str, wanted: set[str], answers: dict[str, set[str]]
) -> None:
    assert answers[operation] >= wanted


def test_operations_name_clauses_that_exist() -> None:
    assert catalogue().keys() >= {clause for each in operations() for clause in clauses_of(each)}
    assert clauses_of("pending.consume") == ("PEN-03",)
    assert clauses_of("users.record_login") == ("users.record_login",)
    assert clauses_of("blacklist.purge_expired") == ("COM-07",)


BY_CLAUSE = {
    "COM-01": "user_mutants.py:ReadsTheWallClock",
    "COM-03": "user_mutants.py:FindsIdsInAnySpelling",
    "COM-04": "user_mutants.py:LeaksDriverErrors",
    "COM-05": "user_mutants.py:SharesWhatIsStored",
    "COM-06": "user_mutants.py:KnowsRevocationsForever",
    "COM-07": "mutants.py:CountsOneBatchOnly",
    "COM-10": "user_mutants.py:RefusesItsOwnId",
    "COM-11": "user_mutants.py:TrimsText",
    "USR-13": "user_mutants.py:ReadsSearchesAsPatterns",
}


def test_bugs_against_the_common_clauses_are_found_by_random_programs_alone() -> None:
    alone = ["-k", f"{MODEL} and accounts", "--regstack-thorough", "--regstack-partial"]
    runs = run_suites([[f"--regstack-harness={HERE / mutant}", *alone] for mutant in BY_CLAUSE.values()])
    survivors = [name for name, run in zip(BY_CLAUSE, runs, strict=True) if not run.failed()]
    assert not survivors, runs[0].output


def test_a_failure_is_a_short_program_with_rule_answer_and_seed() -> None:
    run = run_suite(
        f"--regstack-harness={HERE / 'mutants.py'}:ReplacesAnExpiredFlow",
        "--regstack-clause=oauth_states.create",
        "--regstack-thorough",
        "--regstack-seed=3",
        "-k",
        MODEL,
    )
    ((test, (clause,)),) = run.failed().items()
    assert test == f"test_model.py::{MODEL}[oauth]"
    for text in (
        f"{clause} does not hold on 'memory'",
        catalogue()[clause].rule,
        "this program, T being the clock's time at its start",
        "oauth_states.create(OAuthState(state_hash=",
        ", for the last call",
        "wanted: ",
        "--regstack-seed=3",
    ):
        assert text in run.output
    assert 1 < len(re.findall(r"^E +\d+  \w+\.\w+\(", run.output, re.MULTILINE)) < 9


def test_shortening_leaves_what_the_failure_needs_in_its_order() -> None:
    steps = [Move(timedelta(seconds=number)) for number in range(40)]
    needed = [steps[3], steps[17], steps[39]]

    def attempt(candidate: Any) -> Any:
        fails = [step for step in candidate if step in needed] == needed
        return (candidate, ClauseBroken(str(len(candidate)), clauses=("X",))) if fails else None

    assert str(shorten(steps, ClauseBroken("40", clauses=("X",)), attempt)) == "3"
    assert str(shorten(steps, ClauseBroken("40", clauses=("Y",)), attempt)) == "40"
    assert str(shorten(steps, ClauseBroken("40", clauses=("X",)), attempt, patience=0)) == "40"


def test_equal_means_equal_in_type_zone_and_precision() -> None:
    now = datetime(2031, 5, 4, tzinfo=UTC)
    user = Builder(FrozenClock(START)).user()
    assert same(replace(user), user)
    assert not same(replace(user, is_active=1), user)
    assert not same(replace(user, email="Ada"), user)
    assert not same(1, True)
    assert not same(now.astimezone(timezone(timedelta(hours=1))), now)
    assert not same(now.replace(microsecond=1), now.replace(microsecond=1))
    assert not same([user], [])


def test_what_the_contract_leaves_open_is_no_difference_and_nothing_else_is() -> None:
    verify = call("mfa_codes.verify")
    expired, missing = (Outcome(MfaVerifyResult(each)) for each in (MfaOutcome.EXPIRED, MfaOutcome.MISSING))
    assert agree(verify, missing, expired)
    assert not agree(verify, Outcome(MfaVerifyResult(MfaOutcome.WRONG)), expired)
    sweep = call("mfa_codes.purge_expired")
    assert agree(sweep, Outcome(3), Outcome(2), stored=3)
    assert not agree(sweep, Outcome(1), Outcome(2), stored=3)
    assert not agree(sweep, Outcome(4), Outcome(2), stored=3)
    assert not agree(call("blacklist.purge_expired"), Outcome(3), Outcome(2), stored=3)


def test_spoiling_reaches_rows_wherever_they_are() -> None:
    user = Builder(FrozenClock(START)).user()
    page = [user]
    spoil(page)
    assert page == []
    assert user.email == "spoilt"
    inner = Builder(FrozenClock(START)).user()
    spoil(LoginSubject(user=inner, pending=None))
    assert inner.id == "spoilt"
