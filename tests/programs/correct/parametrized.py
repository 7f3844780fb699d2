"""Orthogonal and spectral-norm parametrizations, and weight norm: power-iteration vectors are buffers."""
import torch
from torch import nn
from torch.nn.utils import parametrizations as P

from pytest_ckpt import TrainingRun


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.rotate = P.orthogonal(nn.Linear(4, 4, bias=False), orthogonal_map="cayley")
        self.a = P.spectral_norm(nn.Linear(4, 8))
        self.b = P.weight_norm(nn.Linear(8, 8))
        self.c = P.spectral_norm(nn.Linear(8, 1), n_power_iterations=2)

    def forward(self, x):
        return self.c(torch.relu(self.b(torch.relu(self.a(self.rotate(x))))))


class Trainer:
    def __init__(self):
        self.critic = Critic()
        self.optimizer = torch.optim.RMSprop(self.critic.parameters(), lr=1e-2)

    def step(self, i):
        real = torch.linspace(-1, 1, 24).view(6, 4)
        fake = real.flip(0) * (0.3 + 0.1 * i)
        self.optimizer.zero_grad()
        loss = self.critic(fake).mean() - self.critic(real).mean()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def predict(self):
        self.critic.eval()
        with torch.no_grad():
            out = self.critic(torch.ones(2, 4))
        self.critic.train()
        return out

    def save(self, path):
        torch.save({"critic": self.critic.state_dict(), "optimizer": self.optimizer.state_dict()}, path)

    def load(self, path):
        s = torch.load(path)
        self.critic.load_state_dict(s["critic"])
        self.optimizer.load_state_dict(s["optimizer"])


def make_run():
    t = Trainer()
    return TrainingRun(components={"critic": t.critic, "optimizer": t.optimizer}, step=t.step, save=t.save,
                       load=t.load, predict=t.predict)
