"""Whether the time of a refused login tells if there is such an account."""

from __future__ import annotations

import math
import random
import secrets
from typing import TYPE_CHECKING

from benchmarks import load
from benchmarks.rounds import ROUNDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.figures import Figures
    from benchmarks.running import Running
    from benchmarks.server import Application

SECONDS = min(12.0, 3.0 * ROUNDS)


def test_the_time_of_one_login_tells_little(figures: Figures, running: Running) -> None:
    for backend, server in running.ours.items():
        known, unknown = times_of_wrong_logins(server)
        area, error = area_under_curve(known, unknown)
        figures.add(
            "a refused login: how well its time tells a known address from another (AUC, 0.5: not at all)",
            f"regstack on {backend}",
            area,
            low=max(0.5, area - 2 * error),
            high=area + 2 * error,
            goal="≤ 0.55",
            unit="",
            note=f"{len(known)} known addresses, {len(unknown)} others; two standard errors each way",
            why=f"a known address has a row to decode; so many answers tell it to ± {2 * error:.2f}",
        )


def times_of_wrong_logins(server: Application) -> tuple[list[float], list[float]]:
    """Ask with addresses in random order, nobody else being served; an address never twice in a row."""
    addresses = [(True, f"person{number}@example.com") for number in range(len(server.me))] * 2
    addresses += [(False, f"person{secrets.randbelow(10**9) + 10**6}@example.com") for _ in addresses]
    random.shuffle(addresses)
    requests = [server.login(address, "not the password") for _, address in addresses]
    outcome = load.run({"logins": load.Load(server.port, requests)}, SECONDS)["logins"]
    assert set(outcome.statuses) == {401}
    known: list[float] = []
    unknown: list[float] = []
    for (is_known, _), seconds in zip(addresses, outcome.times, strict=False):
        (known if is_known else unknown).append(seconds)
    return known, unknown


def area_under_curve(known: Sequence[float], unknown: Sequence[float]) -> tuple[float, float]:
    """Give how often one is slower than the other, whichever it is, and the error by chance.

    The standard error is that of the Mann-Whitney statistic where there is no difference.
    """
    slower = sum((one > other) + (one == other) / 2 for one in known for other in unknown)
    pairs = len(known) * len(unknown)
    area = slower / pairs
    return max(area, 1 - area), math.sqrt((len(known) + len(unknown) + 1) / (12 * pairs))
