"""No step: only inference is offered, with save and load of the program's own."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun


def make_run():
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 2))
    model(torch.randn(16, 4))

    def predict():
        model.eval()
        with torch.inference_mode():
            return {"probabilities": model(torch.ones(3, 4)).softmax(-1)}

    return TrainingRun(components={"model": model}, predict=predict,
                       save=lambda path: torch.save(model.state_dict(), path),
                       load=lambda path: model.load_state_dict(torch.load(path)))
