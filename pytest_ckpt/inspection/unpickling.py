"""Reading a pickle without making anything of it: names stay names, calls are written down and not made."""

from __future__ import annotations

import pickletools
import warnings
from collections import Counter
from collections.abc import Callable
from typing import IO, Any

from pytest_ckpt.inspection.contents import Call, Symbol, UnreadableFile

__all__ = ["PickleReader"]

_MARK = object()
_EMPTY = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_SET": set, "EMPTY_TUPLE": tuple}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES, _IGNORED = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}, {"PROTO", "FRAME", "READONLY_BUFFER"}
_VALUES = {
    *("FLOAT", "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}


class PickleReader:
    """Reads the pickles of a file, one after the other.

    The operations of a pickle are those of Python's ``pickletools``, which imports and calls nothing.

    Attributes:
        symbols: The classes and functions named so far, and how often.
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
        self._protocol = 0
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
            UnreadableFile: If it is none, or is cut off.
        """
        self._stack, self._memo = [], {}
        start = file.tell()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of escape sequences in damaged strings
                return self._run(file)
        except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError, MemoryError) as error:
            words = str(error) or type(error).__name__
            raise UnreadableFile(
                f"The pickle at byte {start} is damaged or no pickle, near byte {file.tell()}: {words}."
            ) from error

    def _run(self, file: IO[bytes]) -> Any:
        for operation, argument, _ in pickletools.genops(file):
            if operation.name == "STOP":
                break
            self._do(operation.name, argument)
        return self._stack.pop()

    def _do(self, name: str, argument: Any) -> None:
        if name in _VALUES:
            self._stack.append(argument)
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

    def _need(self, count: int) -> None:
        if len(self._stack) < count:
            raise IndexError("an operation finds too little on the stack")

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
        self._stack.append(self._stack[-1])

    def _put(self, index: int) -> None:
        self._memo[index] = self._stack[-1]

    _binput = _long_binput = _put

    def _memoize(self, _: Any) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def _get(self, index: int) -> None:
        self._stack.append(self._memo[index])

    _binget = _long_binget = _get

    def _tuple(self, _: Any) -> None:
        self._stack.append(tuple(self._to_mark()))

    def _list(self, _: Any) -> None:
        self._stack.append(self._to_mark())

    def _dict(self, _: Any) -> None:
        items = self._to_mark()
        self._stack.append(dict(zip(items[::2], items[1::2], strict=True)))

    def _frozenset(self, _: Any) -> None:
        self._stack.append(frozenset(self._to_mark()))

    def _append(self, _: Any) -> None:
        value = self._stack.pop()
        self._extend(self._stack[-1], [value])

    def _appends(self, _: Any) -> None:
        items = self._to_mark()
        self._extend(self._stack[-1], items)

    def _additems(self, _: Any) -> None:
        items = self._to_mark()
        self._extend(self._stack[-1], items)

    def _setitem(self, _: Any) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        self._update(self._stack[-1], [key, value])

    def _setitems(self, _: Any) -> None:
        items = self._to_mark()
        self._update(self._stack[-1], items)

    @staticmethod
    def _extend(target: Any, items: list[Any]) -> None:
        if isinstance(target, list):
            target.extend(items)
        elif isinstance(target, set):
            target.update(items)
        elif isinstance(target, Call):
            target.items = [*(target.items or []), *items]
        else:
            raise TypeError(f"items are added to a {type(target).__name__}")

    @staticmethod
    def _update(target: Any, items: list[Any]) -> None:
        pairs = dict(zip(items[::2], items[1::2], strict=True))
        if isinstance(target, dict):
            target.update(pairs)
        elif isinstance(target, Call):
            target.items = {**(target.items if isinstance(target.items, dict) else {}), **pairs}
        else:
            raise TypeError(f"keys are set in a {type(target).__name__}")

    def _global(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self._name(module, name)

    def _stack_global(self, _: Any) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise TypeError("a class is named by something that is no string")
        self._name(module, name)

    def _name(self, module: str, name: str) -> None:
        symbol = Symbol(module, name)
        self.symbols[str(symbol)] += 1
        self._stack.append(symbol)

    def _ext1(self, code: int) -> None:
        self._name("copyreg", f"extension {code}")

    _ext2 = _ext4 = _ext1

    def _reduce(self, _: Any) -> None:
        args, function = self._stack.pop(), self._stack.pop()
        self._call(function, args)

    _newobj = _reduce

    def _newobj_ex(self, _: Any) -> None:
        keywords, args, function = self._stack.pop(), self._stack.pop(), self._stack.pop()
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
        known = isinstance(function, Symbol)
        self._stack.append(self._rebuild(function, args) if known else Call(function, args))

    def _build(self, _: Any) -> None:
        state, target = self._stack.pop(), self._stack[-1]
        if not hasattr(target, "build"):
            raise TypeError(f"a {type(target).__name__} is given a state")
        target.build(state)

    def _persid(self, argument: str) -> None:
        self._stack.append(self._persistent(argument))

    def _binpersid(self, _: Any) -> None:
        self._stack.append(self._persistent(self._stack.pop()))

    def _next_buffer(self, _: Any) -> None:
        raise ValueError("its buffers were stored elsewhere (pickle protocol 5, out of band)")
