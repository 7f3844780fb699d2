"""Names under a prefix that the other side has not: whose it is, and the line that takes it off."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

__all__ = ["PrefixGap", "advise_on_error", "advise_on_file", "advise_on_names", "find_gap"]

# What a wrapper's attribute puts before the names of the model inside.
_WRAPPERS = {
    "module": "DataParallel or DistributedDataParallel",
    "_orig_mod": "torch.compile",
    "_fsdp_wrapped_module": "FullyShardedDataParallel",
    "_checkpoint_wrapped_module": "checkpoint_wrapper",
}
_CONSUME = "torch.nn.modules.utils.consume_prefix_in_state_dict_if_present"


@dataclass(frozen=True, kw_only=True, slots=True)
class PrefixGap:
    """Names that are the same but for how they begin.

    Attributes:
        given: How the names in the state dict begin; may be empty.
        wanted: How those of the model begin; may be empty, too.
        matched: How many names are the same behind these.
    """

    given: str
    wanted: str
    matched: int


def find_gap(missing: Collection[str], unexpected: Collection[str]) -> PrefixGap | None:
    """Return what stands before the unexpected names instead of what stands before the missing ones.

    It must account for at least half of the missing names, and for two if there are two: one ``weight`` is
    like another.
    """
    wanted_names, given_names = frozenset(missing), frozenset(unexpected)
    found = (
        PrefixGap(given=given, wanted=wanted, matched=_count(given, wanted, given_names, wanted_names))
        for given, wanted in _candidates(sorted(wanted_names), sorted(given_names))
    )
    # The shorter of two that account for the same.
    best = max(found, key=lambda gap: (gap.matched, -len(gap.given) - len(gap.wanted)), default=None)
    enough = max(min(len(wanted_names), 2), (len(wanted_names) + 1) // 2)
    return best if best is not None and best.matched >= enough else None


_NAMES_TRIED = 3
_PREFIXES_TRIED = 8


def _candidates(missing: list[str], unexpected: list[str]) -> set[tuple[str, str]]:
    """Return pairs of beginnings with which a missing name becomes an unexpected one.

    A few missing names are enough, since half of them must fit; and so are those that leave the most in common.
    """
    found: set[tuple[str, str]] = set()
    for name in missing[:: max(1, len(missing) // _NAMES_TRIED)]:
        ends = {name, *(name[match.end() :] for match in re.finditer(r"\.", name))}
        shared = [(_shared_end(name, other, ends), other) for other in unexpected]
        longest = sorted((pair for pair in shared if pair[0]), key=lambda pair: -len(pair[0]))[:_PREFIXES_TRIED]
        found |= {(other.removesuffix(end), name.removesuffix(end)) for end, other in longest}
    return found


def _shared_end(name: str, other: str, ends: set[str]) -> str:
    """Return the longest end of both names that has a prefix before it, if any."""
    fit = (end for end in ends | {other} if name.endswith(end) and other.endswith(end))
    return max((end for end in fit if _at_a_boundary(name, other, end)), key=len, default="")


def _at_a_boundary(name: str, other: str, end: str) -> bool:
    """Whether what comes before ``end`` is a prefix: all of it is one on at least one side, or both end in a dot."""
    before = [text[: len(text) - len(end)] for text in (name, other)]
    return "" in before or all(text.endswith(".") for text in before)


def _count(given: str, wanted: str, given_names: frozenset[str], wanted_names: frozenset[str]) -> int:
    return sum(
        name.startswith(given) and wanted + name[len(given) :] in wanted_names
        for name in given_names
        if given != wanted
    )


def advise_on_error(text: str) -> str:
    """Return the remedy for an error of ``Module.load_state_dict`` that a prefix explains; empty for any other."""
    names: dict[str, list[str]] = {"Missing": [], "Unexpected": []}
    for line in text.splitlines():
        if (found := re.match(r"\s*(Missing|Unexpected) key\(s\) in state_dict: ", line)) is not None:
            names[found[1]] += re.findall(r'"([^"]+)"', line)
    return advise_on_names(names["Missing"], names["Unexpected"])


def advise_on_names(missing: Collection[str], unexpected: Collection[str]) -> str:
    """Return how to bring names in a state dict together with those of a model, if only prefixes part them.

    Args:
        missing: Names of the model that the state dict has not.
        unexpected: Names in the state dict that the model has not.

    Returns:
        One or two sentences; empty if no prefix explains the names.
    """
    if (mangled := _lost_letters(missing, unexpected)) is not None:
        return mangled
    gap = find_gap(missing, unexpected)
    if gap is None:
        return ""
    if (gap.given, gap.wanted) == (".", ""):
        return (
            "Names arrive with a dot before them: a prefix was taken off without its own. "
            'Take both off: removeprefix("_orig_mod."), and not removeprefix("_orig_mod").'
        )
    average = "n_averaged" in {*missing, *unexpected}
    if not gap.wanted:
        return _take_off(gap, average=average)
    if not gap.given:
        return _go_inside(gap, average=average)
    return _exchange(gap)


def advise_on_file(missing: Collection[str], unexpected: Collection[str]) -> str:
    """Return the same for names of a file of which nobody knows how load reads them.

    A prefix that is no wrapper's may well be the program's own, and load know of it.
    """
    gap = find_gap(missing, unexpected)
    if gap is None or all(not prefix or _whose(prefix, average=False) for prefix in (gap.given, gap.wanted)):
        return advise_on_names(missing, unexpected)
    return f"{_apart(gap)}: check that load translates them."


def _apart(gap: PrefixGap) -> str:
    if not gap.wanted:
        return f'Names in the checkpoint begin with "{gap.given}" and those of the model do not'
    if not gap.given:
        return f'Names of the model begin with "{gap.wanted}" and those in the checkpoint do not'
    return f'Names in the checkpoint begin with "{gap.given}" and those of the model with "{gap.wanted}"'


def _take_off(gap: PrefixGap, *, average: bool) -> str:
    what, prefix = _apart(gap), gap.given
    consume = f'take it off in load: {_CONSUME}(state_dict, "{prefix}").'
    if not (whose := _whose(prefix, average=average)):
        return f"{what}: {consume}"
    return f"{what}: it is that of {whose}. Save model.{prefix}state_dict(), or {consume}"


def _go_inside(gap: PrefixGap, *, average: bool) -> str:
    what, prefix = _apart(gap), gap.wanted
    if whose := _whose(prefix, average=average):
        return f"{what}: it is that of {whose}. Load into the model inside: model.{prefix}load_state_dict(state_dict)."
    if prefix.endswith("."):
        return f"{what}: load into the part that has them: model.{prefix}load_state_dict(state_dict)."
    return f'{what}: put it before them in load: {{"{prefix}" + name: value for name, value in state_dict.items()}}.'


def _exchange(gap: PrefixGap) -> str:
    what = _apart(gap)
    given, wanted = (_whose(prefix, average=False) for prefix in (gap.given, gap.wanted))
    if given and wanted:
        return (
            f"{what}: the first is that of {given}, the second that of {wanted}. Save model.{gap.given}state_dict() "
            f"and load into the model inside: model.{gap.wanted}load_state_dict(state_dict)."
        )
    inner = _inserted(*sorted((gap.given, gap.wanted), key=len))
    whose = f'"{inner}" is that of {_whose(inner, average=False)}; ' if _whose(inner, average=False) else ""
    return f'{what}: {whose}translate them in load: name.replace("{gap.given}", "{gap.wanted}", 1).'


def _inserted(shorter: str, longer: str) -> str:
    """Return what the longer prefix has after all of the shorter one; empty if they part before."""
    return longer.removeprefix(shorter) if longer.startswith(shorter) else ""


def _whose(prefix: str, *, average: bool) -> str:
    """Name the wrappers that a prefix is made of, outermost first; empty if one of its parts is not known."""
    parts = prefix.removesuffix(".").split(".")
    if not prefix.endswith(".") or any(part not in _WRAPPERS for part in parts):
        return ""
    if average and parts == ["module"]:
        return "AveragedModel"
    return " around ".join(_WRAPPERS[part] for part in parts)


def _lost_letters(missing: Iterable[str], unexpected: Collection[str]) -> str | None:
    """Recognise ``lstrip``, which takes letters and not a prefix."""
    for name in missing:
        for prefix in ("module.", "_orig_mod.", "model."):
            mangled = name.lstrip(prefix)
            if mangled != name and mangled in unexpected and not name.endswith(f".{mangled}"):
                return (
                    f'"{name}" arrives as "{mangled}": lstrip() takes letters, each that it is given, and not a '
                    "prefix. Use removeprefix()."
                )
    return None
