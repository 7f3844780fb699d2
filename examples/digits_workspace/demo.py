"""Checks the example, then plants one bug after another in it and shows what pytest-ckpt says.

Run with the names of bugs to see only those.
"""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from digits_workspace.planted_bugs import BUGS, PlantedBug, plant
from digits_workspace.train import make_run
from pytest_ckpt import Outcome, Outcomes, check_training_run

WIDTH = 100
BOLD, RED, GREEN, DIM = "1", "31", "32", "2"
# Where a bug shows in several checks, these say most about it, the first before the second.
MOST_TELLING = ("saving_changes_nothing", "resume_is_exact")

INTRODUCTION = """
A convolutional classifier of handwritten digits, trained by a workspace that saves itself in a
thread: AdamW with two parameter groups, warm-up and cosine schedule, an averaged model, dropout,
batch norm, shuffling, augmentation. Stopped after any step and started again, it must be the same
run.
"""


def paint(text: str, *styles: str) -> str:
    return f"\033[{';'.join(styles)}m{text}\033[0m" if sys.stdout.isatty() else text


def paragraph(text: str, indent: str = "    ", styles: tuple[str, ...] = ()) -> Iterator[str]:
    for line in textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent):
        yield paint(line, *styles)


def excerpt(outcome: Outcome) -> Iterator[str]:
    """The plugin's own words: what happened, the first difference, who is to blame and what to change."""
    yield paint(f"    {outcome.check}", BOLD)
    yield from paragraph(outcome.summary)
    for mismatch in outcome.mismatches[:1]:
        width = max(map(len, outcome.words)) + 1
        detail = f" ({mismatch.detail})" if mismatch.detail else ""
        yield from paragraph(f"{mismatch.path}{detail}", "        ")
        if mismatch.expected != mismatch.actual:
            yield f"            {outcome.words[0] + ':':<{width}} {mismatch.expected}"
            yield f"            {outcome.words[1] + ':':<{width}} {mismatch.actual}"
    for detail in outcome.details[:2]:
        yield from paragraph(detail.strip(), "        " if detail.startswith(" ") else "    ")
    yield from paragraph(outcome.advice, styles=(GREEN,))


def names(bug: PlantedBug, outcome: Outcome) -> bool:
    said = (*outcome.causes, *outcome.details, *(mismatch.path for mismatch in outcome.mismatches))
    return any(bug.lost in part for part in said)


def show_correct(outcomes: Outcomes, seconds: float) -> bool:
    passed = [outcome for outcome in outcomes if outcome.status == "pass"]
    for outcome in outcomes:
        colour = GREEN if outcome.status == "pass" else RED
        print(paint(f"  {outcome.status:<6}", colour), outcome.check, outcome.summary)
    print(f"\n{len(passed)} of {len(outcomes)} default checks pass, in {seconds:.1f} s.")
    return len(passed) == len(outcomes)


def show_bug(number: int, bug: PlantedBug) -> tuple[str, str]:
    """Print what a bug is and what the plugin says; return the checks that caught it and the name."""
    print(f"\n{number:2}. {paint(bug.name, BOLD)} ({bug.file})\n")
    for line in bug.diff().splitlines():
        print("    " + paint(line, RED if line.startswith("-") else GREEN))
    failures = check_training_run(plant(bug), raise_on_failure=False).failures
    telling = [outcome for outcome in failures if names(bug, outcome)]
    telling.sort(key=lambda outcome: (*MOST_TELLING, outcome.check).index(outcome.check))
    print()
    for outcome in (telling or list(failures))[:1]:
        print("\n".join(excerpt(outcome)))
    caught = [outcome.check for outcome in (*telling, *failures)]
    more = f" and {len(failures) - 1} more" if len(failures) > 1 else ""
    return (caught[0] + more if caught else "", bug.lost.strip(".") if telling else "")


def show_table(found: dict[str, tuple[str, str]]) -> None:
    widest = max(map(len, found))
    print(paint(f"\n{'planted bug':<{widest}}  {'caught by':<34}  named", BOLD))
    for name, (caught, named) in found.items():
        line = f"{name:<{widest}}  {caught or 'MISSED':<34}  {named or 'NO'}"
        print(line if caught and named else paint(line, RED))


def main(chosen: list[str]) -> int:
    if unknown := set(chosen) - {bug.name for bug in BUGS}:
        print(f"No bug is called {', '.join(sorted(unknown))}. There are:", file=sys.stderr)
        print("\n".join(f"  {bug.name}" for bug in BUGS), file=sys.stderr)
        return 2
    began = time.perf_counter()
    print(INTRODUCTION)
    outcomes = check_training_run(make_run, raise_on_failure=False)
    correct = show_correct(outcomes, time.perf_counter() - began)
    bugs = [bug for bug in BUGS if not chosen or bug.name in chosen]
    print(paint("\nNow one line is changed at a time, and this is what pytest-ckpt says.", BOLD))
    found = {bug.name: show_bug(number, bug) for number, bug in enumerate(bugs, 1)}
    show_table(found)
    good = sum(all(cells) for cells in found.values())
    seconds = time.perf_counter() - began
    print(f"\n{good} of {len(found)} planted bugs caught and named, in {seconds:.0f} s altogether.")
    return int(good < len(found) or not correct)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
