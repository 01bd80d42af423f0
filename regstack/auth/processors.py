"""How many processors this process may use."""

from __future__ import annotations

import os
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
"""Where Linux tells what a container may use of the machine."""


def usable_processors(cgroups: Path = CGROUPS) -> float:
    """Give the processors that this process may keep busy, a share of one included.

    A container's quota tells less than the machine has: threads that use it up early stop the whole process,
    event loop and all, until the kernel's next period.

    Args:
        cgroups: where the kernel tells the quota.
    """
    try:
        present = len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        present = os.cpu_count() or 1
    quota = _quota(cgroups)
    return present if quota is None else min(present, quota)


def _quota(cgroups: Path) -> float | None:
    """Read the quota of version 2, then of version 1; None where there is none."""
    for names in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        try:
            allowed, period = " ".join((cgroups / name).read_text() for name in names).split()
            if int(allowed) > 0:
                return int(allowed) / int(period)
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return None
