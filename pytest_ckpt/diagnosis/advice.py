"""What to change, for each kind of state that was lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch

from pytest_ckpt.comparison import Mismatch
from pytest_ckpt.diagnosis.suspects import leads_to_files
from pytest_ckpt.state.freezing import generator_state
from pytest_ckpt.state.naming import is_optimizer_like

__all__ = ["advise"]

_SENTENCES = 5
_RANDOM_STATE = {
    "rng.torch": "torch.get_rng_state() and torch.set_rng_state()",
    "rng.numpy": "numpy.random.get_state() and numpy.random.set_state()",
    "rng.python": "random.getstate() and random.setstate()",
}


def advise(
    causes: Iterable[str],
    mismatches: Iterable[Mismatch],
    components: Mapping[str, str],
    declared: Callable[[str], bool],
) -> str:
    """Return the change that would mend what was lost, in one sentence per cause, at most five.

    Args:
        causes: Paths that were lost.
        mismatches: How they differ.
        components: Component name to its kind, as :func:`component_kinds` returns it.
        declared: Whether a component's state dict holds a path.
    """
    by_path = {mismatch.path: mismatch for mismatch in mismatches}
    sentences: dict[str, str] = {}
    for cause in causes:
        # One mode stands for all of them.
        topic = ".training" if cause.endswith(".training") else cause
        sentences.setdefault(topic, _sentence(cause, _mismatch_of(cause, by_path), components, declared))
    return " ".join(list(dict.fromkeys(sentences.values()))[:_SENTENCES])


def component_kinds(components: Mapping[str, Any]) -> dict[str, str]:
    """Map component names to what advice distinguishes: module, optimizer, generator, other."""

    def kind(component: Any) -> str:
        if isinstance(component, torch.nn.Module):
            return "module"
        if is_optimizer_like(component):
            return "optimizer"
        return "generator" if generator_state(component) is not None else "other"

    return {name: kind(component) for name, component in components.items()}


def _mismatch_of(cause: str, by_path: Mapping[str, Mismatch]) -> Mismatch | None:
    if cause in by_path:
        return by_path[cause]
    return next((m for path, m in by_path.items() if path.startswith((f"{cause}.", f"{cause}["))), None)


def _sentence(
    cause: str, mismatch: Mismatch | None, components: Mapping[str, str], declared: Callable[[str], bool]
) -> str:
    if cause in _RANDOM_STATE:
        return f"Save and restore this random state, last of all in load: {_RANDOM_STATE[cause]}."
    if cause.startswith("rng."):
        kind, indexed, _ = cause.removeprefix("rng.").partition(":")
        every = "_all" if indexed else ""
        return (
            f"Save and restore this random state with torch.{kind}.get_rng_state{every}() and "
            f"torch.{kind}.set_rng_state{every}()."
        )
    if cause.endswith(".training"):
        return f"Put the model back into the mode it was in, after saving and after loading: {cause} changed."
    if "_extra_state" in cause:
        return f"{cause} is in the checkpoint: let set_extra_state() put it back, and do not filter its key out."
    if cause.endswith(".grad"):
        return f"Gradients are not in a state dict: save {cause} too, or save only where they are zeroed."
    name = next((n for n in components if cause == n or cause.startswith((f"{n}.", f"{n}["))), None)
    if mismatch is not None and "rounded to " in mismatch.detail:
        return f"{mismatch.path} was {mismatch.detail[mismatch.detail.index('rounded to ') :]}: write it as it is."
    if mismatch is not None and mismatch.kind == "sharing":
        return _sharing_sentence(cause, mismatch)
    if mismatch is not None and leads_to_files(mismatch):
        return f"Put what {cause} leads to into the checkpoint: what lies there stays behind ({mismatch.expected})."
    if name is None:
        return f"Put {cause} into the checkpoint and restore it in load."
    if cause.endswith(".requires_grad"):
        return f"Freeze and unfreeze in load as training had done by then: {cause} changed."
    if cause != name and not declared(cause):
        return _undeclared_sentence(cause, name, components[name])
    if mismatch is not None and components[name] == "optimizer" and "'#" in mismatch.actual:
        return f"After loading, {name} holds parameters of no component: build it again for the model that load made."
    if mismatch is not None and mismatch.kind == "dtype" and components[name] == "optimizer":
        return (
            f"{name}.load_state_dict() casts floating-point state to the dtype of its parameter: copy it back as "
            f"{mismatch.expected.split(' ')[0]} afterwards (torch.optim.Optimizer.load_state_dict)."
        )
    if mismatch is not None and mismatch.kind == "dtype":
        return (
            f"Save {mismatch.path} as {mismatch.expected.split(' ')[0]} and load it into a tensor of that dtype "
            "(load_state_dict casts silently)."
        )
    if components[name] == "generator":
        return f"Save the state of {name} and put it back in load: get_state(), getstate() or bit_generator.state."
    if components[name] == "module" and mismatch is not None and cause != name and mismatch.kind != "missing":
        return _module_sentence(cause, name)
    return f"Save {name}.state_dict() and give it to {name}.load_state_dict() in load" + (
        ", after the model is restored and on its final device." if components[name] == "optimizer" else "."
    )


def _sharing_sentence(cause: str, mismatch: Mismatch) -> str:
    if "param_groups" in mismatch.expected:
        # torch.optim.Optimizer.load_state_dict replaces the dicts.
        return f"Loading an optimizer makes new groups: look them up where they are used, since {cause} is an old one."
    if mismatch.expected.startswith("a parameter of"):
        optimizer = mismatch.expected.removeprefix("a parameter of ")
        return f"Fill {cause} in place (copy_()) when loading, or build {optimizer} again: it goes on with the old one."
    if mismatch.expected.startswith("the same"):
        return f"Let {cause} be {mismatch.expected} after loading, too: it is {mismatch.actual}."
    if mismatch.actual.startswith("shares"):
        return f"Let load put a copy into {cause}: after loading it {mismatch.actual}, and follows the live model."
    return (
        f"Set a copy aside (copy.deepcopy) where {cause} is filled: it {mismatch.expected}, and follows the live model."
    )


def _undeclared_sentence(cause: str, name: str, kind: str) -> str:
    if kind == "module":
        return (
            f"No state dict holds {cause}: register it as a buffer, return it from get_extra_state(), or put it "
            "into the checkpoint and restore it in load."
        )
    return (
        f"{name}.state_dict() does not hold {cause}: add it there and in load_state_dict(), or put it into the "
        "checkpoint and restore it in load."
    )


def _module_sentence(cause: str, name: str) -> str:
    return (
        f"Check that load gives {cause} to {name}.load_state_dict(..., strict=True), under the name it was saved "
        "with, and that nothing overwrites it afterwards."
    )
