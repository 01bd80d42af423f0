"""`regstack doctor --tune-hashing`: the arithmetic with the test's stopwatch, the command with its own."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from regstack.auth.passwords import PRESETS, Argon2Parameters
from regstack.cli import tuning
from regstack.cli.tuning import LEAST, Bench, suggest


class Machine:
    """Hashes so many KiB in a second, and keeps time by that alone."""

    def __init__(self, kib_per_second: float, threads: int = 2) -> None:
        self._pace, self._lock, self.seconds = kib_per_second * threads, threading.Lock(), 0.0
        self.bench = Bench(threads, hash_once=self.hash_once, stopwatch=lambda: self.seconds)

    def hash_once(self, parameters: Argon2Parameters) -> None:
        with self._lock:
            self.seconds += parameters.memory_kib * parameters.time_cost / self._pace


CANDIDATES = LEAST | {"rfc9106-low": PRESETS["rfc9106-low"]}


def test_a_row_says_what_a_hash_takes_and_what_all_threads_do() -> None:
    row = Machine(1024 * 1024, threads=4).bench.measure("some", Argon2Parameters(64 * 1024, 2, 1))
    assert row.milliseconds == pytest.approx(125)
    assert row.per_second == pytest.approx(32)
    assert row.memory_mib == 256


def test_a_slow_machine_is_not_measured_for_long() -> None:
    machine = Machine(20 * 1024)
    rows = machine.bench.table(CANDIDATES)
    assert 1 <= len(rows) < len(CANDIDATES)
    assert machine.seconds - rows[-1].milliseconds / 1000 <= tuning.SECONDS_IN_ALL


@pytest.mark.parametrize("kib_per_second", [20_000, 300_000, 600_000, 1_000_000, 3_000_000, 10**7])
@pytest.mark.parametrize("target", [20.0, 100.0, 500.0])
def test_the_most_memory_within_the_target_is_suggested_and_never_less_than_owasp_s_least(
    kib_per_second: float, target: float
) -> None:
    machine = Machine(kib_per_second)
    rows = machine.bench.table(CANDIDATES)
    found = suggest(machine.bench, rows, target)
    cost = found.parameters
    strongest = cost.time_cost == 2 and cost.memory_kib > PRESETS["owasp"].memory_kib
    assert strongest or found.name in LEAST
    assert cost.memory_kib <= tuning.MOST_MEMORY_KIB
    if strongest:
        assert found.milliseconds <= target
        full = cost.memory_kib == tuning.MOST_MEMORY_KIB
        assert full or found.milliseconds >= 0.75 * target
    elif found.milliseconds > target:
        measured = [row for row in rows if row.name in LEAST]
        assert found.milliseconds == min(row.milliseconds for row in measured)


def test_the_command_works_without_settings_and_prints_lines_that_can_be_pasted(
    regstack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "SECONDS_A_ROW", 0.0)
    monkeypatch.setattr(tuning, "MOST_MEMORY_KIB", 32 * 1024)
    done = regstack("doctor", "--tune-hashing", "--hash-milliseconds", "1")
    assert done.exit_code == 0, done.output
    assert "owasp-7mib" in done.output
    assert "insecure" not in done.output
    monkeypatch.setattr(tuning, "SECONDS_IN_ALL", 0.0)
    report = json.loads(regstack("doctor", "--tune-hashing", "--json").output)
    assert report["measured"][0]["name"] == "owasp"
    for name, value in report["suggested"]["settings"].items():
        assert f"{name} = " in done.output
        assert f"REGSTACK_{name.upper()}=" in done.output
        assert value >= 1
    assert regstack("doctor", "--tune-hashing", "--hash-milliseconds", "0").exit_code == 2
