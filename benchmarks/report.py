"""The results, as a card for people and as a document for programs."""

from __future__ import annotations

import json
import os
import platform
from typing import Any

from benchmarks.figures import FIGURES
from benchmarks.rounds import Results
from benchmarks.scenarios import SCENARIOS

Document = dict[str, Any]

_MISSING = "–"


def machine() -> Document:
    """Where this runs, and how busy it was before."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "n_cpus": n_cpus(),
        "load_average": round(os.getloadavg()[0], 2),
    }


def n_cpus() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def document(results: Results, facts: Document) -> Document:
    """Everything that was measured; `facts` say how, and come first."""
    return {
        **facts,
        "servers": list(results.servers),
        "results": {
            scenario: {key: _figure(results, scenario, key) for key in results.figures(scenario)}
            for scenario in results.scenarios
        },
        "n_failed": results.n_failed,
        "notes": results.notes,
    }


def _figure(results: Results, scenario: str, key: str) -> Document:
    servers = results.servers
    return {
        "unit": FIGURES[key].unit,
        "better": "more" if FIGURES[key].more_is_better else "less",
        "median": {name: _brief(results.median(scenario, key, name)) for name in servers},
        "rounds": {
            name: [_brief(value) for value in results.values(scenario, key, name)]
            for name in servers
        },
        "ratio": {name: _brief(results.ratio(scenario, key, name)) for name in servers[1:]},
    }


def _brief(value: float | None) -> float | None:
    """Six digits: more is noise."""
    return None if value is None else float(f"{value:.6g}")


def line(doc: Document) -> str:
    """A document on one line."""
    return json.dumps(doc, ensure_ascii=False, allow_nan=False, default=str)


# ---------------------------------------------------------------------------------- the card


def card(results: Results, facts: Document) -> str:
    """The medians side by side, with the ratio of the first server's to each other's."""
    first, *others = results.servers
    rows = [["", first, *others, *(f"÷ {name}" for name in others)]]
    for scenario in results.scenarios:
        rows.append([_title(scenario)])
        rows += [_row(results, scenario, key) for key in _shown(results, scenario)]
    return "\n".join([*align(rows), "", *_footer(facts), *(f"! {note}" for note in results.notes)])


def _title(scenario: str) -> str:
    return f"{scenario}: {SCENARIOS[scenario].about}" if scenario in SCENARIOS else scenario


def _shown(results: Results, scenario: str) -> list[str]:
    keys = results.figures(scenario)
    if scenario not in SCENARIOS:
        return keys
    return [key for key in SCENARIOS[scenario].shown if key in keys]


def _row(results: Results, scenario: str, key: str) -> list[str]:
    figure = FIGURES[key]
    medians = [results.median(scenario, key, name) for name in results.servers]
    ratios = [results.ratio(scenario, key, name) for name in results.servers[1:]]
    return [
        f"  {figure.name}, {figure.unit} {'↑' if figure.more_is_better else '↓'}",
        *(_number(value, figure.n_digits) for value in medians),
        *(_number(value, 2) for value in ratios),
    ]


def _number(value: float | None, n_digits: int) -> str:
    return _MISSING if value is None else f"{value:,.{n_digits}f}"


def align(rows: list[list[str]]) -> list[str]:
    """Rows as lines, columns aligned: the first to the left, numbers to the right.

    A row of one cell is a title and may be as long as it likes.
    """
    table = [row for row in rows if len(row) > 1]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        row[0]
        if len(row) == 1
        else "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _footer(facts: Document) -> list[str]:
    where = facts["machine"]
    return [
        f"Medians of {facts['rounds']} rounds. ↓ less is better, ↑ more is better; ÷ is the first "
        "column over that one.",
        f"{where['system']}, {where['n_cpus']} processors, load average {where['load_average']} "
        "before the first round.",
    ]
