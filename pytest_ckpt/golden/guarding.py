"""One guarded run, start to end: describe today's checkpoint, judge the old ones, and say what is to be done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_ckpt.checks import Outcome
from pytest_ckpt.errors import UsageError
from pytest_ckpt.golden.bench import MODES, Bench, Request, nothing_moved_on, plan_for
from pytest_ckpt.golden.changes import Change, changes_between
from pytest_ckpt.golden.describing import conditions_here
from pytest_ckpt.golden.fabricating import CannotFabricate
from pytest_ckpt.golden.forms import judge_form
from pytest_ckpt.golden.judging import judge
from pytest_ckpt.golden.keeping import MANIFEST, keep, manifest_of
from pytest_ckpt.golden.manifest import Manifest, read_manifest, write_manifest
from pytest_ckpt.golden.telling import CHECK, Told, failure, tell
from pytest_ckpt.golden.verdict import Verdict, waive
from pytest_ckpt.runs import MakeRun, require_factory
from pytest_ckpt.trips import workspace

__all__ = ["MODES", "Guarded", "Request", "guard"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Guarded:
    """What became of it.

    Attributes:
        outcome: What to report.
        wrote: What was written, in words; one line each.
    """

    outcome: Outcome
    wrote: tuple[str, ...] = ()


def guard(make_run: MakeRun, request: Request) -> Guarded:
    """Judge whether old checkpoints and today's code go together, and write what the request allows.

    Args:
        make_run: Makes a fresh run. Called four times, and once or twice more for each golden.
        request: What to guard.

    Raises:
        CkptError: If the run, the manifest or a golden cannot be used.
    """
    if request.mode not in MODES:
        raise UsageError(f"mode={request.mode!r}; there are {', '.join(MODES)}.")
    require_factory(make_run)
    with workspace() as directory, nothing_moved_on(make_run) as make:
        bench = Bench(plan_for(make, request), directory, request)
        path = request.directory / MANIFEST
        if not path.exists():
            return _first(bench, path)
        return _judged(bench, read_manifest(path), path)


def _first(bench: Bench, path: Path) -> Guarded:
    request = bench.request
    if not request.update:
        summary = f"There is no manifest of {request.name} yet, and none is made unasked: {path}"
        advice = f"Make it, look at it and commit it: {request.command}"
        return Guarded(outcome=Outcome(check=CHECK, status="fail", summary=summary, advice=advice))
    if (problem := _own_problem(bench)) is not None:
        return Guarded(outcome=problem)
    return _write(bench, None, (), path, Told())


def _own_problem(bench: Bench) -> Outcome | None:
    """Say that today's code does not read what it saves: nothing can be judged by such a run."""
    own = bench.own
    if not own.arrival.refused and not own.failure:
        return None
    verdict = judge(
        bench.today, bench.today, own, own, direction="backward", of="today's checkpoint", basis="both versions' code"
    )
    return failure((verdict,), (), Told())


def _judged(bench: Bench, old: Manifest, path: Path) -> Guarded:
    if (problem := _own_problem(bench)) is not None:
        return Guarded(outcome=problem)
    request, changes = bench.request, changes_between(old, bench.today)
    notes: list[str] = []
    verdicts, used = [], set[str]()
    for verdict in _verdicts(bench, old, changes, notes):
        waived, globs = waive(verdict, old.waivers, request.today)
        verdicts.append(waived)
        used |= globs
    told = tell(old, tuple(verdicts), frozenset(used), request.today, notes)
    if any(verdict.breaking for verdict in verdicts):
        return Guarded(outcome=failure(tuple(verdicts), changes, told))
    if request.update or (request.keep and not changes):
        return _write(bench, old, changes, path, told, tuple(verdicts))
    return Guarded(outcome=_current(bench, old, changes, told, tuple(verdicts)))


def _verdicts(bench: Bench, old: Manifest, changes: tuple[Change, ...], notes: list[str]) -> Iterator[Verdict]:
    mode = bench.request.mode
    goldens = old.goldens if mode.endswith("_transitive") else old.goldens[-1:]
    if mode.startswith(("backward", "full")):
        if changes:
            try:
                yield bench.fabricated(old)
            except CannotFabricate as error:
                notes.append(
                    f"No checkpoint can be made to the form of {MANIFEST}, so only goldens are loaded: {error}."
                )
        yield from (bench.kept(golden) for golden in goldens)
    if mode.startswith(("forward", "full")):
        if changes:
            yield judge_form(old, bench.today, of=MANIFEST)
        for golden in goldens:
            then = manifest_of(bench.request.directory, golden)
            if changes_between(then, bench.today):
                yield judge_form(then, bench.today, of=golden.name)


def _current(
    bench: Bench, old: Manifest, changes: tuple[Change, ...], told: Told, verdicts: tuple[Verdict, ...]
) -> Outcome:
    torches = [manifest.made_with.get("torch", "") for manifest in (old, bench.today)]
    if not changes:
        return told.outcome("pass")
    if torches[0] != torches[1]:
        note = (
            f"The manifest was made with torch {torches[0]}; with {torches[1]} {_count(changes)}, and nothing breaks."
        )
        return told.outcome("pass", note)
    return failure(verdicts, changes, told, command=bench.request.command, name=bench.request.name)


def _count(changes: tuple[Change, ...]) -> str:
    return "one thing is otherwise" if len(changes) == 1 else f"{len(changes)} things are otherwise"


def _write(
    bench: Bench,
    old: Manifest | None,
    changes: tuple[Change, ...],
    path: Path,
    told: Told,
    verdicts: tuple[Verdict, ...] = (),
) -> Guarded:
    request, wrote = bench.request, []
    goldens, waivers = ((), ()) if old is None else (old.goldens, old.waivers)
    if request.keep:
        golden = keep(
            request.directory, request.keep, bench.written.path, bench.today, bench.losses(), conditions_here()
        )
        goldens += (golden,)
        told = told if golden.losses else replace(told, notes=(*told.notes, _NO_LOSSES))
        wrote.append(f"kept {request.directory / golden.file}")
    if old is None or changes or request.keep:
        write_manifest(replace(bench.today, goldens=goldens, waivers=waivers), path)
        wrote[:0] = [f"wrote {path}{told.change(changes, verdicts) if old is not None else ''}"]
    return Guarded(outcome=told.outcome("pass"), wrote=tuple(wrote))


_NO_LOSSES = "No losses are kept with it: the steps after a load return nothing, or never the same."
