"""Draws reports of the suite side by side: `python -m regstack.testing.table REPORT.json …`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


def draw(reports: Sequence[Mapping[str, Any]]) -> str:
    """Give a table of clauses by backends, then what was remarked, then the verdicts."""
    backends = [str(report["backend"]) for report in reports]
    clauses = list(dict.fromkeys(clause for report in reports for clause in _asked_for(report)))
    rows = [["clause", *backends]]
    rows += [[clause, *(_cell(report["clauses"].get(clause)) for report in reports)] for clause in clauses]
    rows += [["verdict", *(str(report["verdict"]) for report in reports)]]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    lines = [_line(rows[0], widths), rule, *(_line(row, widths) for row in rows[1:-1]), rule]
    lines += [_line(rows[-1], widths), ""]
    return "\n".join([*lines, *_remarks(reports), *_problems(reports)])


def _asked_for(report: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give the clauses, without those that a run of some tests only was not asked for."""
    if report["asked"]:
        return {name: found for name, found in report["clauses"].items() if name in report["asked"]}
    partial = report["verdict"] == "partial"
    return {name: found for name, found in report["clauses"].items() if found["tests"] or not partial}


def _cell(clause: Mapping[str, Any] | None) -> str:
    if clause is None:
        return "?"
    partly = " (in part)" if str(clause["remark"]).startswith("in part") else ""
    return f"{clause['status']}{partly}"


def _line(row: Iterable[str], widths: Sequence[int]) -> str:
    return "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()


def _remarks(reports: Sequence[Mapping[str, Any]]) -> list[str]:
    by_remark: dict[tuple[str, str], list[str]] = {}
    for report in reports:
        for clause, found in _asked_for(report).items():
            if found["remark"]:
                by_remark.setdefault((clause, found["remark"]), []).append(str(report["backend"]))
    return [
        f"{clause}: {remark}" + ("" if len(backends) == len(reports) else f" ({', '.join(backends)})")
        for (clause, remark), backends in by_remark.items()
    ]


def _problems(reports: Sequence[Mapping[str, Any]]) -> list[str]:
    return [f"{report['backend']}: {problem}" for report in reports for problem in report["problems"]]


def main(paths: Sequence[str]) -> int:
    """Print the table; 1 where a backend did not pass."""
    reports = [json.loads(Path(path).read_text("utf-8")) for path in paths]
    print(draw(reports))  # noqa: T201 - a command
    return int(any(report["verdict"] != "passed" for report in reports))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
