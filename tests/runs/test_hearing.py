"""What counts as something that a call said."""

from __future__ import annotations

import logging
import sys
import warnings
from collections import namedtuple
from collections.abc import Callable
from typing import Any

import pytest
import torch

from pytest_ckpt.runs.hearing import Heard, listening


def hear(call: Callable[[], Any]) -> Heard:
    with listening() as heard:
        heard.returned(call())
    return heard


def said(*lines: str) -> Heard:
    return Heard(lines=list(lines))


def warn() -> None:
    warnings.warn("2 keys are missing", stacklevel=1)


def log_quietly() -> None:
    logger = logging.getLogger("quiet")
    logger.propagate = False
    logger.error("no %s", "optimizer")


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (warn, "warned: UserWarning: 2 keys are missing"),
        (lambda: logging.getLogger("a.b").warning("missing %s", ["w"]), "logged: WARNING: missing ['w']"),
        (log_quietly, "logged: ERROR: no optimizer"),
        (lambda: print("skipped w"), "printed: skipped w"),
        (lambda: print("skipped w", file=sys.stderr), "printed: skipped w"),
        (lambda: sys.stdout.buffer.write("über w\n".encode()), "printed: über w"),
        (lambda: logging.getLogger("a.b").warning("%d keys", "no"), "logged: WARNING: %d keys"),
    ],
)
def test_what_is_said_is_heard_and_not_shown(
    call: Callable[[], Any], line: str, capsys: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    assert line in hear(call).lines
    assert capsys.readouterr() == ("", "")
    assert not recwarn.list


def test_information_is_no_report() -> None:
    def inform() -> None:
        logger = logging.getLogger("talkative")
        logger.setLevel(logging.DEBUG)
        logger.info("missing keys")

    assert hear(inform).lines == ["returned: None"]


def test_a_logger_that_is_turned_down_reports_nothing() -> None:
    def whisper() -> None:
        logger = logging.getLogger("turned down")
        logger.setLevel(logging.ERROR)
        logger.warning("missing keys")

    assert hear(whisper).lines == ["returned: None"]


Keys = namedtuple("Keys", "missing_keys unexpected_keys")


class Result:
    def __init__(self) -> None:
        self.problem = "no optimizer"


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        (None, ["returned: None"]),
        (False, ["returned: False"]),
        (Keys(["w"], []), ["returned: 'w'"]),
        ({"missing": ["w"]}, ["returned: 'missing'", "returned: 'w'"]),
        (Result(), ["returned: 'no optimizer'"]),
        (3, []),
        (torch.ones(1), []),
        ({"model": {"w": torch.ones(1)}, "name": "net"}, []),
    ],
)
def test_names_and_flags_that_are_returned_count_and_what_was_loaded_does_not(value: Any, lines: list[str]) -> None:
    assert hear(lambda: value).lines == lines


def test_what_is_always_said_is_no_report() -> None:
    usual = said("printed: loading", "warned: old format")

    assert said("printed: loading", "warned: old format").beyond(usual, usual) == ""
    assert said("printed: loading", "printed: 1 key is missing").beyond(usual, usual) == "printed: 1 key is missing"


def test_the_same_line_once_more_is_a_report() -> None:
    usual = said("warned: a key is missing")

    assert said(*usual.lines * 2).beyond(usual, usual) == "warned: a key is missing"


def test_another_number_is_a_report_unless_numbers_differ_anyway() -> None:
    stable, timed = said("printed: loaded 6 tensors"), said("printed: loaded in 0.31 s")

    assert said("printed: loaded 5 tensors").beyond(stable, stable) == "printed: loaded 5 tensors"
    assert said("printed: loaded in 0.52 s").beyond(timed, said("printed: loaded in 0.33 s")) == ""


def test_an_error_passes_through_and_leaves_no_trace() -> None:
    call_handlers, filters = logging.Logger.callHandlers, list(warnings.filters)

    with pytest.raises(KeyError), listening():
        raise KeyError("w")

    assert logging.Logger.callHandlers is call_handlers
    assert warnings.filters == filters
