"""Where a process cannot be forked safely: a new interpreter per task, which takes as long as importing torch."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

from pytest_ckpt.launchers.guest import Answer, perform, receive
from pytest_ckpt.launchers.request import Request

__all__ = ["ask_new_interpreters", "main"]

_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[2]); folder = sys.argv[1]; del sys.argv[1:]; "
    "from pytest_ckpt.launchers.spawn import main; main(folder)"
)
_GRACE_SECONDS = 60.0


def ask_new_interpreters(request: Request, hash_seed: str) -> tuple[list[Answer], str]:
    """Do each task of a request in a new interpreter; return the answers and what was printed."""
    answers: list[Answer] = []
    printed = ""
    path = json.dumps([os.path.abspath(entry) for entry in sys.path])
    for index in range(len(request.tasks)):
        with tempfile.TemporaryDirectory(prefix="ckpt-spawn-") as folder:
            Path(folder, "request").write_bytes(pickle.dumps((request, index)))
            answer, text = _run([sys.executable, "-c", _PROGRAM, folder, path], folder, request.timeout, hash_seed)
        answers.append(answer)
        printed += text
        if answer[0] == "lost":
            break
    return answers, printed


def _run(command: list[str], folder: str, timeout: float, hash_seed: str) -> tuple[Answer, str]:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout + _GRACE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        return ("raised", (f"The process did not end within {timeout:g} s.", ())), _decoded(error.stdout or b"")
    reply = Path(folder, "answer")
    if reply.exists():
        answer: Answer = pickle.loads(reply.read_bytes())
        return answer, _decoded(done.stdout)
    return ("raised", (_ended(done.returncode, timeout, _decoded(done.stdout)), ())), _decoded(done.stdout)


def _ended(code: int, timeout: float, printed: str) -> str:
    if "Timeout (" in printed:
        return f"The process did not end within {timeout:g} s."
    if code < 0:
        return f"The process was killed by signal {-code}."
    return f"The process was ended from within, with exit code {code}."


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "replace")


def main(folder: str) -> None:
    """Do the task that lies in a folder, and put the answer there."""
    request, index = pickle.loads(Path(folder, "request").read_bytes())
    thing, answer = receive(request)
    if answer is None:
        answer = perform(request.tasks[index], thing, request.timeout)
    partial = Path(folder, "answer.partial")
    partial.write_bytes(pickle.dumps(answer))
    partial.rename(Path(folder, "answer"))
    sys.stdout.flush()
    os._exit(0)  # Threads that the program has left must not keep it.
