"""Files that would run something if they were read as pickles, built from operations. What they run leaves a file."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch

__all__ = ["FILES", "call", "named"]


def call(name: str, *arguments: str) -> bytes:
    """A pickle, without its end, that calls a function with texts."""
    module, _, function = name.rpartition(".")
    texts = b"".join(b"X" + len(text).to_bytes(4, "little") + text.encode() for text in arguments)
    return f"c{module}\n{function}\n".encode() + b"(" + texts + b"tR"


def named(module: str, name: str) -> bytes:
    """The same by STACK_GLOBAL, without arguments."""
    return b"\x80\x04" + b"".join(b"\x8c" + bytes([len(text)]) + text.encode() for text in (module, name)) + b"\x93)R"


def _zip(path: Path, entries: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)


def _write(make: Callable[[str], bytes]) -> Callable[[Path, str], object]:
    return lambda path, command: path.write_bytes(make(command))


def _archive(
    make: Callable[[str], dict[str, bytes]], compression: int = zipfile.ZIP_STORED
) -> Callable[[Path, str], None]:
    return lambda path, command: _zip(path, {**make(command), "a/version": b"3\n"}, compression)


def _legacy(command: str) -> bytes:
    file = io.BytesIO()
    for item in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}):
        pickle.dump(item, file, protocol=2)
    return file.getvalue() + call("os.system", command) + b"." + pickle.dumps([], protocol=2)


def _bad_checksum(path: Path, command: str) -> None:
    _zip(path, {"a/data.pkl": call("os.system", command) + b".", "a/version": b"3\n"})
    data = bytearray(path.read_bytes())
    for magic, place in ((b"PK\x03\x04", 14), (b"PK\x01\x02", 16)):
        start = data.index(magic) + place
        data[start : start + 4] = b"\1\2\3\4"
    path.write_bytes(data)


def _after_torch(path: Path, command: str) -> None:
    torch.save({"a": torch.ones(2)}, path)
    path.write_bytes(path.read_bytes() + call("os.system", command) + b".")


def _load_from_bytes(command: str) -> bytes:
    inner = _legacy(command)
    return b"ctorch.storage\n_load_from_bytes\n(B" + len(inner).to_bytes(4, "little") + inner + b"tR."


_SYSTEM = "os.system"

FILES: dict[str, tuple[Callable[[Path, str], object], str]] = {
    "reduce": (_write(lambda c: call(_SYSTEM, c) + b"."), "os.system"),
    "inst": (_write(lambda c: b"(S'" + c.encode() + b"'\nios\nsystem\n."), "os.system"),
    "obj": (_write(lambda c: b"(cos\nsystem\nS'" + c.encode() + b"'\no."), "os.system"),
    "damaged afterwards": (_write(lambda c: call(_SYSTEM, c) + b"\xff\xff\xff"), "os.system"),
    "cut off afterwards": (_write(lambda c: b"\x80\x02" + call(_SYSTEM, c) + b"}X\xff"), "os.system"),
    "something odd before": (_write(lambda c: b"]cos\nsystem\n}b0" + call(_SYSTEM, c) + b"."), "os.system"),
    "a name with an umlaut before": (
        _write(lambda c: b"ccolections\n\xc3\xa4\n0" + call(_SYSTEM, c) + b"."),
        "os.system",
    ),
    "a second pickle": (_write(lambda c: b"}." + call(_SYSTEM, c) + b"."), "inside os.system"),
    "a pickle in bytes": (_write(lambda c: pickle.dumps({"a": call(_SYSTEM, c) + b"."})), "inside os.system"),
    "in bytes of bytes": (
        _write(lambda c: pickle.dumps({"a": pickle.dumps(b"\x80\x02" + call(_SYSTEM, c) + b".")})),
        "inside os.system",
    ),
    "legacy": (_write(_legacy), "os.system"),
    "legacy in a storage": (_write(_load_from_bytes), "os.system"),
    "data.pkl": (_archive(lambda c: {"a/data.pkl": call(_SYSTEM, c) + b"."}), "os.system"),
    "compressed": (
        _archive(lambda c: {"a/data.pkl": call(_SYSTEM, c) + b"."}, compression=zipfile.ZIP_DEFLATED),
        "os.system",
    ),
    "another entry": (
        _archive(lambda c: {"a/data.pkl": b"}.", "a/more.pkl": call(_SYSTEM, c) + b"."}),
        "inside os.system",
    ),
    "an entry of no name": (
        _archive(lambda c: {"a/data.pkl": b"}.", "a/data/7": b"\x80\x02" + call(_SYSTEM, c) + b"."}),
        "inside os.system",
    ),
    "two archives in one": (
        _archive(lambda c: {"long/data.pkl": call(_SYSTEM, c) + b".", "a/data.pkl": b"}."}),
        "os.system",
    ),
    "TorchScript": (
        _archive(lambda c: {"a/data.pkl": call(_SYSTEM, c) + b".", "a/constants.pkl": b")."}),
        "os.system",
    ),
    "wrong checksum": (_bad_checksum, "os.system"),
    "after an archive": (_after_torch, "damaged"),
    "computed name": (
        _write(lambda c: b"cnumpy\nprod\n0cnumpy\nprod.a\ncnumpy\nprod.b\n\x93(S'" + c.encode() + b"'\ntR."),
        "pickle.name_made_while_reading",
    ),
    "memo confusion": (
        _write(
            lambda c: (
                b"\x80\x04\x8c\x02osq\x00\x8c\x06systemq\x01\x8c\x05torch\x94\x8c\x04relu\x94h\x00h\x01\x93(S'"
                + c.encode()
                + b"'\ntR."
            )
        ),
        "os.system",
    ),
    "extension": (_write(lambda c: b"\x82\x07)R."), "copyreg.extension_7"),
}
"""How to write each file for a command, and the name that a scan has to tell."""
