"""The operations of a pickle, one after the other, as Python's own unpickler understands them."""

from __future__ import annotations

import codecs
import pickletools
import warnings
from collections.abc import Callable, Iterator
from typing import IO, Any

from pytest_ckpt.inspection.contents import UnreadableFile

__all__ = ["operations"]

_TABLE = {opcode.code.encode("latin-1"): opcode for opcode in pickletools.opcodes}
_LONGEST_LINE = 1 << 30  # bytes; the first protocol spells a storage as one line
_MOST_DIGITS = 4000  # Python refuses to spell longer numbers
_PIECE = 1 << 20


def operations(file: IO[bytes]) -> Iterator[tuple[str, Any]]:
    """Yield name and argument of each operation up to STOP, by the table of ``pickletools``.

    Arguments that are text are read more leniently than ``pickletools`` does: what it refuses, such as a name with an
    umlaut, the unpickler takes, and a reader that stops earlier does not see what is run afterwards.

    Raises:
        UnreadableFile: If the file ends before STOP, or there is no such operation.
    """
    exact = _Exact(file)
    while code := file.read(1):
        opcode = _TABLE.get(code)
        if opcode is None:
            raise UnreadableFile(f"0x{code.hex()} is no operation of a pickle")
        argument = None if opcode.arg is None else _READERS.get(opcode.arg.name, opcode.arg.reader)(exact)
        yield opcode.name, argument
        if opcode.name == "STOP":
            return
    raise UnreadableFile("it ends too early")


class _Exact:
    """A file whose announced lengths are not trusted: memory is taken as the bytes arrive."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.readline = file, file.readline

    def read(self, size: int) -> bytes:
        if size <= _PIECE:
            return self._file.read(size)
        pieces = []
        while size > 0 and (piece := self._file.read(min(size, _PIECE))):
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)


def _line(file: Any) -> bytes:
    line: bytes = file.readline(_LONGEST_LINE)
    if not line.endswith(b"\n"):
        raise UnreadableFile("a line of text does not end")
    return line[:-1]


def _text(file: Any) -> str:
    return _line(file).decode("utf-8", "surrogateescape")


def _two_names(file: Any) -> str:
    return f"{_text(file)} {_text(file)}"


def _quoted(file: Any) -> str:
    line = _line(file).strip()
    if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
        raise UnreadableFile("a string has no quotes around it")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of escape sequences in damaged strings
        plain: bytes = codecs.escape_decode(line[1:-1])[0]
    return plain.decode("latin-1")


def _escaped(file: Any) -> str:
    return _line(file).decode("raw-unicode-escape", "replace")


def _integer(file: Any) -> int | bool:
    line = _line(file).strip()
    if line in (b"00", b"01"):
        return line == b"01"
    return int(line.removesuffix(b"L")[:_MOST_DIGITS], 0 if line[:1] != b"0" else 10)


def _long(file: Any) -> int:
    return int(_line(file).strip().removesuffix(b"L")[:_MOST_DIGITS] or b"0")


_READERS: dict[str, Callable[[Any], Any]] = {
    "stringnl": _quoted,
    "stringnl_noescape": _text,
    "stringnl_noescape_pair": _two_names,
    "unicodestringnl": _escaped,
    "decimalnl_short": _integer,
    "decimalnl_long": _long,
    "floatnl": lambda file: float(_line(file)),
}
