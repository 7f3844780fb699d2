"""How make_run gets into a new process: whatever pytest imports it as, by name or by value."""

from __future__ import annotations

import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import guest_functions
import pytest

from pytest_ckpt.launchers import CannotTravel, Task, call_in_fresh_processes, can_fork, decode, pack, surroundings
from pytest_ckpt.launchers.request import Request
from pytest_ckpt.launchers.server import Server
from pytest_ckpt.launchers.travel import libraries_in_use, places_of_modules

TRAIN = """
import torch
from pytest_ckpt import TrainingRun

class Trainer:
    width = 3

    def __init__(self, rate=0.1):
        self.model = torch.nn.Linear(2, self.width)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=rate, momentum=0.9)

    def step(self, i):
        loss = self.model(torch.ones(2) * i).square().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path):
        torch.save(self, path)

    def load(self, path):
        vars(self).update(vars(torch.load(path, weights_only=False)))

    def run(self):
        return TrainingRun(components=lambda: {"model": self.model, "optimizer": self.optimizer},
                           step=self.step, save=self.save, load=self.load)

    @classmethod
    def make(cls):
        return cls().run()

def make_run(rate=0.1):
    return Trainer(rate).run()
"""
CONFTEST = """
import pytest
from pytest_ckpt import module_run
import torch

def make_in_conftest():
    return torch.nn.Linear(2, 3)

@pytest.fixture
def rate():
    return 0.25

@pytest.fixture
def conftest_factory():
    return make_in_conftest
"""
TESTS = """
import threading
from functools import partial
from pytest_ckpt import check_training_run

class Factory:
    def __init__(self, rate):
        self.rate = rate
    def make(self):
        return make_run(self.rate)

def statuses(factory):
    outcomes = check_training_run(factory, select="processes", steps=2)
    return [outcome.status for outcome in outcomes], outcomes.items[0].summary

def test_module_level():
    assert statuses(make_run)[0] == ["pass", "pass"]

def test_partial():
    assert statuses(partial(make_run, rate=0.2))[0] == ["pass", "pass"]

def test_class_method():
    assert statuses(Trainer.make)[0] == ["pass", "pass"]

def test_bound_method():
    assert statuses(Factory(0.3).make)[0] == ["pass", "pass"]

def test_local_function_with_fixtures(rate, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    def make_local():
        assert folder.is_dir()
        return make_run(rate)
    assert statuses(make_local)[0] == ["pass", "pass"]
    assert statuses(lambda: make_run(rate))[0] == ["pass", "pass"]

def test_local_class():
    class Wide(Trainer):
        width = 5
        def save(self, path):
            torch.save(self.model.state_dict(), path)
            torch.save(self.optimizer.state_dict(), path.with_suffix(".optimizer"))
        def load(self, path):
            self.model.load_state_dict(torch.load(path))
            self.optimizer.load_state_dict(torch.load(path.with_suffix(".optimizer")))
    assert statuses(Wide.make)[0] == ["pass", "pass"]

def test_conftest(conftest_factory):
    assert statuses(conftest_factory)[0] == ["pass", "skipped"]

def test_what_cannot_travel():
    lock = threading.Lock()
    generator = (i for i in range(3))
    def make_locked():
        with lock:
            return make_run() if generator else None
    found, summary = statuses(make_locked)
    assert found == ["skipped", "skipped"]
    assert "make_locked cannot be sent to a new process, TypeError: cannot pickle 'generator' object" in summary
    assert summary.endswith("Move it, with what it needs, to the top of a module.")
"""


@pytest.mark.parametrize("mode", ["prepend", "append", "importlib"])
def test_make_run_travels_in_each_import_mode(mode: str, pytester: pytest.Pytester) -> None:
    folder = pytester.mkdir("unit")
    (folder / "__init__.py").touch()  # or there would be two modules called conftest in this process
    (folder / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    (folder / f"test_{mode}.py").write_text(TRAIN + TESTS, encoding="utf-8")

    result = pytester.runpytest(f"--import-mode={mode}", "-p", "no:randomly", "-p", "no:hypothesispytest", "unit")

    result.assert_outcomes(passed=8)


def test_a_target_of_the_command_line_travels(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(training_script=TRAIN)

    result = pytester.runpytest(
        *("-p", "no:randomly", "-p", "no:hypothesispytest"),
        *("--ckpt-select=processes", "--ckpt-run=training_script.py:make_run", "--ckpt-steps=2"),
    )

    result.assert_outcomes(passed=2)


SCRIPT = f"""{TRAIN}
from pytest_ckpt import check_training_run
outcomes = check_training_run(make_run, select="processes", steps=2)
print([(outcome.status, outcome.summary) for outcome in outcomes])
"""


def run_script(script: str, folder: Path, *options: str) -> str:
    file = folder / "script.py"
    file.write_text(script, encoding="utf-8")
    command = [sys.executable, *(options or [str(file)])]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder).stdout


def test_a_script_that_pickles_its_own_class_is_not_accused(tmp_path: Path) -> None:
    """Started again, it is ``__main__`` again."""
    assert run_script(SCRIPT, tmp_path).splitlines()[-1] == "[('pass', ''), ('pass', '')]"


def test_a_session_without_a_file_is_not_accused(tmp_path: Path) -> None:
    assert run_script("", tmp_path, "-c", SCRIPT) == "[('pass', ''), ('pass', '')]\n"


def test_modules_of_libraries_are_found_as_usual() -> None:
    places = places_of_modules()

    assert places["guest_functions"].file == guest_functions.__file__
    assert not {"torch", "pytest", "json", "pytest_ckpt"} & places.keys()


def make_with(lock: object) -> object:
    return lock


def test_what_cannot_be_pickled_says_what_it_is() -> None:
    with pytest.raises(CannotTravel, match=r"^partial cannot be sent to a new process, TypeError: cannot pickle 'gen"):
        pack(partial(make_with, (i for i in range(2))))


def test_a_lock_travels_open() -> None:
    """Dill knows how, and a closure often holds one."""
    package = pack(partial(make_with, threading.Lock()))
    task = Task(function="guest_functions:call", arguments={})

    (reply,) = call_in_fresh_processes(package, [task], around=surroundings(), modules=(), timeout=60).items

    assert "lock" in str(reply.value)


def test_the_libraries_that_a_project_uses_are_known() -> None:
    libraries = libraries_in_use()

    assert "numpy" in libraries  # guest_functions uses it
    assert not any(name.startswith(("pytest_ckpt", "guest_functions")) for name in libraries)


THREADED = """
import threading
threading.Thread(target=threading.Event().wait, daemon=True).start()
"""


@pytest.mark.skipif(not can_fork(), reason="a process cannot be forked safely here")
def test_a_library_that_starts_threads_is_left_to_the_new_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that has threads cannot be forked safely."""
    (tmp_path / "threaded_library.py").write_text(THREADED, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    server = Server(["threaded_library", "guest_functions"])
    task = Task(function="guest_functions:loaded", arguments={"names": ["threaded_library", "numpy"]})
    request = Request(package=pack(make_with), surroundings=surroundings(), tasks=(task,), timeout=60)

    try:
        (answer,), _ = server.ask(request)
    finally:
        server.close()

    assert answer[0] == "value"
    assert decode(answer[1]) == {"threaded_library": False, "numpy": True}
