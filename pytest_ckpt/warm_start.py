"""Warm starts: which tensors of another model's checkpoint a run has loaded, told by their content."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import torch

from pytest_ckpt.checks import Outcome, Outcomes
from pytest_ckpt.comparison import differ
from pytest_ckpt.diagnosis import advise_on_error, hearing_names
from pytest_ckpt.editing import Document, read_checkpoint
from pytest_ckpt.editing.places import tensors
from pytest_ckpt.errors import CheckpointFailure, UsageError
from pytest_ckpt.paths import matches_any, spell
from pytest_ckpt.runs import LiveRun, MakeRun, build
from pytest_ckpt.state import capture
from pytest_ckpt.state.tensors import describe_tensor
from pytest_ckpt.trips import FIRST_SEED, CallFailed, stage, workspace

__all__ = ["check_warm_start", "warm_start_text"]

_CHECK = "warm_start"
_SHOWN = 20


def check_warm_start(
    make_run: MakeRun,
    path: str | Path,
    *,
    missing: str | Iterable[str] = (),
    unexpected: str | Iterable[str] = (),
    min_fraction: float = 0.0,
    trusted: bool = False,
    raise_on_failure: bool = True,
) -> Outcomes:
    """Check that a run's own ``load`` takes from the checkpoint of another model what it is meant to take.

    A tensor of a module counts as loaded if after ``load`` it is, bit for bit, a tensor of the checkpoint, under
    whatever name: loaders rename. A tensor that was so before ``load`` already, such as a bias of zeros, shows
    nothing and is not counted at all.

    Args:
        make_run: Makes a fresh run with a ``load`` of its own. Called once.
        path: The checkpoint: a file, or a directory of files.
        missing: Globs of the model's tensors that may keep their fresh values, such as ``model.head.*``.
        unexpected: Globs of the checkpoint's tensors that no tensor of the model has to hold, such as ``fc.*``.
        min_fraction: How much of the model must be loaded: loaded elements / all elements that are counted.
        trusted: Whether code in the checkpoint may run when it is read here, as it does with pickles. What the
            run's own ``load`` does with it is its own affair.
        raise_on_failure: Whether a failure raises.

    Raises:
        CheckpointFailure: If something else was loaded or left; its text says what.
        UsageError: If the run has no ``load``, or the checkpoint cannot be read.
    """
    __tracebackhide__ = True
    document = _read(Path(path), trusted=trusted)
    with workspace():
        run = build(make_run, FIRST_SEED)
        name = run.definition.name or str(getattr(make_run, "__qualname__", type(make_run).__qualname__))
        outcome = _judge(run, Path(path), document, _globs(missing), _globs(unexpected), min_fraction)
    outcomes = Outcomes(items=(outcome,), name=name)
    if raise_on_failure and outcome.failed:
        raise CheckpointFailure(warm_start_text(outcomes), outcomes)
    return outcomes


def warm_start_text(outcomes: Outcomes) -> str:
    """Return what a warm start's outcome has to say."""
    outcome = outcomes["warm_start"]
    notes = [f"note: {note}" for note in outcome.notes]
    return "\n".join(filter(None, [outcome.summary, *outcome.details, outcome.advice, *notes]))


def _globs(globs: str | Iterable[str]) -> tuple[str, ...]:
    return (globs,) if isinstance(globs, str) else tuple(globs)


def _read(path: Path, *, trusted: bool) -> Document:
    if not path.exists():
        raise UsageError(f"There is no checkpoint at {path}.")
    document = read_checkpoint(path, trusted=trusted)
    if not document.readable:
        reasons = "; ".join(": ".join(filter(None, (name, file.reason))) for name, file in document.files.items())
        hint = "" if trusted else " If you trust it, say trusted=True."
        raise UsageError(f"{path} is not read: {reasons or 'there is no file in it'}.{hint}")
    return document


_Tensors: TypeAlias = "dict[str, torch.Tensor]"


class _Contents:
    """Tensors to be found again by what is in them."""

    def __init__(self, found: _Tensors) -> None:
        self._alike: dict[tuple[torch.dtype, torch.Size], list[torch.Tensor]] = defaultdict(list)
        for tensor in found.values():
            self._alike[tensor.dtype, tensor.shape].append(tensor)

    def __contains__(self, tensor: torch.Tensor) -> bool:
        return any(not differ(other, tensor, traits=False) for other in self._alike[tensor.dtype, tensor.shape])


@dataclass(frozen=True, kw_only=True, slots=True)
class _Start:
    """What a load took.

    Attributes:
        counted: The model's tensors but those that showed nothing.
        shown_nothing: Those that were a tensor of the checkpoint before load already.
        left: Those of the counted ones that are no tensor of the checkpoint.
        unused: The checkpoint's tensors that are no tensor of the model.
        remedy: What to do about a prefix that kept names apart; empty if none did.
    """

    counted: _Tensors
    shown_nothing: _Tensors
    left: _Tensors
    unused: _Tensors
    remedy: str

    @property
    def fraction(self) -> float:
        """Loaded elements / counted elements."""
        return 1 - _elements(self.left) / max(_elements(self.counted), 1)


def _elements(found: _Tensors) -> int:
    return sum(tensor.numel() for tensor in found.values())


def _load(run: LiveRun, path: Path, document: Document) -> _Start:
    saved = {
        document.spell(name, keys): tensor.detach()
        for name, file in document.readable.items()
        for keys, tensor in tensors(file.content)
        if tensor.numel()
    }
    in_file = _Contents(saved)
    before = _model_tensors(run)
    with stage("load(path)"), hearing_names() as calls:
        run.load(path)
    after = _model_tensors(run)
    silent = {key: t for key, t in after.items() if key in before and not differ(before[key], t) and t in in_file}
    counted = {key: tensor for key, tensor in after.items() if key not in silent}
    in_model = _Contents(after)
    return _Start(
        counted=counted,
        shown_nothing=silent,
        left={key: tensor for key, tensor in counted.items() if tensor not in in_file},
        unused={key: tensor for key, tensor in saved.items() if tensor not in in_model},
        remedy=next((call.advice for call in calls.values() if call.advice), ""),
    )


def _model_tensors(run: LiveRun) -> _Tensors:
    modules = {name: item for name, item in run.components.items() if isinstance(item, torch.nn.Module)}
    state = capture(modules, hidden=False).raw
    return {spell(keys): tensor for keys, tensor in tensors(state) if tensor.numel()}


def _judge(
    run: LiveRun,
    path: Path,
    document: Document,
    missing: tuple[str, ...],
    unexpected: tuple[str, ...],
    min_fraction: float,
) -> Outcome:
    if run.definition.load is None:
        raise UsageError(
            "The run has no load=. A warm start is a matter of the run's own load; give it save= and load=."
        )
    try:
        start = _load(run, path, document)
    except CallFailed as failure:
        return Outcome(
            check=_CHECK,
            status="fail",
            summary=f"{path}: {failure}",
            details=failure.where,
            advice=advise_on_error(str(failure)),
        )
    left = {key: tensor for key, tensor in start.left.items() if not matches_any(key, missing)}
    unused = {key: tensor for key, tensor in start.unused.items() if not matches_any(key, unexpected)}
    too_little = start.fraction < min_fraction
    details = [*_listed(_NOT_LOADED, left), *_listed(_NOT_USED, unused)]
    if too_little:
        details.append(f"That is less than min_fraction={min_fraction}.")
    failed = bool(left or unused or too_little)
    nothing_shown = not start.counted
    return Outcome(
        check=_CHECK,
        status="fail" if failed else "vacuous" if nothing_shown else "pass",
        summary=_summary(path, start) if failed or nothing_shown else "",
        causes=(*left, *unused),
        details=tuple(details),
        advice=(start.remedy if left and unused else "") or _advice(left, unused),
        notes=tuple(_notes(path, document, start)),
    )


_NOT_LOADED = "Not loaded, and not named in missing=:"
_NOT_USED = "In the checkpoint but not in the model, and not named in unexpected=:"


def _listed(title: str, found: _Tensors) -> Iterator[str]:
    if found:
        yield title
    for key, tensor in list(found.items())[:_SHOWN]:
        yield f"    {key}: {describe_tensor(tensor)}"
    if len(found) > _SHOWN:
        yield f"    ... and {len(found) - _SHOWN} more"


def _summary(path: Path, start: _Start) -> str:
    total, loaded = len(start.counted), len(start.counted) - len(start.left)
    if not total:
        return f"{path.name} shows nothing: before load the fresh run already held every tensor that it holds after it."
    return (
        f"From {path.name}, load took {loaded} of {total} tensors of the model, {start.fraction:.1%} of its elements."
    )


def _advice(left: _Tensors, unused: _Tensors) -> str:
    if left and unused:
        return "Let load translate the names in the checkpoint to those of the model, and mind shapes and dtypes."
    if left:
        return "If the model is meant to keep fresh values there, say so in missing=."
    return "If load is meant to leave them out, say so in unexpected=." if unused else ""


def _notes(path: Path, document: Document, start: _Start) -> Iterator[str]:
    if silent := list(start.shown_nothing):
        shown = ", ".join(silent[:5]) + (f" and {len(silent) - 5} more" if len(silent) > 5 else "")
        yield f"Not counted, since the fresh run held a tensor of the checkpoint there before load: {shown}."
    for name, file in document.files.items():
        if file.codec is None:
            yield f"Not read: {name or path.name}: {file.reason}."
