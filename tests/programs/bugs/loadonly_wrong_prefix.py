"""An exported backbone read with the wrong prefix: facebookresearch/dino#44 ('backbone only' files), fairseq2#308, nnfabrik#71."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The released file has keys 'backbone.*', the reader filters on 'encoder.*', gets an empty dict and loads it with strict=False; no training step."
NAMES = ["backbone", "fc", "weight", "nothing"]


class Backbone(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(5, 10), nn.Linear(10, 3)

    def forward(self, x):
        return self.fc2(nn.functional.gelu(self.fc1(x)))


def export(model, path):
    torch.save({"state_dict": {f"backbone.{k}": v for k, v in model.state_dict().items()}}, path)


def import_weights(model, path, prefix):
    state = torch.load(path)["state_dict"]
    state = {k[len(prefix) :]: v for k, v in state.items() if k.startswith(prefix)}
    model.load_state_dict(state, strict=False)


def make_run(fixed):
    model = Backbone().eval()
    x = torch.linspace(-2, 2, 20).view(4, 5)

    @torch.inference_mode()
    def predict():
        return {"logits": model(x).clone()}

    return TrainingRun(
        components={"backbone": model},
        save=lambda path: export(model, path),
        load=lambda path: import_weights(model, path, "backbone." if fixed else "encoder."),
        predict=predict,
    )


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
