"""`regstack doctor --tune-hashing`: what a password hash costs on this machine, and what to set."""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import typer

from regstack.auth.passwords import PRESETS, Argon2Parameters, suitable_threads

if TYPE_CHECKING:
    from collections.abc import Callable

    from regstack.config.schema import RegStackConfig

LEAST = {
    "owasp": PRESETS["owasp"],
    "owasp-46mib": PRESETS["owasp-46mib"],
    "owasp-12mib": Argon2Parameters(12 * 1024, 3, 1),
    "owasp-9mib": Argon2Parameters(9 * 1024, 4, 1),
    "owasp-7mib": Argon2Parameters(7 * 1024, 5, 1),
}
"""What OWASP's Password Storage Cheat Sheet calls the least, each as strong as the others."""

MOST_MEMORY_KIB = 256 * 1024
PASSES = 2
SECONDS_A_ROW = 0.3
SECONDS_IN_ALL = 6.0
MARGIN = 0.9
"""What is suggested takes this part of the target, since a machine in service has other things to do."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What parameters cost on this machine, with all threads at work.

    Attributes:
        name: of a preset, or what the table calls them.
        parameters: the parameters.
        milliseconds: of one hash.
        per_second: hashes of all threads together; a sign-in takes one.
        memory_mib: of all threads together. Hashes that wait in the queue take none.
    """

    name: str
    parameters: Argon2Parameters
    milliseconds: float
    per_second: float
    memory_mib: float


class Bench:
    """Measures hashes.

    Args:
        threads: how many are computed at once.
        hash_once: computes one.
        stopwatch: gives seconds.
    """

    def __init__(
        self,
        threads: int,
        *,
        hash_once: Callable[[Argon2Parameters], object] | None = None,
        stopwatch: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.threads = threads
        self._hash_once = hash_once or _argon2
        self._stopwatch = stopwatch

    def measure(self, name: str, parameters: Argon2Parameters) -> Pace:
        """Measure one set of parameters: one hash a thread, then as many as the time of a row allows."""
        with ThreadPoolExecutor(self.threads) as pool:
            once = self._run(pool, parameters, 1)
            rounds = max(1, int(SECONDS_A_ROW / once)) if once else 1
            seconds = self._run(pool, parameters, rounds) / rounds if rounds > 1 else once
        memory = self.threads * parameters.memory_kib / 1024
        return Pace(name, parameters, seconds * 1000, self.threads / seconds, memory)

    def table(self, candidates: dict[str, Argon2Parameters]) -> list[Pace]:
        """Measure one after the other; but for the first, what comes after `SECONDS_IN_ALL` is left out."""
        until = self._stopwatch() + SECONDS_IN_ALL
        rows: list[Pace] = []
        for name, parameters in candidates.items():
            if not rows or self._stopwatch() < until:
                rows.append(self.measure(name, parameters))
        return rows

    def _run(self, pool: ThreadPoolExecutor, parameters: Argon2Parameters, rounds: int) -> float:
        start = self._stopwatch()
        for _ in pool.map(self._hash_once, [parameters] * (self.threads * rounds)):
            pass
        return self._stopwatch() - start


def suggest(bench: Bench, rows: list[Pace], target_milliseconds: float) -> Pace:
    """Find the most memory that a hash of two passes can take within the target.

    Memory is what costs an attacker, so it goes before passes; more lanes give no more sign-ins.
    Where the target is too short for any, the quickest of those that OWASP calls the least.

    Args:
        bench: measures what is suggested.
        rows: the table; the first is `owasp`.
        target_milliseconds: of one hash.
    """
    base, least = rows[0], [row for row in rows if row.name in LEAST]
    work = base.parameters.memory_kib * base.parameters.time_cost
    room = target_milliseconds * MARGIN / base.milliseconds * work / PASSES
    mebibytes = min(math.floor(room / 1024), MOST_MEMORY_KIB // 1024)
    floor = PRESETS["owasp"].memory_kib // 1024
    while mebibytes > floor:
        found = bench.measure("suggested", Argon2Parameters(mebibytes * 1024, PASSES, 1))
        if found.milliseconds <= target_milliseconds:
            return found
        mebibytes = math.floor(mebibytes * MARGIN)
    within = [row for row in least if row.milliseconds <= target_milliseconds]
    return base if base in within else min(within or least, key=lambda row: row.milliseconds)


def settings_of(pace: Pace, threads: int) -> dict[str, int]:
    """Give the settings that make passwords be hashed so, whatever the preset."""
    return {
        "password_hash_memory_kib": pace.parameters.memory_kib,
        "password_hash_time_cost": pace.parameters.time_cost,
        "password_hash_parallelism": pace.parameters.parallelism,
        "password_hash_threads": threads,
    }


def print_tuning(config: RegStackConfig, target_milliseconds: float, *, to_json: bool) -> None:
    """Measure, and print the table and the settings to write."""
    from regstack.assembly import hashing_parameters

    bench = Bench(config.password_hash_threads or suitable_threads())
    rows = bench.table(
        LEAST | {"as configured": hashing_parameters(config), "rfc9106-low": PRESETS["rfc9106-low"]}
    )
    found = suggest(bench, rows, target_milliseconds)
    if to_json:
        import json

        report = {
            "threads": bench.threads,
            "target_milliseconds": target_milliseconds,
            "measured": [asdict(row) for row in rows],
            "suggested": asdict(found) | {"settings": settings_of(found, bench.threads)},
        }
        typer.echo(json.dumps(report, indent=2))
    else:
        _print(bench, rows, found, target_milliseconds)


def _print(bench: Bench, rows: list[Pace], found: Pace, target_milliseconds: float) -> None:
    from regstack.cli.columns import columns

    heads = ("PARAMETERS", "MIB", "PASSES", "LANES", "MS A HASH", "HASHES A SECOND", "MIB IN ALL")
    shown = rows if found in rows else [*rows, found]
    typer.echo(columns(heads, [_cells(row) for row in shown]))
    typer.echo(f"\n{bench.threads} at a time, as one worker hashes; all workers share the processors")
    if found.milliseconds <= target_milliseconds:
        typer.echo(f"at most {target_milliseconds:g} ms a hash, in regstack.toml:\n")
    else:
        typer.echo(
            f"nothing that OWASP recommends takes {target_milliseconds:g} ms here, if the machine was idle;\n"
            "the quickest of it, in regstack.toml:\n"
        )
    settings = settings_of(found, bench.threads)
    for name, value in settings.items():
        typer.echo(f"{name} = {value}")
    typer.echo("\nor in the environment:\n")
    for name, value in settings.items():
        typer.echo(f"REGSTACK_{name.upper()}={value}")


def _cells(row: Pace) -> tuple[str, ...]:
    cost = row.parameters
    return (
        row.name,
        f"{cost.memory_kib / 1024:g}",
        str(cost.time_cost),
        str(cost.parallelism),
        f"{row.milliseconds:.1f}",
        f"{row.per_second:.1f}",
        f"{row.memory_mib:g}",
    )


def _argon2(parameters: Argon2Parameters) -> Any:
    from argon2.low_level import Type, hash_secret

    return hash_secret(
        b"a password of the usual length",
        b"sixteen bytes ok",
        time_cost=parameters.time_cost,
        memory_cost=parameters.memory_kib,
        parallelism=parameters.parallelism,
        hash_len=32,
        type=Type.ID,
    )
