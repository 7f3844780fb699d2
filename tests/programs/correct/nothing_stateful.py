"""Nothing here has a state: a pure function of the step number. save writes a note, load reads it."""
import math
from pathlib import Path

from pytest_ckpt import TrainingRun

# A tool may well call this vacuous; there is nothing that could fail.


class Constant:
    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        assert state == {}


def make_run():
    return TrainingRun(
        components={"constant": Constant()},
        step=lambda i: math.sin(i),
        save=lambda path: Path(path).write_text("nothing to save\n"),
        load=lambda path: Path(path).read_text(),
    )
