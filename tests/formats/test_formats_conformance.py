"""Every format over every payload: what comes back is equal bit for bit, or was refused with a reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from format_exactness import NOTHING, picture
from format_payloads import PAYLOADS, Stubborn, Tagged, contains_itself, train
from torch import nn

from pytest_ckpt.formats import Keeps, format_names, get_format

pytestmark = [
    # torch's own code for loading quantized tensors, and for making half-precision complex ones
    pytest.mark.filterwarnings("ignore:TypedStorage is deprecated:UserWarning"),
    pytest.mark.filterwarnings("ignore:ComplexHalf support is experimental:UserWarning"),
]

WHOLE = ("torch-whole", "pickle-whole", "dill-whole", "cloudpickle-whole")
ALONE = tuple(
    f"{package}{suffix}"
    for package in ("pickle", "dill", "cloudpickle")
    for suffix in ("", "-0", "-1", "-2", "-3", "-4", "-5")
)
IN_TORCH = tuple(
    f"torch+{package}{suffix}"
    for package in ("pickle", "dill", "cloudpickle")
    for suffix in ("", "-1", "-2", "-3", "-4", "-5")
)
WEIGHTS_ONLY = ("torch", "torch-bytesio", "torch-legacy", "torch-mmap")
STATE_FORMATS = (*WEIGHTS_ONLY, "torch-full", "safetensors", "dcp", *ALONE, *IN_TORCH)


def dtypes(*names: str) -> dict[str, str]:
    return {name: f"NAME cannot keep torch.{name} at part.value" for name in names}


# What each kind of format refuses, to the last word. NAME stands for the format's name.
SUB_BYTE_INTEGERS = dtypes("int4", "uint4")
TWO_DTYPES = {
    "two_dtypes_on_one_storage": "NAME cannot keep torch.float32 at part.value.floats and"
    " torch.int32 at part.value.integers on one storage",
}
A_STORAGE = {"a_storage": "NAME cannot keep torch.storage.UntypedStorage at part.value"}
A_LAMBDA = {"a_lambda": "NAME cannot keep function at part.value"}
TEXT_PROTOCOL = {  # protocols 0 and 1 write integers in decimal, protocol 0 also floats
    "huge_integer": "NAME cannot keep an integer of 56148 bits at part.value",
}
ONE_NAN = {
    "nan_with_payload": "NAME cannot keep a NaN of the bits fff8000000000123 at part.value[1]",
    "complex_nan": "NAME cannot keep complex at part.value",
}
BEFORE_ZIP = {
    **SUB_BYTE_INTEGERS,
    **dtypes("bits16", "bits1x8", "bits2x4", "bits4x2", "bits8", "complex32", "uint16", "uint32", "uint64"),
    **dtypes("float4_e2m1fn_x2", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz"),
    **dtypes("float8_e8m0fnu"),
    "untyped_dtypes_on_one_storage": "NAME cannot keep torch.float8_e5m2 at part.value[0]",
}
NOT_WEIGHTS = {
    name: f"weights_only loading refuses {what} (use 'torch-full')"
    for name, what in {
        "subclass": "format_payloads.Tagged at part.value",
        "uninitialized": "torch.nn.parameter.UninitializedParameter at part.value[1]",
        "huge_integer": "an integer of 56148 bits at part.value",
        "empty_bytes": "empty bytes at part.value",
        "numpy_array": "numpy.ndarray at part.value",
        "numpy_scalar": "numpy.float64 at part.value.best",
        "a_default_dictionary": "collections.defaultdict at part.value",
        "a_custom_object": "format_payloads.Custom at part.value",
        "an_object_as_key": "frozenset at part.value[frozenset({1})]",
    }.items()
}
ZIP = {**SUB_BYTE_INTEGERS, **TWO_DTYPES, **A_STORAGE}
PACKED = {
    **SUB_BYTE_INTEGERS,
    **A_STORAGE,
    **A_LAMBDA,
    **dtypes("bits16", "bits1x8", "bits2x4", "bits4x2", "bits8"),
    "sparse_coo": "NAME cannot keep the sparse COO tensor at part.value",
    "sparse_csr": "NAME cannot keep the sparse CSR tensor at part.value",
    "sparse_csc": "NAME cannot keep the sparse CSC tensor at part.value",
    "sparse_bsr": "NAME cannot keep the sparse BSR tensor at part.value",
    "quantized": "NAME cannot keep the quantized tensor at part.value",
    "quantized_per_channel": "NAME cannot keep the quantized tensor at part.value",
    "meta": "NAME cannot keep the meta tensor at part.value",
    "nested_tensor": "NAME cannot keep the nested tensor at part.value",
    "subclass": "NAME cannot keep format_payloads.Tagged at part.value",
    "uninitialized": "NAME cannot keep torch.nn.parameter.UninitializedParameter at part.value[1]",
    "numpy_array": "NAME cannot keep numpy.ndarray at part.value",
    "numpy_scalar": "NAME cannot keep numpy.float64 at part.value.best",
    "a_set": "NAME cannot keep set at part.value",
    "a_default_dictionary": "NAME cannot keep collections.defaultdict at part.value",
    "a_custom_object": "NAME cannot keep format_payloads.Custom at part.value",
    "an_object_as_key": "NAME cannot keep frozenset at part.value[frozenset({1})]",
}
REFUSALS: dict[str, dict[str, str]] = {
    "torch": {**ZIP, **NOT_WEIGHTS, **A_LAMBDA},
    "torch-bytesio": {**ZIP, **NOT_WEIGHTS, **A_LAMBDA},
    "torch-mmap": {**ZIP, **NOT_WEIGHTS, **A_LAMBDA},
    "torch-full": {**ZIP, **A_LAMBDA},
    "torch-legacy": {
        **ZIP,
        **BEFORE_ZIP,
        **NOT_WEIGHTS,
        **A_LAMBDA,
        "nested_tensor": "NAME cannot keep the nested tensor at part.value",
    },
    "safetensors": {
        **PACKED,
        **dtypes("complex128", "complex32", "float4_e2m1fn_x2", "float8_e8m0fnu"),
        "conjugate_view": "NAME cannot keep the conjugate view at part.value",
        "negative_view": "NAME cannot keep the negative view at part.value",
    },
    "dcp": PACKED,
}
for _name in (*ALONE, *IN_TORCH):
    REFUSALS[_name] = {
        **(ZIP if _name in IN_TORCH else {**BEFORE_ZIP, **A_STORAGE}),
        **(A_LAMBDA if _name.removeprefix("torch+").startswith("pickle") else {}),
        **(TEXT_PROTOCOL if _name.endswith(("-0", "-1")) else {}),
        **(ONE_NAN if _name.endswith("-0") else {}),
    }


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def through(name: str, payload: dict[str, Any], directory: Path) -> dict[str, Any]:
    format = get_format(name)
    path = directory / f"checkpoint{format.suffix}"
    format.save(payload, path)
    return format.load(path)


def test_every_built_in_format_is_swept() -> None:
    assert sorted(format_names()) == sorted((*STATE_FORMATS, *WHOLE))
    assert [get_format(name).name for name in format_names()] == list(format_names())


@pytest.mark.parametrize("name", STATE_FORMATS)
def test_what_is_refused_is_this_and_nothing_else(name: str) -> None:
    refuses = get_format(name).refuses
    reasons = {made: reason for made, make in PAYLOADS.items() if (reason := refuses(make()))}

    assert reasons == {made: words.replace("NAME", name) for made, words in REFUSALS[name].items()}


@pytest.mark.parametrize("name", STATE_FORMATS)
def test_what_is_not_refused_comes_back_bit_for_bit(name: str, tmp_path: Path) -> None:
    keeps, different = get_format(name).keeps, []
    for made in PAYLOADS.keys() - REFUSALS[name].keys():
        payload = PAYLOADS[made]()
        before = picture(payload, keeps)
        (tmp_path / made).mkdir()
        loaded = through(name, payload, tmp_path / made)
        if picture(loaded, keeps) != before or picture(payload, ~NOTHING) != picture(PAYLOADS[made](), ~NOTHING):
            different.append(made)

    assert different == []


def flag_payloads() -> dict[Keeps, Any]:
    base, parameter = torch.ones(2, 3), nn.Parameter(torch.ones(2), requires_grad=False)
    return {
        Keeps.STRIDES: base.t(),
        Keeps.REQUIRES_GRAD: torch.ones(1, requires_grad=True),
        Keeps.PARAMETERS: parameter,
        Keeps.SHARING: [base, base[0], base.detach()],
        Keeps.METADATA: nn.BatchNorm1d(2).state_dict(),
        Keeps.SUBCLASSES: base.as_subclass(Tagged),
        Keeps.OBJECTS: range(3),
    }


@pytest.mark.parametrize("name", STATE_FORMATS)
def test_keeps_is_neither_modest_nor_boastful(name: str, tmp_path: Path) -> None:
    format = get_format(name)
    kept = NOTHING
    for flag, value in flag_payloads().items():
        payload = {"part": {"value": value}}
        if format.refuses(payload) is None:
            (directory := tmp_path / str(flag.name)).mkdir()
            kept |= flag if picture(through(name, payload, directory), flag) == picture(payload, flag) else NOTHING

    assert kept == format.keeps


@pytest.mark.parametrize("name", ["torch+dill-5", "cloudpickle", "pickle-0", "torch-full"])
def test_a_value_that_contains_itself_is_kept_or_refused(name: str, tmp_path: Path) -> None:
    loaded = through(name, contains_itself(), tmp_path)["part"]["value"]

    assert loaded[1] is loaded
    reason = "safetensors cannot keep list at part.value[1]"
    assert get_format("safetensors").refuses(contains_itself()) == reason


@pytest.mark.parametrize("name", WHOLE[:2] + WHOLE[3:])
def test_whole_objects_come_back_and_still_belong_together(name: str, tmp_path: Path) -> None:
    assert get_format(name).whole
    assert get_format(name).refuses(train()) is None

    loaded = through(name, train(), tmp_path)

    for part, live in train().items():
        assert picture(loaded[part].state_dict(), ~NOTHING) == picture(live.state_dict(), ~NOTHING)
    assert loaded["optimizer"].param_groups[0]["params"][0] is loaded["model"][0].weight
    assert loaded["scheduler"].optimizer is loaded["optimizer"]


def test_dill_keeps_a_whole_model_with_a_lambda_inside(tmp_path: Path) -> None:
    model = nn.Linear(2, 1)
    model.rule = lambda number: number + 1  # type: ignore[assignment]
    assert get_format("dill-whole").refuses({"model": model}) is None

    loaded = through("dill-whole", {"model": model}, tmp_path)["model"]

    assert loaded.rule(1) == 2
    assert picture(loaded.state_dict(), ~NOTHING) == picture(model.state_dict(), ~NOTHING)


def test_whole_objects_are_refused_with_the_first_line_of_the_error_and_without_addresses() -> None:
    reason = get_format("cloudpickle-whole").refuses({"model": nn.Linear(1, 1), "socket": Stubborn()})

    assert reason == (
        "cloudpickle-whole cannot keep format_payloads.Stubborn at socket (TypeError: <socket> has no state)"
    )
