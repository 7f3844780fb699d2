"""What a call says: warnings, log records, prints, and what it returns."""

from __future__ import annotations

import contextlib
import io
import logging
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import torch

from pytest_ckpt.state.freezing import ObjectPicture, freeze

__all__ = ["Heard", "listening"]


@dataclass(kw_only=True, slots=True)
class Heard:
    """What a call said, line by line, each with how it was said.

    Attributes:
        lines: Such as ``warned: UserWarning: 2 keys are missing``.
    """

    lines: list[str] = field(default_factory=list)

    def returned(self, value: Any) -> None:
        """Note what the call returned.

        Strings and flags in it count, wherever they are; numbers and tensors do not, nor mappings that hold
        tensors: those are what was loaded, and not what was found wrong with it.
        """
        self.lines += [f"returned: {remark!r}" for remark in _remarks(freeze(value))]

    def beyond(self, usual: Heard, again: Heard) -> str:
        """Return the first thing that was said and is not usually said; empty if there is none.

        Args:
            usual: What such a call says when nothing is wrong.
            again: The same, another time; where they differ, numbers such as times are not compared.
        """
        exact = Counter(usual.lines) == Counter(again.lines)
        known = Counter(usual.lines if exact else map(_without_numbers, usual.lines))
        for line in self.lines:
            spelled = line if exact else _without_numbers(line)
            if not known[spelled]:
                return line
            known[spelled] -= 1
        return ""


def _without_numbers(line: str) -> str:
    return re.sub(r"\d+", "#", line)


def _remarks(value: Any) -> Iterator[str | bool | None]:
    if value is None or isinstance(value, str | bool):
        yield value
    elif isinstance(value, ObjectPicture):
        yield from _remarks(list(value.attributes.values()))
    elif isinstance(value, Mapping):
        if not _holds_tensor(value):
            yield from _remarks([*value, *value.values()])
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _remarks(item)


def _holds_tensor(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_holds_tensor, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_holds_tensor, value))
    return isinstance(value, torch.Tensor)


@contextlib.contextmanager
def listening() -> Iterator[Heard]:
    """Hear what the body says instead of letting it be shown: warnings, logs from WARNING on, and prints."""
    heard = Heard()
    # With a buffer, as the real ones have, for those who write bytes.
    printed = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="replace", write_through=True)

    def note(logger: logging.Logger, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            heard.lines.append(f"logged: {record.levelname}: {_message_of(record)}")

    try:
        with (
            warnings.catch_warnings(record=True) as caught,
            mock.patch.object(logging.Logger, "callHandlers", note),
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(printed),
        ):
            warnings.simplefilter("always")
            yield heard
    finally:
        heard.lines += [f"warned: {item.category.__name__}: {item.message}" for item in caught]
        text = printed.buffer.getvalue().decode("utf-8", "replace")
        heard.lines += [f"printed: {line}" for line in text.splitlines() if line.strip()]


def _message_of(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # Arguments that do not fit the text: no handler of logging raises because of them.
        return str(record.msg)
