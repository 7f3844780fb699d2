"""``pytest-ckpt checks``: the catalogue in words, and the pages that are made of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pytest_ckpt.checks import CHECKS, Check, select_checks
from pytest_ckpt.cli import main
from pytest_ckpt.cli.check_example import Example, example_of
from pytest_ckpt.cli.check_pages import INDEX, index, page

pytestmark = pytest.mark.usefixtures("new_processes")

PAGES = Path(__file__).parents[2] / "docs" / "checks"
WRITE = "Run: pytest-ckpt checks --write docs/checks"
RESUME = """\
# resume_is_exact

A resumed run repeats the results, learning rates and final state of the run that never stopped.

Group: `resume` (by default).

## Why

A state dict can be complete and the run still differ: data order, dropout masks, counters and
"""
REMEDY = """\
* `replace_parameters`: load_state_dict(..., assign=True) gives the model new parameters, and the
  optimizer keeps the old ones.
* `load_nothing`: load does not find the checkpoint and takes the run for a fresh start.

## What to do when it fails

Save and restore what the report says is to blame: a component, a random state, a counter, a
position in the data. Where training is not deterministic, seed what the program draws from.

"""
USE = """\
## Select it

```console
$ pytest --ckpt-select=resume_is_exact
```

```python
@parametrize_with_checks(make_run, select=["resume_is_exact"])
```

Or leave it out of the default checks in the project's `pyproject.toml`:

```toml
[tool.pytest-ckpt.checks.resume_is_exact]
enabled = false
```

## Expect its failure

```python
expected_failures = {"resume_is_exact": {"reason": "why it is accepted", "until": "2027-01-31"}}
```

```toml
[tool.pytest-ckpt.checks.resume_is_exact]
expected_failure = { reason = "why it is accepted", until = "2027-01-31" }
```
"""
RESUME_EXAMPLE = """\
## Example

What it reports of the bug `keep_random_state` in a small run (numbers that depend on the machine
are `…`):

```
The resumed run is not the run that never stopped: saved after 0 steps, they part at step(0).
output: value differs
    uninterrupted: …
    resumed:       …
To blame: rng.torch (restoring it alone makes the runs agree).
"""


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["checks", *arguments]) == 0
    return capsys.readouterr().out


def test_the_list_has_every_check_under_its_group(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys).splitlines()

    groups = dict.fromkeys(f"{c.group} ({'by default' if c.default else 'opt-in'})" for c in select_checks(["all"]))
    assert [line for line in lines if not line.startswith(" ")] == [
        *groups,
        "",
        "One of them in full: pytest-ckpt checks NAME",
    ]
    assert lines[:4] == [
        "fidelity (by default)",
        "    state_is_restored",
        "        Every component's state dict is the same, bit for bit, after a save and a load into a fresh",
        "        run.",
    ]
    names = [line.strip() for line in lines if re.match(r"    \w", line)]
    assert names == [check.name for check in select_checks(["all"])]


def test_one_check_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, "resume_is_exact")

    assert text.startswith(RESUME)
    assert text.endswith(REMEDY + USE)


def test_a_name_that_is_close_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["checks", "resume_exact"])

    assert status == 2
    known = ", ".join(CHECKS)
    assert capsys.readouterr().err == (
        f"pytest-ckpt: No check is called 'resume_exact'. Did you mean 'resume_is_exact'? There are: {known}.\n"
    )


def test_an_example_stands_between_the_remedy_and_the_use() -> None:
    text = page(CHECKS["resume_is_exact"], Example(fault="keep_random_state", report="It differs."))

    told = RESUME_EXAMPLE.partition("The resumed run")[0]
    assert text.endswith(f"{REMEDY}{told}It differs.\n```\n\n{USE}")


@pytest.mark.parametrize("check", CHECKS.values(), ids=list(CHECKS))
def test_the_page_of_a_check_is_up_to_date(check: Check) -> None:
    file = PAGES / f"{check.name}.md"

    assert file.exists(), WRITE
    assert file.read_text(encoding="utf-8") == page(check, example_of(check)), WRITE


def test_an_example_is_a_failure_that_the_check_reports() -> None:
    text = (PAGES / "resume_is_exact.md").read_text(encoding="utf-8")

    assert RESUME_EXAMPLE in text
    assert 'Or, if this is on purpose: expected_failures={"resume_is_exact": "the reason"}.' in text


def test_the_index_of_the_pages_is_up_to_date() -> None:
    assert (PAGES / INDEX).read_text(encoding="utf-8") == index(), WRITE


def test_there_is_no_page_of_a_check_that_is_gone() -> None:
    orphans = {file.name for file in PAGES.iterdir()} - {INDEX} - {f"{name}.md" for name in CHECKS}

    assert orphans == set(), "Delete these pages: their checks are gone."


def test_the_pages_can_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "docs" / "checks"

    assert shown(capsys, "--write", str(folder)) == f"Wrote {len(CHECKS) + 1} pages to {folder}.\n"

    assert {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir()} == {
        file.name: file.read_text(encoding="utf-8") for file in PAGES.iterdir()
    }


def test_the_catalogue_can_be_read_by_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["checks", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["checks"]
    assert [check["name"] for check in found] == [check.name for check in select_checks(["all"])]

    assert main(["checks", "resume_is_exact", "--json"]) == 0
    (check,) = json.loads(capsys.readouterr().out)["checks"]
    assert check == next(one for one in found if one["name"] == "resume_is_exact")
    assert check["default"] is True
