"""What docs/security.md names exists, and it answers everything that it has to answer."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.security.mutant_runs import registry

REQUIRED = Path(__file__).with_name("asvs_requirements.txt")
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
CHAPTERS = ("V6.", "V7.", "V9.", "V10.")


def rows_of(page: str, *columns: str) -> list[list[str]]:
    """The rows of all tables with these columns."""
    found, inside = [], False
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        inside = bool(cells) and (inside or cells == list(columns))
        if inside and cells != list(columns) and not set("".join(cells)) <= {"-"}:
            found.append(cells)
    return found


@pytest.fixture(scope="module")
def page(pages: dict[str, str]) -> str:
    return pages["docs/security.md"]


@pytest.fixture(scope="module")
def attacks(page: str) -> list[list[str]]:
    return rows_of(page, "row", "attack", "defence", "tests")


@pytest.fixture(scope="module")
def requirements(page: str) -> list[list[str]]:
    return rows_of(page, "id", "asks that", "outcome")


def test_every_test_that_is_named_exists(page: str, root: Path) -> None:
    named = TEST.findall(page)
    assert len(named) > 100
    missing = [
        f"{file}::{name}"
        for file, name in named
        if not (root / file).exists()
        or not re.search(rf"^(async )?def {name}\(", (root / file).read_text("utf-8"), re.MULTILINE)
    ]
    assert not missing


def test_every_mention_of_a_test_is_one_that_is_looked_for(page: str) -> None:
    assert page.count("::test_") == len(TEST.findall(page))


def test_every_attack_has_a_defence_and_a_test(attacks: list[list[str]]) -> None:
    assert len(attacks) > 10
    for row, attack, defence, tests in attacks:
        assert attack, row
        assert defence.endswith("."), row
        assert TEST.search(tests), row
    assert len({row for row, *_ in attacks}) == len(attacks)


def test_every_defence_that_is_taken_out_is_one_of_a_row(attacks: list[list[str]]) -> None:
    rows = {row for row, *_ in attacks}
    assert {mutant.row for mutant in registry()} == rows


def test_every_requirement_is_answered(requirements: list[list[str]]) -> None:
    answered = [name for name, *_ in requirements]
    required = [line for line in REQUIRED.read_text("utf-8").splitlines() if not line.startswith("#")]
    assert len(answered) == len(set(answered))
    assert [name for name in answered if name.startswith(CHAPTERS)] == required


def test_every_outcome_is_a_test_or_a_sentence(requirements: list[list[str]]) -> None:
    for name, asks, outcome in requirements:
        assert re.fullmatch(r"V\d+\.\d+\.\d+", name)
        assert asks, name
        rest = TEST.sub("", outcome).strip(" ,;.")
        assert TEST.search(outcome) or (rest and outcome.endswith(".")), name
