"""Which edits there are of a checkpoint, and what each does."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pytest_ckpt.comparison import compare
from pytest_ckpt.editing import (
    Document,
    Edit,
    casts,
    drops,
    foreign_optimizers,
    other_parameter_order,
    places,
    read_saved,
    renames,
    reshapes,
)
from pytest_ckpt.editing.places import at_place, optimizer_states, tensors

Edits = Callable[[Document], list[Edit]]
ALL = (drops, renames, reshapes, casts, foreign_optimizers, other_parameter_order)


def read(content: Any, tmp_path: Path) -> Document:
    folder = tmp_path / "own"
    folder.mkdir()
    torch.save(content, folder / "checkpoint")
    return read_saved(folder / "checkpoint")


def trained(*, named: bool = False) -> dict[str, Any]:
    """Two layers of one shape, trained so that each weight has moments of its own."""
    model = torch.nn.Sequential(torch.nn.Linear(2, 2, bias=False), torch.nn.Linear(2, 2, bias=False))
    optimizer = torch.optim.Adam(model.named_parameters() if named else model.parameters())
    model(torch.tensor([1.0, 2.0])).square().sum().backward()
    optimizer.step()
    return {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 1}


def listed(edits: Edits, document: Document) -> list[str]:
    return [f"{edit.path} {edit.change}" for edit in edits(document)]


def edited(edits: Edits, document: Document, start: str) -> Any:
    (edit,) = [edit for edit in edits(document) if f"{edit.path} {edit.change}".startswith(start)]
    return edit.apply(document).files[""].content


def test_each_entry_and_each_tensor_is_dropped_once(tmp_path: Path) -> None:
    document = read(trained(), tmp_path)

    assert listed(drops, document) == [
        "model missing",
        "optimizer missing",
        "epoch missing",
        "model.0.weight missing",
        "model.1.weight missing",
        *(f"optimizer.state[{i}].{key} missing" for i in (0, 1) for key in ("step", "exp_avg", "exp_avg_sq")),
    ]
    assert set(edited(drops, document, "optimizer missing")) == {"model", "epoch"}
    assert list(edited(drops, document, "model.0.weight")["model"]) == ["1.weight"]


def test_only_the_state_of_a_parameter_may_be_missing(tmp_path: Path) -> None:
    lenient = {edit.path for edit in drops(read(trained(), tmp_path)) if edit.lenient}

    assert lenient == {f"optimizer.state[{i}].{key}" for i in (0, 1) for key in ("step", "exp_avg", "exp_avg_sq")}


def test_a_list_may_be_shorter_and_a_file_that_is_one_may_not(tmp_path: Path) -> None:
    document = read([{"buffer": [torch.ones(1)]}, 3], tmp_path)

    assert [(edit.path, edit.lenient) for edit in drops(document)] == [
        ("[0]", ""),
        ("[1]", ""),
        ("[0].buffer[0]", "a list may have any length"),
    ]


def test_an_only_entry_is_looked_into(tmp_path: Path) -> None:
    document = read({"state": {"model": {"w": torch.ones(1)}, "epoch": 1}}, tmp_path)

    assert listed(drops, document) == [
        "state missing",
        "state.model missing",
        "state.epoch missing",
        "state.model.w missing",
    ]


def test_a_checkpoint_that_is_a_sequence_loses_its_entries_one_by_one(tmp_path: Path) -> None:
    document = read(({"w": torch.ones(1)}, [1, 2]), tmp_path)

    assert listed(drops, document) == ["[0] missing", "[1] missing", "[0].w missing"]
    assert edited(drops, document, "[0] missing") == ([1, 2],)


def test_a_file_of_one_scheduler_can_only_be_missing_as_a_whole(tmp_path: Path) -> None:
    optimizer = torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=1.0)
    folder = tmp_path / "own"
    folder.mkdir()
    torch.save(torch.optim.lr_scheduler.StepLR(optimizer, 1).state_dict(), folder / "scheduler.pt")
    torch.save({"w": torch.ones(1)}, folder / "weights.pt")

    document = read_saved(folder / "checkpoint")

    assert sorted(listed(drops, document)) == [
        "scheduler.pt file missing",
        "weights.pt file missing",
        "weights.pt: w missing",
    ]
    assert set(drops(document)[0].apply(document).files) < set(document.files)


def test_what_is_renamed_stays_at_its_place_in_the_order(tmp_path: Path) -> None:
    document = read(trained(), tmp_path)

    assert listed(renames, document) == [
        "model renamed to model_renamed",
        "optimizer renamed to optimizer_renamed",
        "epoch renamed to epoch_renamed",
        "model.0.weight renamed to 0.weight_renamed",
        "model.1.weight renamed to 1.weight_renamed",
    ]
    assert list(edited(renames, document, "model.0.weight")["model"]) == ["0.weight_renamed", "1.weight"]


def test_a_tensor_is_left_its_first_row_and_turned_round(tmp_path: Path) -> None:
    content = {
        "matrix": torch.arange(6.0).reshape(2, 3),
        "square": torch.ones(2, 2),
        "one": torch.ones(1),
        "scalar": torch.tensor(4),
        "empty": torch.ones(0),
        "sparse": torch.ones(2).to_sparse(),
    }
    document = read(content, tmp_path)

    assert listed(reshapes, document) == [
        "matrix reshaped from (2, 3) to (1, 3)",
        "matrix reshaped from (2, 3) to (3, 2)",
        "square reshaped from (2, 2) to (1, 2)",
        "one reshaped from (1,) to (2, 1)",
        "scalar reshaped from () to (2,)",
    ]
    assert edited(reshapes, document, "matrix reshaped from (2, 3) to (1").pop("matrix").tolist() == [[0, 1, 2]]
    assert edited(reshapes, document, "matrix reshaped from (2, 3) to (3").pop("matrix").tolist() == [
        [0, 1],
        [2, 3],
        [4, 5],
    ]


def test_a_tensor_is_cast_where_that_changes_a_value(tmp_path: Path) -> None:
    third = torch.tensor([1 / 3], dtype=torch.float64)
    content = {
        "double": third,
        "single": third.float(),
        "half": third.half(),
        "brain": torch.tensor([3e38]).bfloat16(),
        "complex": torch.complex(third, third),
        "exact": torch.ones(2),
        "count": torch.tensor([2**40]),
        "parameter": torch.nn.Parameter(third.float()),
    }
    document = read(content, tmp_path)

    assert listed(casts, document) == [
        "double cast from float64 to float32",
        "single cast from float32 to float16",
        "half cast from float16 to bfloat16",
        "brain cast from bfloat16 to float16",
        "complex cast from complex128 to complex64",
        "parameter cast from float32 to float16",
    ]
    assert edited(casts, document, "double")["double"].dtype is torch.float32


def test_an_optimizer_is_given_the_state_of_other_parameters(tmp_path: Path) -> None:
    document = read(trained(named=True), tmp_path)

    assert listed(foreign_optimizers, document) == [
        "optimizer one parameter fewer",
        "optimizer one parameter more",
        "optimizer one group more",
        "optimizer state[0] of a larger parameter",
    ]
    fewer = edited(foreign_optimizers, document, "optimizer one parameter fewer")["optimizer"]
    assert (list(fewer["state"]), fewer["param_groups"][0]["params"]) == ([0], [0])
    assert fewer["param_groups"][0]["param_names"] == ["0.weight"]
    more = edited(foreign_optimizers, document, "optimizer one parameter more")["optimizer"]
    assert (list(more["state"]), more["param_groups"][0]["params"]) == ([0, 1, 2], [0, 1, 2])
    assert more["param_groups"][0]["param_names"] == ["0.weight", "1.weight", "another"]
    group = edited(foreign_optimizers, document, "optimizer one group more")["optimizer"]
    assert [(g["params"], g["param_names"]) for g in group["param_groups"]] == [
        ([0, 1], ["0.weight", "1.weight"]),
        ([2], ["another"]),
    ]
    larger = edited(foreign_optimizers, document, "optimizer state[0]")["optimizer"]
    assert [tuple(value.shape) for value in larger["state"][0].values()] == [(), (4, 2), (4, 2)]


def test_two_parameters_of_one_shape_change_places_with_their_names(tmp_path: Path) -> None:
    document = read(trained(named=True), tmp_path)
    before = document.files[""].content["optimizer"]

    assert listed(other_parameter_order, document) == [
        "optimizer parameters 0.weight and 1.weight in the other order",
        "optimizer parameter 0.weight renamed",
    ]
    after = edited(other_parameter_order, document, "optimizer parameters")["optimizer"]
    assert after["param_groups"][0]["param_names"] == ["1.weight", "0.weight"]
    assert after["param_groups"][0]["params"] == [0, 1]
    assert not compare(before["state"], {0: after["state"][1], 1: after["state"][0]})
    renamed = edited(other_parameter_order, document, "optimizer parameter 0.weight renamed")["optimizer"]
    assert renamed["param_groups"][0]["param_names"] == ["0.weight_renamed", "1.weight"]
    assert not compare(before["state"], renamed["state"])


def test_state_without_names_changes_places_by_number(tmp_path: Path) -> None:
    assert listed(other_parameter_order, read(trained(), tmp_path)) == [
        "optimizer parameters 0 and 1 in the other order"
    ]


def test_state_by_name_stays_with_its_name(tmp_path: Path) -> None:
    """As torch.distributed.checkpoint.state_dict writes it: only the order of the list is another one."""
    moments = {"a": {"m": torch.zeros(2)}, "b": {"m": torch.ones(2)}}
    document = read({"state": moments, "param_groups": [{"params": ["a", "b"]}]}, tmp_path)

    after = edited(other_parameter_order, document, "the file parameters a and b in the other order")

    assert after["param_groups"] == [{"params": ["b", "a"]}]
    assert not compare(moments, after["state"])
    renamed = edited(other_parameter_order, document, "the file parameter a renamed")
    assert renamed["param_groups"] == [{"params": ["a_renamed", "b"]}]
    assert list(renamed["state"]) == ["a_renamed", "b"]


@pytest.mark.parametrize(
    "state",
    [
        {0: {"m": torch.ones(2)}, 1: {"m": torch.ones(2)}},
        {0: {"m": torch.ones(2)}, 1: {"m": torch.zeros(3)}},
        {0: {"m": torch.ones(2)}},
        {},
    ],
    ids=["same values", "other shapes", "one without state", "no state"],
)
def test_what_cannot_be_mistaken_does_not_change_places(state: Any, tmp_path: Path) -> None:
    document = read({"state": state, "param_groups": [{"params": [0, 1]}]}, tmp_path)

    assert listed(other_parameter_order, document) == []


@pytest.mark.parametrize("edits", ALL)
def test_an_edit_leaves_the_document_as_it_is(edits: Edits, tmp_path: Path) -> None:
    document = read(trained(named=True), tmp_path)
    before = copy.deepcopy(document.files[""].content)

    changed = [edit.apply(document) for edit in edits(document)]

    assert not compare(before, document.files[""].content)
    assert all(compare(before, item.files[""].content) for item in changed)


@pytest.mark.parametrize("edits", ALL)
def test_what_is_no_plain_container_is_not_looked_into(edits: Edits, tmp_path: Path) -> None:
    assert edits(read(torch.nn.Linear(1, 1), tmp_path)) == []


def test_a_container_that_contains_itself_has_an_end(tmp_path: Path) -> None:
    content: dict[str, Any] = {"w": torch.ones(1)}
    content["again"] = content

    assert [edit.path for edit in drops(read(content, tmp_path))][:2] == ["again", "w"]


def test_a_mapping_keeps_its_class_and_its_attributes(tmp_path: Path) -> None:
    state: Any = OrderedDict(a=torch.ones(2), b=torch.ones(2))
    state._metadata = {"": {"version": 2}}
    document = read({"model": state}, tmp_path)

    for edit in (*drops(document)[1:], *renames(document)[1:], *reshapes(document)):
        found = at_place(edit.apply(document).files[""].content, ("model",))
        assert type(found) is OrderedDict
        assert vars(found) == {"_metadata": {"": {"version": 2}}}


def test_a_container_that_holds_itself_twice_is_walked_once() -> None:
    """At each level twice as many places: without an end, for all that anybody would wait."""
    loop: list[Any] = [torch.ones(1)]
    loop += [loop, loop]

    assert [keys for keys, _ in tensors({"loop": loop})] == [("loop", 0)]
    assert list(optimizer_states({"loop": loop})) == []


def test_a_container_that_multiplies_is_not_walked_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty-nine lists, each of which holds the next one twice: half a billion places."""
    monkeypatch.setattr(places, "_PLACES", 1_000)
    nested: list[Any] = []
    for _ in range(29):
        nested = [nested, nested]

    assert list(places.tensors({"first": torch.ones(1), "bomb": nested})) == [(("first",), torch.ones(1))]
