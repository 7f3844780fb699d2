"""What single formats promise beyond the sweep."""

from __future__ import annotations

import errno
import resource
import signal
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from format_exactness import NOTHING, picture
from format_payloads import PAYLOADS, Custom, Tagged
from torch import nn

from pytest_ckpt.formats import get_format


def save(name: str, payload: dict[str, Any], directory: Path) -> Path:
    path = directory / f"checkpoint{get_format(name).suffix}"
    get_format(name).save(payload, path)
    return path


def payload_of(value: object) -> dict[str, Any]:
    return {"part": {"value": value}}


def test_what_the_user_allows_weights_only_to_load_is_not_refused() -> None:
    payload = payload_of(torch.ones(2).as_subclass(Tagged))
    assert get_format("torch").refuses(payload)

    with torch.serialization.safe_globals([Tagged]):
        assert get_format("torch").refuses(payload) is None


def test_only_the_first_value_at_fault_is_named() -> None:
    payload = {"model": {"w": torch.ones(1)}, "extra": {"a": 1, "order": Custom(), "more": Custom()}}

    reason = get_format("torch").refuses(payload)

    assert reason == "weights_only loading refuses format_payloads.Custom at extra.order (use 'torch-full')"


def test_what_hangs_on_an_ordered_dictionary_is_looked_at_too() -> None:
    state_dict = nn.Linear(1, 1).state_dict()
    state_dict._metadata["made_by"] = Custom()  # type: ignore[attr-defined]

    reason = get_format("safetensors").refuses({"model": state_dict})

    assert reason == "safetensors cannot keep format_payloads.Custom at model._metadata.made_by"


def test_asking_for_a_reason_draws_no_random_numbers_and_raises_no_warnings() -> None:
    payload = PAYLOADS["complex32"]() | PAYLOADS["quantized"]() | PAYLOADS["state_dicts"]()
    state = torch.get_rng_state()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ("torch", "torch-legacy", "pickle", "safetensors", "dcp"):
            get_format(name).refuses(payload)

    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("name", ["torch", "torch-legacy", "torch-full", "pickle-2", "dill", "torch+dill-4"])
def test_tensors_saved_elsewhere_come_back_on_the_cpu(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        # What torch writes into the file for a storage on the first GPU.
        patch.setattr(torch.serialization, "location_tag", lambda storage: "cuda:0")
        path = save(name, payload_of(torch.ones(2)), tmp_path)
    assert b"cuda:0" in path.read_bytes()

    assert get_format(name).load(path)["part"]["value"].device == torch.device("cpu")


def test_the_formats_write_what_their_names_say(tmp_path: Path) -> None:
    payload = payload_of(torch.ones(2))
    files = {name: save(name, payload, tmp_path).read_bytes() for name in ("torch", "torch-bytesio")}
    files |= {name: save(name, payload, tmp_path).read_bytes() for name in ("torch-legacy", "torch+pickle-4")}
    files |= {name: save(name, payload, tmp_path).read_bytes() for name in ("pickle-0", "dill-3", "safetensors")}

    assert files["torch"][:2] == files["torch-bytesio"][:2] == files["torch+pickle-4"][:2] == b"PK"
    assert files["torch-legacy"][:2] == b"\x80\x02"
    assert b"checkpoint/data.pkl" in files["torch"]
    assert b"archive/data.pkl" in files["torch-bytesio"]  # a buffer has no name
    assert b"\x80\x04" in files["torch+pickle-4"]
    assert files["pickle-0"].startswith(b"(dp0")
    assert files["dill-3"].startswith(b"\x80\x03")
    assert b'"part.value":{"dtype":"F32"' in files["safetensors"]
    assert sorted(path.name for path in save("dcp", payload, tmp_path / "d").iterdir()) == [
        ".metadata",
        "__0_0.distcp",
    ]


@pytest.mark.parametrize("name", ["torch", "torch-legacy", "torch-mmap", "torch-bytesio"])
def test_weights_only_formats_run_no_code(name: str, tmp_path: Path) -> None:
    path = save("torch-full" if name != "torch-legacy" else name, payload_of(Custom()), tmp_path)

    with pytest.raises(Exception, match=r"Unsupported global: GLOBAL format_payloads\.Custom"):
        get_format(name).load(path)


def test_mmap_loads_windows_on_the_file_and_safetensors_does_not(tmp_path: Path) -> None:
    for name, follows in (("torch-mmap", True), ("safetensors", False)):
        path = save(name, payload_of(torch.ones(5000)), tmp_path)
        loaded = get_format(name).load(path)["part"]["value"]
        content = path.read_bytes()
        with path.open("r+b") as file:
            file.write(content.replace(torch.ones(1000).numpy().tobytes(), bytes(4000)))

        assert (loaded[2500].item() == 0) is follows, name


def test_dcp_overwrites_a_checkpoint_without_a_warning(tmp_path: Path) -> None:
    save("dcp", payload_of(torch.ones(2)), tmp_path)

    path = save("dcp", payload_of(torch.zeros(2)), tmp_path)

    assert get_format("dcp").load(path)["part"]["value"].tolist() == [0, 0]


def test_dcp_raises_an_ordinary_exception_for_a_full_disk(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError) as caught:  # noqa: PT011
            save("dcp", payload_of(torch.ones(100_000)), tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)

    assert caught.value.errno == errno.EFBIG


def test_a_slice_of_a_large_tensor_makes_a_small_safetensors_file(tmp_path: Path) -> None:
    path = save("safetensors", payload_of(torch.ones(100_000)[:3]), tmp_path)

    assert path.stat().st_size < 1000


def test_cloudpickle_in_torch_save_keeps_a_local_class(tmp_path: Path) -> None:
    class Local:
        value = 3

    path = save("torch+cloudpickle-5", payload_of(Local()), tmp_path)

    assert get_format("torch+cloudpickle-5").load(path)["part"]["value"].value == 3


def test_the_picture_sees_what_torch_equal_does_not() -> None:
    one = torch.ones(2, 2)
    assert picture(torch.tensor(0.0)) != picture(torch.tensor(-0.0))
    assert picture(one) != picture(one.double())
    assert picture(torch.tensor(float("nan"))) == picture(torch.tensor(float("nan")))
    assert picture(one[:1]) == picture(one[1:])
    everything = ~NOTHING
    assert picture([one, one], everything) != picture([one, one.clone()], everything)
    assert picture(nn.Parameter(one), everything) != picture(one.clone().requires_grad_(), everything)
    assert picture({1: 0, 2: 0}) != picture({2: 0, 1: 0})
    assert picture(True) != picture(1)
    assert picture((1,)) != picture([1])
