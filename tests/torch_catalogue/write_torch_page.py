"""Writes the page of results out of what pytest wrote: ``write_torch_page.py RESULTS.xml PAGE.md``."""

from __future__ import annotations

import json
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import torch
from torch_expected import EXPECTED, Expected
from torch_in_memory import IN_MEMORY
from torch_subjects import Subject, all_subjects

from pytest_ckpt.formats import format_names

__all__ = ["Results", "missing", "page", "read_results"]

PROPERTY = "torch catalogue"


@dataclass(frozen=True, kw_only=True, slots=True)
class Results:
    """What the tests counted.

    Attributes:
        groups: Way to the classes that went through it.
        found: Way, status and listed reason to how many round trips.
        checks: Status of the default checks to how many.
    """

    groups: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    found: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    checks: Counter[str] = field(default_factory=Counter)


def read_results(path: Path) -> Results:
    """Read what ``pytest --junitxml`` wrote."""
    results = Results()
    for item in ElementTree.parse(path).iter("property"):
        if item.get("name") != PROPERTY:
            continue
        content = json.loads(item.get("value", ""))
        results.checks.update(content.get("checks", {}))
        for way, _, status, because, count in content.get("rows", ()):
            results.groups[way].add(content["group"])
            results.found[way, status, because] += count
    return results


def missing(results: Results, groups: set[str]) -> str:
    """Say why the results are not those of a whole and successful run; empty if they are."""
    if absent := [way for way in (*format_names(), *IN_MEMORY) if results.groups[way] != groups]:
        return f"not every class went through {', '.join(absent[:3])}{' and others' if len(absent) > 3 else ''}"
    if not results.checks:
        return "the default checks did not run"
    if any(status != "same" and not because for _, status, because in results.found):
        return "something is lost that torch_expected.py does not list"
    return ""


def page(results: Results, subjects: Mapping[str, tuple[Subject, ...]], today: date) -> str:
    """Return the page, in Markdown."""
    kinds = Counter(_kind(group) for group in subjects)
    ways = {
        _kind(group): sum(len(s) for name, s in subjects.items() if _kind(name) == _kind(group)) for group in subjects
    }
    lines = [
        "# All of torch through every format",
        "",
        "Written by `make thorough`; not edited by hand.",
        "",
        f"torch {torch.__version__.partition('+')[0]}, {today.isoformat()}: "
        + ", ".join(f"{kinds[kind]} classes of {kind} made in {ways[kind]} ways" for kind in kinds)
        + ".",
        "Each is saved fresh and after three training steps, loaded into one made under another seed and disturbed,",
        "and compared bit for bit.",
        f"{sum(results.found.values())} round trips, and {sum(results.checks.values())} default checks of whole runs: "
        + ", ".join(f"{count} {status}" for status, count in sorted(results.checks.items()))
        + ".",
        "Vacuous are those of modules without a state; nothing could be lost of them.",
        "",
        "| way | the same | refused, with the reason | known to differ |",
        "|---|---:|---:|---:|",
    ]
    for way in (*format_names(), *IN_MEMORY):
        counts = Counter[str]()
        for (name, status, _), count in results.found.items():
            counts[status] += count if name == way else 0
        lines.append(f"| `{way}` | {counts['same']} | {counts['refused']} | {counts['different']} |")
    return "\n".join([*lines, "", "## What is refused or differs, and why", "", *_losses(results), ""])


def _kind(group: str) -> str:
    return {"nn": "modules", "optim": "optimizers", "lr_scheduler": "schedulers"}[group.partition(".")[0]]


def _losses(results: Results) -> list[str]:
    return ["| what | through | round trips | because |", "|---|---|---:|---|", *(_row(e, results) for e in EXPECTED)]


def _row(entry: Expected, results: Results) -> str:
    ways = ", ".join(f"`{glob}`" for glob in entry.ways)
    count = sum(
        n for (_, status, because), n in results.found.items() if (status, because) == (entry.status, entry.because)
    )
    states = "" if len(entry.states) > 1 else f", {entry.states[0]}"
    return f"| `{entry.of}`{states} | {ways} | {count} {entry.status} | {entry.because} |"


def main(results_path: str, page_path: str) -> None:
    """Write the page, or say why not."""
    results, subjects = read_results(Path(results_path)), all_subjects()
    if reason := missing(results, set(subjects)):
        print(f"{page_path} is left as it was: {reason}.")
    else:
        Path(page_path).write_text(page(results, subjects, date.today()), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
