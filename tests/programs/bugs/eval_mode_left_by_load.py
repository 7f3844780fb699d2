"""load() was copied from the inference script and ends with model.eval(): SeanNaren/deepspeech.pytorch#22, ai2cm/ace#1019 (the reverse), marin-community/levanter#378."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "load() ends with model.eval(), so a resumed run normalises with the running statistics of BatchNorm instead of the batch's."
NAMES = ["eval", "training", "train mode", "mode", "running_"]


def load_model(path, net, for_training):
    state = torch.load(path)
    net.load_state_dict(state["net"])
    if not for_training:
        net.eval()
    return state


def make_run(fixed):
    net = nn.Sequential(nn.Conv1d(1, 4, 3), nn.BatchNorm1d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 6, 2))
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    sched = torch.optim.lr_scheduler.StepLR(opt, step_size=2, gamma=0.5)
    audio = torch.randn(6, 8, 1, 8, generator=torch.Generator().manual_seed(16000))

    def step(i):
        x = audio[i]
        target = x.flatten(1)[:, :2]
        loss = (net(x) - target).square().mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        sched.step()
        return loss.item()

    def save(path):
        torch.save({"net": net.state_dict(), "opt": opt.state_dict(), "sched": sched.state_dict()}, path)

    def load(path):
        state = load_model(path, net, for_training=fixed)
        opt.load_state_dict(state["opt"])
        sched.load_state_dict(state["sched"])

    return TrainingRun(components={"net": net, "opt": opt, "sched": sched}, step=step, save=save, load=load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
