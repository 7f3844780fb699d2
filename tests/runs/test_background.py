"""Threads that a ``save`` starts are held back until training has gone on."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

from pytest_ckpt.runs import background
from pytest_ckpt.runs.background import BackgroundSaves

FOREVER = 60.0


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> BackgroundSaves:
    """A slow machine cannot end the holding by itself."""
    monkeypatch.setattr(background, "_HOLD_SECONDS", FOREVER)
    return BackgroundSaves()


@pytest.fixture(autouse=True)
def _threads_are_as_before() -> Iterator[None]:
    before = (threading.Thread.start, threading.Thread.join, subprocess.Popen.__init__)
    yield
    assert (threading.Thread.start, threading.Thread.join, subprocess.Popen.__init__) == before


def test_a_thread_with_live_tensors_sees_the_next_step(held: BackgroundSaves, tmp_path: Path) -> None:
    weight, copied = torch.zeros(1), torch.zeros(1)
    written: list[float] = []

    with held.watching():
        thread = threading.Thread(target=lambda: written.extend([weight.item(), copied.item()]))
        thread.start()
    weight.add_(1)
    assert written == []
    held.release()
    held.wait(tmp_path)

    assert written == [1.0, 0.0]
    assert not thread.is_alive()


def test_a_thread_is_held_back_for_a_moment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "_HOLD_SECONDS", 0.02)
    done = threading.Event()

    with BackgroundSaves().watching():
        threading.Thread(target=done.set).start()
        assert done.wait(FOREVER)  # a save that waits for a queue or an event of its own


def test_a_save_that_joins_its_thread_is_not_delayed(held: BackgroundSaves, tmp_path: Path) -> None:
    written: list[int] = []

    with held.watching():
        thread = threading.Thread(target=written.append, args=(1,))
        thread.start()
        thread.join(timeout=FOREVER)
        assert written == [1]
    held.wait(tmp_path)


def test_every_save_is_held_back_anew(held: BackgroundSaves, tmp_path: Path) -> None:
    written: list[int] = []
    for number in range(3):
        with held.watching():
            threading.Thread(target=written.append, args=(number,)).start()
        assert written == list(range(number))
        held.wait(tmp_path)
    assert written == [0, 1, 2]


def test_subclasses_of_thread_are_held_back_too(held: BackgroundSaves, tmp_path: Path) -> None:
    class Writer(threading.Thread):
        result = 0

        def run(self) -> None:
            self.result = 1

    writer = Writer()
    with held.watching():
        writer.start()
    assert writer.result == 0
    held.wait(tmp_path)
    assert writer.result == 1


def test_threads_of_others_are_left_alone(held: BackgroundSaves, tmp_path: Path) -> None:
    with pytest.raises(KeyError), held.watching():
        raise KeyError("in the project's save")
    done = threading.Event()

    threading.Thread(target=done.set).start()

    assert done.wait(FOREVER)
    held.wait(tmp_path)


def test_a_slow_writer_is_waited_for(held: BackgroundSaves, tmp_path: Path) -> None:
    def write() -> None:
        time.sleep(0.1)
        (tmp_path / "a.pt").write_text("done")

    with held.watching():
        threading.Thread(target=write).start()
    held.wait(tmp_path)

    assert (tmp_path / "a.pt").read_text() == "done"


def test_the_worker_of_a_pool_is_held_back_and_not_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It lives on after it has written; only the files tell that it is done."""
    weight = torch.zeros(1)
    saves = BackgroundSaves()

    def write(name: str) -> None:
        (tmp_path / name).write_text(str(weight.item()))

    with ThreadPoolExecutor(1) as pool:
        monkeypatch.setattr(background, "_HOLD_SECONDS", FOREVER)
        with saves.watching():
            future = pool.submit(write, "a.pt")
        weight.add_(1)
        saves.release()
        monkeypatch.setattr(background, "_HOLD_SECONDS", 0.02)
        future.result(FOREVER)
        started = time.monotonic()
        saves.wait(tmp_path)
        waited = time.monotonic() - started

    assert (tmp_path / "a.pt").read_text() == "1.0"
    assert waited < 10


def test_the_worker_of_a_pool_that_writes_elsewhere_is_not_waited_for(tmp_path: Path) -> None:
    saves, folder, elsewhere = BackgroundSaves(), tmp_path / "given", tmp_path / "elsewhere"
    folder.mkdir()

    def write() -> None:
        time.sleep(0.5)
        elsewhere.write_text("whole")

    with ThreadPoolExecutor(1) as pool:
        with saves.watching():
            pool.submit(write)
        begun = time.monotonic()
        saves.wait(folder)

        assert elsewhere.read_text() == "whole"
        assert time.monotonic() - begun < background._WAIT_SECONDS / 2


def test_waiting_ends_although_a_thread_does_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(background, "_WAIT_SECONDS", 0.05)
    saves = BackgroundSaves()
    stop = threading.Event()

    with saves.watching():
        thread = threading.Thread(target=stop.wait, args=(FOREVER,))
        thread.start()
    saves.wait(tmp_path)

    assert thread.is_alive()
    stop.set()
    thread.join()


def test_nothing_to_wait_for_takes_no_time(held: BackgroundSaves, tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_text("written in the foreground")
    calls: list[Any] = []
    original = time.sleep
    try:
        time.sleep = calls.append
        held.wait(tmp_path)
    finally:
        time.sleep = original

    assert calls == []


def test_a_command_that_a_save_starts_is_waited_for(tmp_path: Path) -> None:
    background = BackgroundSaves()
    file = tmp_path / "checkpoint"
    code = "import pathlib, sys, time; time.sleep(0.2); pathlib.Path(sys.argv[1]).write_text('whole')"

    with background.watching():
        command = subprocess.Popen([sys.executable, "-c", code, str(file)])
    background.wait(tmp_path)

    assert file.read_text() == "whole"
    assert command.wait() == 0
