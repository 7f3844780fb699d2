"""Calls in new processes: what they find there, how they fail, and that nothing is left of them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import guest_functions
import pytest
import torch

import pytest_ckpt.launchers.fresh as fresh
from pytest_ckpt.launchers import Replies, Task, call_in_fresh_processes, pack, surroundings

KINDS = ["fork", "spawn"]
linux_only = pytest.mark.skipif(not fresh.can_fork(), reason="a process cannot be forked safely here")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each way to a new process; new interpreters are what there is where a process cannot be forked."""
    if request.param == "spawn":
        monkeypatch.setattr(fresh, "can_fork", lambda: False)
    elif not fresh.can_fork():
        pytest.skip("a process cannot be forked safely here")
    name: str = request.param
    return name


def ask(*tasks: Task | str, timeout: float = 60.0, **arguments: Any) -> Replies:
    given = [
        item if isinstance(item, Task) else Task(function=f"guest_functions:{item}", arguments=arguments)
        for item in tasks
    ]
    return call_in_fresh_processes(
        pack(guest_functions.count), given, around=surroundings(), modules=(), timeout=timeout
    )


def test_a_new_process_has_the_surroundings_of_this_one_and_another_hash_seed(
    kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CKPT_TEST_VARIABLE", "as here")
    monkeypatch.chdir(tmp_path)
    torch.set_default_dtype(torch.float64)
    try:
        replies = ask("surroundings")
    finally:
        torch.set_default_dtype(torch.float32)

    there = replies.items[0].value
    assert there["pid"] != os.getpid()
    assert there["fresh"]
    assert there["folder"] == str(tmp_path)
    assert there["variable"] == "as here"
    assert there["hash seed"] != os.environ.get("PYTHONHASHSEED")
    assert there["hash"] != hash("a string")
    assert there["threads"] == 1
    assert replies.slow == (kind == "spawn")
    assert there["dtype"] == torch.float64
    assert there["path"] == [os.path.abspath(entry) for entry in sys.path]


def test_each_new_process_draws_other_random_numbers_as_new_interpreters_do() -> None:
    """Otherwise a program that draws before it is seeded would seem to repeat itself."""
    draws = [ask("surroundings").items[0].value["draws"] for _ in range(2)]

    assert all(draws[0][name] != draws[1][name] for name in ("torch", "numpy", "python"))


def test_no_task_sees_what_another_has_left() -> None:
    guest_functions.COUNT[0] = 7

    replies = ask("count", "count")

    assert [reply.value for reply in replies.items] == [1, 1]
    assert guest_functions.COUNT == [7]


def test_a_program_that_asks_for_two_threads_does_not_hang() -> None:
    """A process that was forked from one that has used them does."""
    (reply,) = ask("train_on_two_threads", timeout=30).items

    assert reply.value == 1.0


def test_a_large_answer_comes_whole() -> None:
    (reply,) = ask("large", size=500_000).items

    assert torch.equal(reply.value, torch.arange(500_000))


def test_the_working_directory_of_a_task(tmp_path: Path) -> None:
    task = Task(function="guest_functions:surroundings", arguments={}, folder=str(tmp_path))

    (reply,) = ask(task).items

    assert reply.value["folder"] == str(tmp_path)


@pytest.mark.parametrize("function", ["read", "open_without_looking"])
def test_a_hidden_file_is_not_there(function: str, tmp_path: Path) -> None:
    file = tmp_path / "scratch.txt"
    file.write_text("here", encoding="utf-8")
    tasks = [
        Task(function=f"guest_functions:{function}", arguments={"file": str(file)}, hidden=hidden)
        for hidden in ((), (str(file),))
    ]

    seen, hidden = ask(*tasks).items

    assert seen.value == "here"
    assert hidden.value == "no such file" or "FileNotFoundError" in hidden.problem


def test_what_is_raised_there_is_told_with_its_place_and_what_was_printed(kind: str) -> None:
    replies = ask("fail")

    (reply,) = replies.items
    assert reply.problem == "RuntimeError: no luck"
    assert reply.details[-1].endswith('in fail: raise RuntimeError("no luck")')
    assert replies.printed == ("about to fail",)


@pytest.mark.parametrize(
    ("function", "arguments", "problem"),
    [
        ("leave", {"code": 3}, "The process was ended from within, with exit code 3."),
        ("exit_politely", {}, "SystemExit: enough"),
        ("crash", {}, "The process was killed by signal 11 (SIGSEGV)."),
        ("kill_itself", {"signal": 9}, "The process was killed by signal 9 (SIGKILL). Was there enough memory?"),
        ("run_out_of_memory", {}, "MemoryError"),
    ],
)
@linux_only
def test_a_process_that_ends_too_early_is_told_of_and_the_next_one_runs(
    function: str, arguments: dict[str, Any], problem: str
) -> None:
    broken = Task(function=f"guest_functions:{function}", arguments=arguments)

    first, second = ask(broken, "count").items

    assert first.problem == problem
    assert second.value == 1


def test_a_crash_shows_where() -> None:
    replies = ask("crash")

    assert "killed by signal 11" in replies.items[0].problem
    assert any("in crash" in line for line in replies.printed)


def test_a_process_that_hangs_is_killed_and_shows_where(kind: str) -> None:
    start = time.monotonic()

    seconds = 2 if kind == "fork" else 8  # of which torch takes some

    replies = ask("hang", timeout=seconds)

    assert replies.items[0].problem == f"The process did not end within {seconds} s."
    assert any("in hang" in line for line in replies.printed)
    assert time.monotonic() - start < 100


def is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def is_gone_soon(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while is_there(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not is_there(pid)


@linux_only
def test_what_a_task_leaves_running_is_ended() -> None:
    (reply,) = ask("leave_a_process_behind").items

    assert is_gone_soon(reply.value)


@linux_only
def test_a_server_that_somebody_has_killed_is_started_again() -> None:
    ask("count")
    assert fresh._server is not None
    os.kill(fresh._server._process.pid, signal.SIGKILL)

    (reply,) = ask("count").items

    assert reply.value == 1


PROGRAM = """
    import sys, time
    import guest_functions
    from pytest_ckpt.launchers import Task, call_in_fresh_processes, fresh, pack, surroundings

    def ask(name, timeout):
        tasks = [Task(function=f"guest_functions:{name}", arguments={}) for name in (name, "count")]
        return call_in_fresh_processes(
            pack(guest_functions.count), tasks, around=surroundings(), modules=(), timeout=timeout
        )

    print(ask("surroundings", 60).items[0].value["pid"], fresh._server._process.pid, flush=True)
    if sys.argv[1:] == ["hang"]:
        ask("hang", 600)
"""


@pytest.fixture
def program(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has a server and hangs in a call, in a new process, that takes ten minutes."""
    file = tmp_path / "program.py"
    file.write_text(textwrap.dedent(PROGRAM), encoding="utf-8")
    path = os.pathsep.join([str(Path(guest_functions.__file__).parent), *sys.path])
    environment = {**os.environ, "PYTHONPATH": path, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, str(file), "hang"], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        yield process
        process.kill()


def children_of(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8")
    return [int(word) for word in text.split()]


def hanging_family(server: int) -> list[int]:
    """Wait for the process that unpacks and the one that hangs."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(FileNotFoundError):
            guests = children_of(server)
            if guests and (tasks := children_of(guests[0])):
                return [server, *guests, *tasks]
        time.sleep(0.02)
    raise AssertionError("nothing was started")


@linux_only
@pytest.mark.parametrize("victim", ["program", "server", "guest", "task"])
def test_nobody_outlives_a_process_that_is_killed(victim: str, program: subprocess.Popen[str], tmp_path: Path) -> None:
    assert program.stdout is not None
    server = int(program.stdout.readline().split()[1])
    family = hanging_family(server)
    assert len(family) == 3

    os.kill({"program": program.pid, "server": server, "guest": family[1], "task": family[2]}[victim], signal.SIGKILL)

    # Where the server alone was killed the program starts another one, and asks that.
    assert is_gone_soon(family[2])
    assert is_gone_soon(family[1])
    if victim != "server":
        program.wait(20)
        assert is_gone_soon(server)
    assert [file.name for file in tmp_path.iterdir() if file.name != "program.py"] == []


@linux_only
def test_a_process_that_ends_takes_its_server_with_it(tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text(textwrap.dedent(PROGRAM), encoding="utf-8")
    path = os.pathsep.join([str(Path(guest_functions.__file__).parent), *sys.path])

    result = subprocess.run(
        [sys.executable, "-W", "error", str(file)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )

    assert result.stderr == ""
    assert is_gone_soon(int(result.stdout.split()[1]))
