"""Reading a pickle without making anything of it: names stay names, calls are written down and not made."""

# Longer than 250 lines because the operations of a pickle are one machine on one stack, a few lines for each.

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import IO, Any

from pytest_ckpt.inspection.contents import Call, Symbol, UnreadableFile, name_of
from pytest_ckpt.inspection.operations import operations

__all__ = ["ERRORS", "UNKNOWN", "PickleReader"]

UNKNOWN = "pickle.name_made_while_reading"
"""Stands for a class or function whose name is not in the pickle, but the result of another call."""

ERRORS = (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError, MemoryError, RecursionError)
"""What malformed data raises where it is taken apart."""

_MARK = object()
_EMPTY = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_SET": set, "EMPTY_TUPLE": tuple}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_IGNORED = {"PROTO", "FRAME", "READONLY_BUFFER"}
_TEXTS = {"STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"}
_BYTES = {"BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"}
_VALUES = {
    *("FLOAT", "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "BINFLOAT"),
    *_TEXTS,
    *_BYTES,
}
_FREE = 1_000_000  # elements that calls may copy, beyond some for each byte that was read
_COPIES = 4  # a text becomes bytes, these become a pickle of their own
_KEY_PARTS = 1000


class PickleReader:
    """Reads the pickles of a file, one after the other.

    The operations are those of Python's ``pickletools``, which imports and calls nothing. What a call would make is
    made up by ``rebuild``; where that fails, the call is noted as it stands, because the unpickler may go on as well.

    Attributes:
        symbols: The classes and functions named so far, and how often.
        bytes_inside: Strings of bytes that may be pickles of their own.
        problems: What does not fit together, one sentence each.
    """

    def __init__(
        self,
        *,
        rebuild: Callable[[Symbol, tuple[Any, ...]], Any],
        persistent: Callable[[Any], Any] = lambda identity: Call(Symbol("pickle", "persistent_load"), (identity,)),
    ) -> None:
        """Prepare to read.

        Args:
            rebuild: Makes a stand-in of a call that a pickle asks for.
            persistent: Makes a stand-in of a persistent id.
        """
        self.symbols: Counter[str] = Counter()
        self.bytes_inside: list[bytes] = []
        self.problems: dict[str, None] = {}
        self._protocol = self._copied = 0
        self._rebuild, self._persistent = rebuild, persistent
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    @property
    def protocol_words(self) -> str:
        """The highest pickle protocol met; the first two do not say which they are."""
        return str(self._protocol or "0 or 1")

    def read(self, file: IO[bytes]) -> Any:
        """Read the next pickle of a file.

        Raises:
            UnreadableFile: If it is none, or is cut off; ``symbols`` holds what it names up to there.
        """
        self._stack, self._memo = [], {}
        self._file, start = file, file.tell()
        try:
            for name, argument in operations(file):
                if name == "STOP":
                    break
                self._do(name, argument)
            return self._take()
        except (*ERRORS, UnreadableFile) as error:
            words = "a name in it is missing" if isinstance(error, KeyError) else str(error) or type(error).__name__
            raise UnreadableFile(
                f"The pickle at byte {start:,} is damaged or no pickle, near byte {file.tell():,}: {words}.",
                symbols=self.symbols,
            ) from error

    def _do(self, name: str, argument: Any) -> None:
        if name in _VALUES:
            self._stack.append(argument)
            if (name in _BYTES or name in _TEXTS) and len(argument) > 2:
                self._note_bytes(argument)
        elif name in _CONSTANTS:
            self._stack.append(_CONSTANTS[name])
        elif name in _EMPTY:
            self._stack.append(_EMPTY[name]())
        elif name in _TUPLES:
            count = _TUPLES[name]
            self._need(count)
            self._stack[-count:] = [tuple(self._stack[-count:])]
        elif name not in _IGNORED:
            getattr(self, f"_{name.lower()}")(argument)
        elif name == "PROTO":
            self._protocol = max(self._protocol, argument)

    def _note_bytes(self, value: Any) -> None:
        if isinstance(value, str):
            value = value.encode("latin-1", "ignore") if value[0] in "\x80c(" else b""
        if value[:1] in (b"\x80", b"c", b"(", b"P"):
            self.bytes_inside.append(value)

    def _need(self, count: int) -> None:
        if len(self._stack) < count or any(value is _MARK for value in self._stack[-count:]):
            raise IndexError("an operation finds too little on the stack")

    def _take(self) -> Any:
        self._need(1)
        return self._stack.pop()

    def _top(self) -> Any:
        self._need(1)
        return self._stack[-1]

    def _odd(self, words: str) -> None:
        if len(self.problems) < 20:
            self.problems[f"In the pickle, {words}."] = None

    def _to_mark(self) -> list[Any]:
        for position in range(len(self._stack) - 1, -1, -1):
            if self._stack[position] is _MARK:
                items = self._stack[position + 1 :]
                del self._stack[position:]
                return items
        raise IndexError("an operation finds no mark on the stack")

    # One method for each operation that is neither a value nor an empty container, by pickletools' name.

    def _mark(self, _: Any) -> None:
        self._stack.append(_MARK)

    def _pop(self, _: Any) -> None:
        self._stack.pop()

    def _pop_mark(self, _: Any) -> None:
        self._to_mark()

    def _dup(self, _: Any) -> None:
        self._stack.append(self._top())

    def _put(self, index: int) -> None:
        self._memo[index] = self._top()

    _binput = _long_binput = _put

    def _memoize(self, _: Any) -> None:
        self._memo[len(self._memo)] = self._top()

    def _get(self, index: int) -> None:
        self._stack.append(self._memo[index])

    _binget = _long_binget = _get

    def _tuple(self, _: Any) -> None:
        self._stack.append(tuple(self._to_mark()))

    def _list(self, _: Any) -> None:
        self._stack.append(self._to_mark())

    def _dict(self, _: Any) -> None:
        self._stack.append(_pairs(self._to_mark()))

    def _frozenset(self, _: Any) -> None:
        self._stack.append(frozenset(map(_checked_key, self._to_mark())))

    def _append(self, _: Any) -> None:
        value = self._take()
        self._extend(self._top(), [value])

    def _appends(self, _: Any) -> None:
        items = self._to_mark()
        self._extend(self._top(), items)

    _additems = _appends

    def _setitem(self, _: Any) -> None:
        value, key = self._take(), self._take()
        self._update(self._top(), [key, value])

    def _setitems(self, _: Any) -> None:
        items = self._to_mark()
        self._update(self._top(), items)

    def _extend(self, target: Any, items: list[Any]) -> None:
        if isinstance(target, Call):
            target.items = [] if target.items is None else target.items
            target = target.items
        if isinstance(target, list):
            target.extend(items)
        elif isinstance(target, set):
            target.update(map(_checked_key, items))
        else:
            self._odd(f"items are added to a {type(target).__name__}")

    def _update(self, target: Any, items: list[Any]) -> None:
        if isinstance(target, Call):
            target.items = {} if target.items is None else target.items
            target = target.items
        if isinstance(target, dict):
            target.update(_pairs(items))
        else:
            self._odd(f"keys are set in a {type(target).__name__}")

    def _global(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self._name(module, name)

    def _stack_global(self, _: Any) -> None:
        name, module = self._take(), self._take()
        if not isinstance(name, str) or not isinstance(module, str):
            self._name(*UNKNOWN.split("."))
            return
        self._name(module, name)

    def _name(self, module: str, name: str) -> None:
        symbol = Symbol(module, name)
        self.symbols[str(symbol)] += 1
        self._stack.append(symbol)

    def _ext1(self, code: int) -> None:
        # copyreg.add_extension: which class a number stands for is settled by the program that reads.
        self._name("copyreg", f"extension_{code}")

    _ext2 = _ext4 = _ext1

    def _reduce(self, _: Any) -> None:
        args, function = self._take(), self._take()
        self._call(function, args)

    _newobj = _reduce

    def _newobj_ex(self, _: Any) -> None:
        keywords, args, function = self._take(), self._take(), self._take()
        if not isinstance(args, tuple):
            raise TypeError(f"a call has a {type(args).__name__} as its arguments")
        self._call(function, (*args, keywords) if keywords else args)

    def _inst(self, argument: str) -> None:
        args = tuple(self._to_mark())
        self._global(argument)
        self._call(self._stack.pop(), args)

    def _obj(self, _: Any) -> None:
        function, *args = self._to_mark()
        self._call(function, tuple(args))

    def _call(self, function: Any, args: Any) -> None:
        if not isinstance(args, tuple):
            raise TypeError(f"a call has a {type(args).__name__} as its arguments")
        self._stack.append(self._made(function, args))

    def _made(self, function: Any, args: tuple[Any, ...]) -> Any:
        if not isinstance(function, Symbol):
            return Call(function, args)
        self._copied += sum(len(item) for item in args if isinstance(item, str | bytes | list | tuple | dict | set))
        if self._copied > _FREE + _COPIES * self._file.tell():
            raise ValueError("its calls make copy after copy of the same data, more than the file holds")
        try:
            return self._rebuild(function, args)
        except (*ERRORS, UnreadableFile) as error:
            self.symbols += Counter(getattr(error, "symbols", {}))
            self._odd(f"the arguments of {function} do not fit: {str(error).rstrip('.') or type(error).__name__}")
            return Call(function, args)

    def _build(self, _: Any) -> None:
        state, target = self._take(), self._top()
        if not hasattr(target, "build"):
            self._odd(f"a {name_of(target)} is given a state")
            return
        try:
            target.build(state)
        except ERRORS as error:
            self._odd(f"the state of a {name_of(target)} does not fit: {error}")

    def _persid(self, argument: str) -> None:
        self._stack.append(self._persistent(argument))

    def _binpersid(self, _: Any) -> None:
        self._stack.append(self._persistent(self._take()))

    def _next_buffer(self, _: Any) -> None:
        raise ValueError("its buffers were stored elsewhere (pickle protocol 5, out of band)")


def _pairs(items: list[Any]) -> dict[Any, Any]:
    if len(items) % 2:
        raise ValueError("a key has no value")
    return dict(zip(map(_checked_key, items[::2]), items[1::2], strict=True))


def _checked_key(key: Any) -> Any:
    """Return a key as it is; one that is nested so deep or wide that its hash takes long, or the stack, is refused."""
    waiting, seen = [key], 0
    while waiting:
        value = waiting.pop()
        seen += 1
        if seen > _KEY_PARTS:
            raise ValueError("a key is nested too deep")
        if isinstance(value, tuple | frozenset):
            waiting.extend(value)
    return key
