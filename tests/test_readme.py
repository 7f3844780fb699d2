"""The README speaks of what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

import pytest_ckpt
from pytest_ckpt.checks import CHECKS
from pytest_ckpt.formats import format_names
from pytest_ckpt.running import plan_checks
from pytest_ckpt.self_testing import plan_faults

README = (Path(__file__).parent.parent / "README.md").read_text()


def test_the_table_of_checks_is_the_catalogue() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|", README, flags=re.MULTILINE)

    assert dict(rows) == {name: check.group for name, check in CHECKS.items()}


def test_the_number_of_formats() -> None:
    (number,) = re.findall(r"(\d+) in all", README)

    assert int(number) == len(format_names()) + 1  # with the project's own save and load


@pytest.mark.usefixtures("new_processes")
def test_the_number_of_faults() -> None:
    (number,) = re.findall(r"puts (\d+) bugs of real programs", README)

    assert int(number) == len(plan_faults(plan_checks(torch.nn.Module)))


def test_every_public_name_it_imports_exists() -> None:
    names = {
        name.strip()
        for line in re.findall(r"^from pytest_ckpt import (.+)$", README, flags=re.MULTILINE)
        for name in line.split(",")
    }

    assert names
    assert names <= set(pytest_ckpt.__all__)
