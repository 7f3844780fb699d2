"""Which classes of a package are found, and under which names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from package_writing import MakePackage, package_maker

from pytest_ckpt.packages import Survey, survey


@pytest.fixture
def make_package(tmp_path: Path) -> Iterator[MakePackage]:
    with package_maker(tmp_path) as make:
        yield make


MODULE = """
    import torch
    from torch.nn import Linear

    class Layer(torch.nn.Module):
        def forward(self, x):
            return x
"""


def names(found: Survey) -> dict[str, str]:
    return {item.name: item.kind for item in found.classes if not item.left_out}


def left_out(found: Survey) -> dict[str, str]:
    return {item.name: item.left_out for item in found.classes if item.left_out}


def test_modules_optimizers_and_schedulers_are_found_and_told_apart(make_package: MakePackage) -> None:
    package = make_package("""
        import torch

        class Layer(torch.nn.Module):
            def forward(self, x):
                return x

        class Descent(torch.optim.Optimizer):
            def step(self, closure=None):
                pass

        class Wrapping:
            def step(self): ...
            def zero_grad(self): ...
            def state_dict(self): ...
            def load_state_dict(self, state): ...

        class Schedule(torch.optim.lr_scheduler.LRScheduler):
            pass

        class OwnSchedule:
            def __init__(self, optimizer): ...
            def step(self): ...
            def state_dict(self): ...
            def load_state_dict(self, state): ...

        class Sampler:
            def __init__(self, data): ...
            def step(self): ...
            def state_dict(self): ...
            def load_state_dict(self, state): ...
    """)

    assert names(survey(package)) == {
        "Descent": "optimizer",
        "Layer": "module",
        "OwnSchedule": "scheduler",
        "Schedule": "scheduler",
        "Wrapping": "optimizer",
    }


def test_what_is_imported_from_torch_is_not_the_packages_own(make_package: MakePackage) -> None:
    assert list(names(survey(make_package(MODULE)))) == ["Layer"]


def test_a_class_is_found_once_under_its_shortest_public_name(make_package: MakePackage) -> None:
    package = make_package(
        "from made_up.parts import Layer as Alias\nfrom made_up.parts.layers import Layer",
        parts__in____init__="from made_up.parts.layers import Layer, Deep",
        parts__in__layers=MODULE + "\n    class Deep(Layer):\n        pass",
    )

    assert list(names(survey(package))) == ["Layer", "parts.Deep"]


def test_a_public_name_counts_though_the_file_is_private(make_package: MakePackage) -> None:
    package = make_package("from made_up._core import Layer", _core=MODULE + "\n    class Inner(Layer):\n        pass")

    found = survey(package)

    assert list(names(found)) == ["Layer"]
    assert left_out(found) == {"_core.Inner": "private"}


def test_private_and_abstract_classes_are_left_out_with_the_reason(make_package: MakePackage) -> None:
    package = make_package("""
        import abc
        import torch

        class _Helper(torch.nn.Module):
            def forward(self, x):
                return x

        class Base(torch.nn.Module, abc.ABC):
            @abc.abstractmethod
            def encode(self): ...
            def forward(self, x):
                return x

        class Container(torch.nn.Module):
            pass

        class Stepless(torch.optim.Optimizer):
            pass
    """)

    assert left_out(survey(package)) == {
        "Base": "abstract: it leaves encode to its subclasses",
        "Container": "abstract: it has no forward()",
        "Stepless": "abstract: it has no step()",
        "_Helper": "private",
    }


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_package", "ModuleNotFoundError: No module named 'no_such_package'"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        (
            "import socket; socket.create_connection(('192.0.2.1', 1))",
            "ConnectionRefusedError: it asks for the network",
        ),
    ],
)
def test_a_module_that_cannot_be_imported_is_reported_and_no_error(
    make_package: MakePackage, source: str, reason: str
) -> None:
    found = survey(make_package("", layers=MODULE, broken=source))

    assert names(found) == {"layers.Layer": "module"}
    assert found.unread == {"broken": f"cannot be imported: {reason}"}


def test_importing_leaves_no_trace(make_package: MakePackage) -> None:
    import torch

    survey(make_package("import torch; torch.set_default_dtype(torch.float64); torch.manual_seed(0)"))

    assert torch.get_default_dtype() is torch.float32


def test_tests_and_main_are_not_imported(make_package: MakePackage) -> None:
    package = make_package("", __main__="1 / 0", conftest="1 / 0", test_it="1 / 0", tests__in____init__="1 / 0")

    assert survey(package) == Survey(classes=(), unread={})


def test_a_part_of_a_package_can_be_asked_for(make_package: MakePackage) -> None:
    make_package(MODULE, parts__in____init__="", parts__in__layers=MODULE.replace("Layer", "Part"))

    assert list(names(survey("made_up.parts"))) == ["layers.Part"]


def test_what_the_package_itself_raises_is_raised(make_package: MakePackage) -> None:
    with pytest.raises(ZeroDivisionError):
        survey(make_package("1 / 0"))
