"""Files that would run something: nothing of it runs, and a scan names it."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import resource
import socket
import struct
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hostile import FILES, call

from pytest_ckpt.cli import main
from pytest_ckpt.inspection import UnreadableFile, inspect_checkpoint
from pytest_ckpt.inspection.comparing import compare_contents
from pytest_ckpt.inspection.safety import risk_of


def scanned(path: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    capsys.readouterr()
    status = main(["scan", "--json", str(path)])
    (document,) = json.loads(capsys.readouterr().out)["files"]
    assert document["status"] == status
    found: dict[str, object] = document
    return found


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_is_named_and_not_run(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write, expected = FILES[name]
    write(tmp_path / "hostile", f"touch {tmp_path / 'ran'}")

    for command in (["inspect"], ["diff", str(tmp_path / "hostile")]):
        main([*command, str(tmp_path / "hostile")])
    document = scanned(tmp_path / "hostile", capsys)

    assert not (tmp_path / "ran").exists()
    assert document["status"] == 1
    if expected == "damaged":
        assert document["damage"]
    elif expected.startswith("inside "):
        assert document["inside"] == [expected.removeprefix("inside ")]
    else:
        assert expected in [*document["dangerous"], *document["foreign"]]  # type: ignore[misc]


@pytest.mark.parametrize(
    "name", ["reduce", "inst", "obj", "damaged afterwards", "memo confusion", "legacy in a storage"]
)
def test_these_files_do_run_when_they_are_read(name: str, tmp_path: Path) -> None:
    """Guards the test above: files that nothing could run would be left alone by any reader."""
    FILES[name][0](tmp_path / "hostile", f"touch {tmp_path / 'ran'}")

    with contextlib.suppress(Exception):  # Damage comes after the call.
        pickle.loads((tmp_path / "hostile").read_bytes())

    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["data.pkl", "compressed", "wrong checksum"])
def test_these_archives_do_run_when_torch_reads_them(name: str, tmp_path: Path) -> None:
    FILES[name][0](tmp_path / "hostile", f"touch {tmp_path / 'ran'}")

    torch.load(tmp_path / "hostile", weights_only=False)

    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "name",
    [
        *("os.system", "posix.system", "subprocess.Popen", "builtins.eval", "builtins.getattr", "builtins.__import__"),
        *("runpy.run_path", "pip.main", "pip._internal:main", "asyncio.unix_events:os.system", "timeit.timeit"),
        *("idlelib.run:Executive.runcode", "idlelib.pyshell.ModifiedInterpreter", "operator.methodcaller"),
        *("numpy.testing._private.utils.runstring", "numpy.f2py.crackfortran.getlincoef", "pkgutil.resolve_name"),
        *("torch.hub.load", "torch.utils.collect_env.run", "torch.utils._config_module:ConfigModule.load_config"),
        *("torch.jit.unsupported_tensor_ops.execWrapper", "torch._dynamo.guards:GuardBuilder.get", "torch.load"),
        *("torch.fx.experimental.symbolic_shapes:ShapeEnv.evaluate_guards_expression", "ensurepip._run_pip"),
        *("torch.utils.bottleneck.__main__.run_cprofile", "torch.serialization.load", "torch.storage:io.open"),
        *("cProfile.run", "profile.run", "pdb.run", "bdb:Bdb.run", "code:InteractiveInterpreter.runcode", "trace.run"),
        *("doctest.debug_script", "lib2to3.pgen2.pgen.ParserGenerator", "uuid._get_command_stdout", "types.CodeType"),
        *("_osx_support._read_output", "_aix_support._read_cmd_output", "distutils.file_util.write_file", "dill.loads"),
        *("logging.config._resolve", "marshal.loads", "imaplib.IMAP4_stream", "ssl.get_server_certificate"),
        *("functools.reduce", "itertools.starmap", "collections:OrderedDict.__init__.__globals__", "test.support.x"),
        *("torch.nn:Module.__class__", "pathlib:os.system", "multiprocessing.util.spawnv_passfds", "pydoc.pipepager"),
    ],
)
def test_a_published_way_round_scanners_is_dangerous(name: str) -> None:
    assert risk_of(name) == "dangerous"


@pytest.mark.parametrize(
    "name", ["pathlib.os", "datetime.sys", "myproject.Model", "numpy.prod", "torch.relu", "__main__.A"]
)
def test_what_is_not_known_is_foreign_at_least(name: str) -> None:
    """The list of what is dangerous need not be complete: everything that is not known to be data counts."""
    assert risk_of(name) == "foreign"


@pytest.mark.parametrize("name", ["torch.FloatStorage", "collections.OrderedDict", "torch._utils._rebuild_tensor_v2"])
def test_what_weights_only_takes_is_plain(name: str) -> None:
    assert risk_of(name) == "plain"


def test_a_name_can_be_allowed() -> None:
    assert risk_of("myproject.Model", ["myproject.*"]) == "plain"


BOMBS = {
    "doubled lists": b"]q\x00"
    + b"".join(b"]q" + bytes([n]) + b"(" + b"h" + bytes([n - 1]) + b"h" + bytes([n - 1]) + b"e" for n in range(1, 60))
    + b".",
    "doubled tuples as a key": b"}" + b")" + b"2\x86" * 60 + b"Ns.",
    "deep tuples as a key": b"}" + b")" + b"\x85" * 30_000 + b"Ns.",
    "deep lists": b"]" * 20_000 + b"a" * 19_999 + b".",
    "copies of a list": b"(" + b"N" * 4000 + b"lq\x00" + b"c__builtin__\nset\nh\x00\x85R0" * 4000 + b"N.",
    "copies of a text": b"X"
    + struct.pack("<I", 50_000)
    + b"x" * 50_000
    + b"q\x00"
    + b"c_codecs\nencode\nq\x010"
    + b"("
    + b"h\x01h\x00\x85R" * 20_000
    + b"t.",
    "bytes by number": b"c__builtin__\nbytearray\nJ\x00\x00\x00\x7f\x85R.",
    "a huge announcement": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 50) + b"abc",
    "a huge memo": b"]r\xff\xff\xff\xff.",
    "a huge number": b"L" + b"9" * 100_000 + b"L\n.",
    "a huge binary number": b"\x8b" + struct.pack("<i", 100_000) + b"\x7f" * 100_000 + b".",
    "a call on a call": b"c__main__\na\n" + b")R" * 10_000 + b".",
    "parts of parts": b"ctorch._utils\n_rebuild_sparse_tensor\n" + b"N)\x86R" * 2000 + b".",
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_small_file_takes_little_time_and_memory(name: str, tmp_path: Path) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(BOMBS[name])
    started, memory = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    for command in (["inspect"], ["scan"], ["diff", str(path)]):
        assert main([*command, str(path)]) in (0, 1, 2)

    assert time.process_time() - started < 10  # about one second each, and endlessly without bounds
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 200_000  # kilobytes


def test_a_zip_bomb_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", b"]" * (20 << 20))

    with pytest.raises(UnreadableFile, match=r"a/data\.pkl claims 20,971,520 bytes, which is no size for it\."):
        inspect_checkpoint(tmp_path / "bomb.pt")


def test_no_pipe_and_no_device_is_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))

        for path in (tmp_path / "pipe", tmp_path / "socket", Path("/dev/zero")):
            with pytest.raises(UnreadableFile, match="a pipe, a socket or a device"):
                inspect_checkpoint(path)


@pytest.mark.filterwarnings("ignore:torch.distributed is disabled:UserWarning")
def test_a_directory_cannot_lead_outside(tmp_path: Path) -> None:
    from torch.distributed.checkpoint.filesystem import FileSystemWriter
    from torch.distributed.checkpoint.state_dict_saver import save

    save({"a": torch.ones(2)}, storage_writer=FileSystemWriter(tmp_path / "dcp"), no_dist=True)
    (tmp_path / "secret").write_bytes(b"x" * 5000)
    metadata = (tmp_path / "dcp" / ".metadata").read_bytes()
    name, other = b"__0_0.distcp", b"../../secret"
    assert name in metadata
    (tmp_path / "dcp" / ".metadata").write_bytes(metadata.replace(name, other))

    contents = inspect_checkpoint(tmp_path / "dcp")

    assert contents.problems == ("a is said to stand outside the directory, in ../../secret.",)


def test_an_index_cannot_lead_outside(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(
        json.dumps({"weight_map": {"a": "../b.safetensors", "b": ["x"], "c": "/etc/passwd", "d": "", "e": ".."}})
    )

    problems = inspect_checkpoint(tmp_path / "a.json").problems

    assert [problem.partition(" is")[0] for problem in problems] == ["a", "b", "c", "d", "e"]


def test_what_a_file_says_does_not_move_the_cursor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"\x1b[2Jgone": 1, "two\nlines": "\x07", "\ud800": 2}, tmp_path / "a.pt")

    assert main(["inspect", str(tmp_path / "a.pt")]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[2:5] == [r"\x1b[2Jgone   1", r"two\nlines  '\x07'", r"\ud800          2"]


def test_two_entries_over_each_other_are_told(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(64), "b": torch.ones(64)}, tmp_path / "a.pt")
    data = bytearray((tmp_path / "a.pt").read_bytes())
    directory = data.index(b"PK\x01\x02")
    places = [at for at in range(directory, len(data)) if data[at : at + 4] == b"PK\x01\x02"]
    one, other = (at for at in places if b"/data/" in data[at : at + 70])
    data[other + 42 : other + 46] = data[one + 42 : one + 46]
    (tmp_path / "a.pt").write_bytes(data)

    problems = inspect_checkpoint(tmp_path / "a.pt").problems

    assert problems == ("a/data/0 and a/data/1 share bytes of the archive.",)


@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated:UserWarning")
def test_a_tensor_beyond_its_storage_is_told_and_not_read(tmp_path: Path) -> None:
    class Beyond:
        def __reduce__(self) -> Any:
            storage = torch.ones(4).untyped_storage()
            typed = torch.storage.TypedStorage(wrap_storage=storage, dtype=torch.float32)
            return torch._utils._rebuild_tensor_v2, (typed, 2, (4,), (1,), False, None)

    torch.save({"a": Beyond()}, tmp_path / "a.pt")
    contents = inspect_checkpoint(tmp_path / "a.pt")

    with pytest.raises(UnreadableFile, match=r"a: Storage 0 has 16 bytes; its tensor reaches to byte 24\."):
        list(compare_contents(contents, contents))


def test_a_call_is_made_of_operations() -> None:
    assert pickle.loads(call("posixpath.join", "a", "b") + b".") == "a/b"
