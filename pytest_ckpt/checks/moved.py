"""What to say of a checkpoint that was moved, and what to change."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from pytest_ckpt.checks.evidence import Evidence
from pytest_ckpt.devices import Misplaced
from pytest_ckpt.relocation import Relocation

__all__ = ["advice", "is_serious", "misplaced_lines", "notes"]

_SENTENCES = 3
_SHOWN = 6
# What torch itself says, in torch.serialization, torch.cuda, torch.random and torch._C.
_KNOWN = (
    ("Attempting to deserialize object on", "Call torch.load(path, map_location=device) with the device of this run."),
    ("RNG state must be a torch.ByteTensor", "Random state is kept on the CPU: give it to its setter as state.cpu()."),
    (
        "attempting to assign a gradient",
        "Move a gradient to the device of its parameter: p.grad = gradient.to(p.device).",
    ),
    ("convert cuda", "Read the values of a tensor with tensor.cpu().numpy(), wherever it is."),
)
_ABSENT = (
    "Take the device from the run that loads, not from the checkpoint, and ask torch.cuda.is_available() and "
    "torch.cuda.device_count() before a device is used by its number."
)
_OTHERWISE = "Move to the device of this run whatever load does not give to load_state_dict()."


def is_serious(evidence: Evidence, item: Misplaced) -> bool:
    """Whether a place is wrong although the run trains on.

    What else the run holds may be anywhere. So may the counters of optimizers: read with ``map_location=device``, as
    torch's own tutorials do, they are on the device, and ``load_state_dict`` leaves them there.
    """
    if item.what in ("optimizer state", "parameter that is not the model's"):
        return True
    return evidence.kinds.get(evidence.component_of(item.path)) == "module" and evidence.declared(item.path)


def misplaced_lines(found: Relocation) -> Iterator[str]:
    """Yield a line for each of the first tensors in the wrong place, one of each component before a second one."""
    if found.misplaced:
        yield "In the wrong place, after loading:"
    seen: Counter[str] = Counter()
    ranked = []
    for item in found.misplaced:
        root = re.split(r"[.\[]", item.path, maxsplit=1)[0]
        ranked.append((seen[root], item))
        seen[root] += 1
    for _, item in sorted(ranked, key=lambda pair: min(pair[0], 1))[:_SHOWN]:
        place = f"on {item.where}, belongs on {item.should_be}" if item.should_be else f"on {item.where}"
        yield f"    {item.path} ({item.what}): {place}"
    if len(ranked) > _SHOWN:
        yield f"    and {len(ranked) - _SHOWN} more"


def notes(found: Relocation) -> Iterator[str]:
    """Yield what is in another place and seems to harm nobody."""
    if found.misplaced:
        places = ", ".join(f"{item.path} on {item.where}" for item in found.misplaced[:_SHOWN])
        yield f"After loading elsewhere than where training has it, and the steps that follow are the same: {places}."


def advice(found: Relocation) -> str:
    """Return the change that would mend it."""
    remedies = dict.fromkeys(item.remedy for item in found.misplaced)
    failure = str(found.failure) if found.failure is not None else ""
    known = [sentence for words, sentence in _KNOWN if words in failure]
    if known or remedies:
        return " ".join([*known, *remedies][:_SENTENCES])
    # A load fails on what is not there, and a step on what is in two places.
    return _ABSENT if failure and found.target != found.source and "same device" not in failure else _OTHERWISE
