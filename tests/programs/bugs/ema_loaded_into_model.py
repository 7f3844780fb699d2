"""Only the EMA weights are saved and both copies start from them: ultralytics/ultralytics#9426, ultralytics/yolov5#310, Megvii-BaseDetection/YOLOX#1318."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The checkpoint's 'model' is the averaged model; after a resume the raw weights are gone, training goes on from the average."
NAMES = ["model", "ema", "raw"]


class ModelEMA:
    def __init__(self, model, decay=0.7):
        self.shadow = {k: v.clone() for k, v in model.state_dict().items()}
        self.decay = decay

    def update(self, model):
        for k, v in model.state_dict().items():
            if v.is_floating_point():
                self.shadow[k] = self.shadow[k] * self.decay + v.detach() * (1 - self.decay)
            else:
                self.shadow[k] = v.clone()

    def state_dict(self):
        return dict(self.shadow)

    def load_state_dict(self, state):
        self.shadow = {k: v.clone() for k, v in state.items()}


class YoloTrainer:
    def __init__(self, save_raw):
        self.save_raw = save_raw
        self.model = nn.Sequential(nn.Linear(6, 12), nn.BatchNorm1d(12), nn.SiLU(), nn.Linear(12, 5))
        self.ema = ModelEMA(self.model)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.05, momentum=0.937)
        g = torch.Generator().manual_seed(1318)
        self.imgs, self.targets = torch.randn(6, 9, 6, generator=g), torch.rand(6, 9, 5, generator=g)

    def train_one_iter(self, i):
        loss = nn.functional.binary_cross_entropy_with_logits(self.model(self.imgs[i]), self.targets[i])
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.ema.update(self.model)
        return loss.item()

    def save_ckpt(self, path):
        raw = self.model.state_dict() if self.save_raw else self.ema.state_dict()
        torch.save({"model": raw, "ema": self.ema.state_dict(), "optimizer": self.optimizer.state_dict()}, path)

    def resume_train(self, path):
        ckpt = torch.load(path, map_location="cpu")
        self.model.load_state_dict(ckpt["model"])
        self.ema.load_state_dict(ckpt["ema"])
        self.optimizer.load_state_dict(ckpt["optimizer"])


def make_run(fixed):
    t = YoloTrainer(save_raw=fixed)
    return TrainingRun(components={"model": t.model, "ema": t.ema, "optimizer": t.optimizer}, step=t.train_one_iter, save=t.save_ckpt, load=t.resume_train)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
