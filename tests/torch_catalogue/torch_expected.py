"""What is known to be lost: by torch itself, or by a format that says so. One line of reason for each.

The list is strict both ways. What is found and not listed fails, and so does an entry for something that is kept,
and an entry that fits nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from torch_round_trips import Found, State

__all__ = ["EXPECTED", "Expected", "applies", "entry_for", "problems"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Expected:
    """One thing that a way does not keep.

    Attributes:
        status: ``refused`` by a format, which says so before it writes, or found ``different``.
        of: A glob of the subject's ``class: name``, or of the class of one of its components.
        ways: Globs of formats, or ``state_dict`` and ``deepcopy``.
        states: When.
        says: What the reason found contains.
        because: Why, and whose fault it is.
    """

    status: Literal["refused", "different"]
    of: str
    ways: tuple[str, ...]
    says: str
    because: str
    states: tuple[State, ...] = ("fresh", "trained")


_PICKLES_BY_NAME = ("torch-whole", "pickle-whole")

EXPECTED = (
    Expected(
        status="refused",
        of="nn.Lazy*: * untouched",
        ways=("torch", "torch-bytesio", "torch-legacy", "torch-mmap"),
        says="weights_only loading refuses torch.nn.parameter.UninitializedParameter",
        because="torch._weights_only_unpickler._get_allowed_globals() does not allow UninitializedParameter, though "
        "Module.state_dict() of a lazy module holds it until the first input",
    ),
    Expected(
        status="refused",
        of="nn.Lazy*: * untouched",
        ways=("safetensors", "dcp"),
        says="cannot keep torch.nn.parameter.UninitializedParameter",
        because="the format writes shapes and bytes, and a lazy module has neither before its first input",
    ),
    Expected(
        status="different",
        of="nn.Lazy*Norm*: * untouched",
        ways=("deepcopy",),
        says="Attempted to use an uninitialized parameter in <function Tensor.__deepcopy__",
        because="torch.nn.parameter.UninitializedBuffer has no __deepcopy__(), as UninitializedParameter has",
    ),
    Expected(
        status="refused",
        of="torch.optim.[a-z]*.*",  # Muon and Adafactor are in modules that are still there
        ways=("dill-whole",),
        says="Can't pickle sentinel: it's not the same object as typing_extensions.sentinel",
        because="torch/optim/__init__.py deletes the names of its submodules, so dill's _import_module() finds no "
        "torch.optim.adamw, pickles the class by value, and fails at a global of its module",
    ),
    Expected(
        status="refused",
        of="lr_scheduler.*: *(lambda)",
        ways=_PICKLES_BY_NAME,
        says="cannot keep torch.optim.lr_scheduler.",
        because="LambdaLR and MultiplicativeLR hold their functions in lr_lambdas, and pickle knows them by name only",
    ),
    Expected(
        status="refused",
        of="nn.AveragedModel of a moving average: *",
        ways=_PICKLES_BY_NAME,
        says="cannot keep torch.optim.swa_utils.AveragedModel",
        because="torch.optim.swa_utils.get_ema_multi_avg_fn() returns a local function, and AveragedModel holds it",
    ),
    Expected(
        status="refused",
        of="nn.utils.parametriz*: *",
        ways=("*-whole",),
        says="Serialization of parametrized modules is only supported through state_dict()",
        because="the class made by torch.nn.utils.parametrize._inject_new_class() refuses in __getstate__()",
    ),
    Expected(
        status="different",
        of="nn.utils.weight_norm: *",
        ways=("deepcopy",),
        says="Only Tensors created explicitly by the user",
        because="torch.nn.utils.weight_norm() keeps the computed weight, which is no leaf, as an attribute",
    ),
    Expected(
        status="different",
        of="nn.utils.spectral_norm: *",
        ways=("deepcopy",),
        says="Only Tensors created explicitly by the user",
        states=("trained",),
        because="torch.nn.utils.SpectralNorm.__call__() keeps the computed weight, which is no leaf, as an attribute",
    ),
    Expected(
        status="different",
        of="nn.utils.prune: *",
        ways=("deepcopy",),
        says="Only Tensors created explicitly by the user",
        because="torch.nn.utils.prune.BasePruningMethod keeps the masked weight, which is no leaf, as an attribute",
    ),
    Expected(
        status="different",
        of="lr_scheduler.CyclicLR: *",
        ways=("state_dict",),
        says="load_state_dict() changes its argument: scheduler._scale_fn_custom",
        because="CyclicLR.load_state_dict() pops a key of the caller's dict, so a second load raises KeyError",
    ),
)


def applies(entry: Expected, labels: Iterable[str], way: str, state: State) -> bool:
    """Whether an entry is about a subject of these labels, sent this way in this state."""
    return (
        state in entry.states
        and any(fnmatchcase(way, glob) for glob in entry.ways)
        and any(fnmatchcase(label, entry.of) for label in labels)
    )


def entry_for(found: Found, entries: Iterable[Expected]) -> Expected | None:
    """Return the entry that expected what was found, if one did."""
    return next((e for e in entries if e.status == found.status and e.says in found.reason), None)


def problems(found: Mapping[str, Found], expected: Mapping[str, Collection[Expected]], *, where: str) -> list[str]:
    """Say in words what is not as it is listed, by subject."""
    words = []
    for name, one in found.items():
        if one.status == "same" and expected[name]:
            listed = " and ".join(entry.because for entry in expected[name])
            words.append(f"{name} {where}: is the same, though torch_expected.py lists it ({listed})")
        elif one.status != "same" and entry_for(one, expected[name]) is None:
            words.append(f"{name} {where}: {one.reason}")
    return words
