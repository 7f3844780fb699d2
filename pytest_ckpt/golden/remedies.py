"""What to change so that old checkpoints are read again: the advice below a verdict."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_ckpt.golden.arrival import is_slot
from pytest_ckpt.golden.verdict import Finding, Verdict

__all__ = ["remedies"]

_CROSSED = "at another parameter"
_HOOK = """\
    def read_old_names(module, state_dict, prefix, *_):
        for old, new in {names}.items():
            for key in [key for key in state_dict if key.startswith(f"{{prefix}}{{old}}.")]:
                state_dict[prefix + new + key[len(prefix + old) :]] = state_dict.pop(key)

    {model}.register_load_state_dict_pre_hook(read_old_names)"""

_STRICT = "strict=False is no remedy: it leaves these tensors at the values they were made with, in silence."


def remedies(verdict: Verdict, model: str) -> Iterator[str]:
    """Yield lines that say what to do about what breaks.

    Args:
        verdict: The verdict.
        model: The component whose layers seem to have other names.
    """
    found = verdict.breaking
    if not found:
        return
    if any(finding.kind == "own checkpoint" for finding in found):
        yield "Today's code does not even read what it has just saved: mend that first (ckpt.round_trip says more)."
        return
    if verdict.direction == "forward":
        yield "Old code reads only what it knows: write both the old and the new entries for a release or two."
        return
    kinds = {finding.kind for finding in found}
    if _CROSSED in kinds:
        found = tuple(finding for finding in found if finding.path != "step")  # which follows from it
    if verdict.renamed and kinds & {"lost", "not in the new file"}:
        yield "Names seem to have changed. Let the model translate them before it reads a state dict:"
        yield from _HOOK.format(names=dict(verdict.renamed), model=model).splitlines()
        yield _STRICT
    else:
        yield from dict.fromkeys(_one(finding, verdict) for finding in found)


def _one(finding: Finding, verdict: Verdict) -> str:
    if finding.kind == _CROSSED or is_slot(finding.path) or "param_groups[" in finding.path:
        return (
            "torch finds optimizer state by position. Keep the parameters and groups in their order, or let load "
            "arrange state_dict['state'] and state_dict['param_groups'] by the names of the old order."
        )
    if finding.kind == "loads, but does not train":
        return "The state is that of another optimizer: let load convert it, or leave it out and say so with a waiver."
    if finding.kind == "rounded to another dtype":
        return "load_state_dict casts in silence. Keep the dtype in the checkpoint and cast after the load."
    if finding.kind == "of another class":
        return "Let load look at what it is given, and take from another class's state only what has a meaning here."
    if finding.path == "losses":
        return (
            "Everything has arrived, and the same state now trains otherwise. If that is meant, say so with a waiver."
        )
    if verdict.raised and finding.kind == "not in the old file":
        return (
            "Let load do without what old files lack: raise _version of the module and fill it in "
            "_load_from_state_dict, or in a hook of register_load_state_dict_pre_hook; read entries with .get()."
        )
    return (
        "Let load translate the old form: a hook of register_load_state_dict_pre_hook, or a higher _version and "
        "_load_from_state_dict. strict=False is no remedy: it leaves out in silence."
    )
