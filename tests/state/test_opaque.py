"""Two things of one kind at different places tell so, whatever kind it is."""

from __future__ import annotations

import csv
import mmap
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_ckpt.state.opaque import position_of


def numbers(start: int) -> Iterator[int]:
    history = [start]
    text = iter("ab")
    ignored = {"a": 1}
    yield history[0]
    next(text)
    history.append(start + 1)
    yield len(ignored)


def delegating() -> Iterator[int]:
    yield from numbers(1)
    yield from [7, 8]


def test_a_generator_stands_at_a_line_with_its_variables() -> None:
    generator = numbers(5)
    next(generator)
    first = position_of(generator)
    next(generator)
    second = position_of(generator)

    assert first.pop("position") < second.pop("position")
    assert first == {
        "start": 5,
        "history": [5],
        "text": {"of": ["ab"], "position": [0]},
    }
    assert second == {"start": 5, "history": [5, 6], "text": {"of": ["ab"], "position": [1]}}
    assert list(generator) == []
    assert position_of(generator) == "finished"


def test_a_generator_stands_where_the_one_inside_it_stands() -> None:
    generator = delegating()
    next(generator)
    inner = position_of(generator)["yield from"]
    next(generator)
    later = position_of(generator)["yield from"]
    next(generator)

    assert (inner["history"], later["history"]) == ([1], [1, 2])
    assert position_of(generator)["yield from"] == {"of": [[7, 8]], "position": [1]}
    assert "yield from" not in position_of(numbers(1))


def test_builtin_iterators_stand_where_they_pickle() -> None:
    items = iter([1, 2, 3])
    next(items)
    pairs = zip(items, iter("ab"), strict=False)

    assert position_of(items) == {"of": [[1, 2, 3]], "position": [1]}
    assert position_of(pairs) == {
        "of": [{"of": [[1, 2, 3]], "position": [1]}, {"of": ["ab"], "position": [0]}],
        "position": [],
    }


def test_an_iterator_with_attributes_is_its_plain_attributes() -> None:
    class Loader:
        def __init__(self) -> None:
            self.cursor, self.order, self.inner, self.config = 3, [2, 1], iter([4]), {"a": 1}

        def __next__(self) -> int:
            return 1

    assert position_of(Loader()) == {"cursor": 3, "order": [2, 1], "inner": {"of": [[4]], "position": [0]}}


def test_a_file_stands_at_its_offset(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_text("one\ntwo\n", encoding="utf-8")

    with path.open(encoding="utf-8") as file:
        file.readline()
        assert position_of(file) == {"offset": 4}
        next(file)
        assert position_of(file) == {"offset": 8}, "a text file that is iterated does not tell"
    assert position_of(file) == {"offset": None}


def test_a_file_in_memory_stands_at_its_offset() -> None:
    with tempfile.SpooledTemporaryFile() as file:
        file.write(b"abc")
        assert position_of(file) == {"offset": 3}


class Named:
    """Is no file, though one of the two methods is there."""

    def __init__(self, **methods: Any) -> None:
        self.__dict__.update(methods, level=2)


@pytest.mark.parametrize("method", ["fileno", "tell"])
def test_half_a_file_is_an_object(method: str) -> None:
    assert position_of(Named(**{method: lambda: 1})) == {"level": 2}


def test_a_handle_is_what_its_type_shows() -> None:
    view = memoryview(bytearray(b"abcd"))[1:3]

    shown = position_of(view)

    assert (shown["nbytes"], shown["format"], shown["readonly"]) == (2, "B", False)
    assert not any(name.startswith("__") for name in shown)
    view.release()
    assert position_of(view) == {}


def test_neither_methods_nor_what_its_class_holds_tell_of_a_thing() -> None:
    class Handle:
        __slots__ = ()
        limit = 5

    assert position_of(Handle()) == {}
    assert position_of(KeyError("a")) == {}


def test_an_iterator_that_does_not_pickle_is_what_its_type_shows() -> None:
    class Stream:
        __slots__ = ()

        def __next__(self) -> int:
            return 1

        def __reduce__(self) -> Any:
            raise TypeError("cannot pickle")

    reader = csv.reader(["a", "b"])
    next(reader)

    assert position_of(Stream()) == {}
    assert position_of(reader) == {"line_num": 1}
    with mmap.mmap(-1, 8) as memory:
        memory.seek(3)
        assert position_of(memory) == {"closed": False}


class Stream:
    """An iterator that draws from a generator method of its own, and knows a partner that is an iterator, too."""

    def __init__(self) -> None:
        self.drawn = 0
        self.partner = self
        self.source = self.generate()

    def generate(self) -> Iterator[int]:
        while True:
            self.drawn += 1
            yield self.drawn

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        return next(self.source)


def test_an_iterator_that_leads_back_to_itself_has_a_position() -> None:
    stream = Stream()
    next(stream)
    first = position_of(stream)
    next(stream)

    assert first["partner"] == "<Stream again>"
    assert first["source"]["self"] == "<Stream again>"
    assert (first["drawn"], position_of(stream)["drawn"]) == (1, 2)


def test_an_iterator_that_refuses_to_be_asked_has_a_position() -> None:
    class Connection:
        def __init__(self) -> None:
            self.sent = 3

        def __getattr__(self, name: str) -> Any:
            raise RuntimeError(f"not connected, no {name}")

        def __next__(self) -> int:
            return 0

    assert position_of(Connection()) == {"sent": 3}
