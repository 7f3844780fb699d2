"""Why it is not the same: blame and advice."""

from pytest_ckpt.diagnosis.advice import advise, component_kinds
from pytest_ckpt.diagnosis.blame import Blame, find_blame, find_differences, find_hidden
from pytest_ckpt.diagnosis.necessity import Need, Needs, find_needs
from pytest_ckpt.diagnosis.ordering import WrongOrder, find_wrong_order
from pytest_ckpt.diagnosis.prefixes import advise_on_error
from pytest_ckpt.diagnosis.suspects import picture
from pytest_ckpt.diagnosis.unmatched import advise_on_load, hearing_names

__all__ = [
    "Blame",
    "Need",
    "Needs",
    "WrongOrder",
    "advise",
    "advise_on_error",
    "advise_on_load",
    "component_kinds",
    "find_blame",
    "find_differences",
    "find_hidden",
    "find_needs",
    "find_wrong_order",
    "hearing_names",
    "picture",
]
