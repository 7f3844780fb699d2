"""Policy gradient with sampled actions from the global generator; saved by the plugin."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun


class Baseline:
    """A running mean of the return."""

    def __init__(self):
        self.value, self.count = 0.0, 0

    def update(self, x):
        self.count += 1
        self.value += (x - self.value) / self.count

    def state_dict(self):
        return dict(vars(self))

    def load_state_dict(self, s):
        vars(self).update(s)


def make_run():
    policy = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 4))
    optimizer = torch.optim.Adam(policy.parameters(), lr=3e-2, maximize=True)
    baseline = Baseline()

    def step(i):
        obs = torch.rand(10, 3)
        dist = torch.distributions.Categorical(logits=policy(obs))
        action = dist.sample()
        reward = (action == (obs.sum(1) * 4 / 3).long()).float()
        objective = ((reward - baseline.value) * dist.log_prob(action)).mean() + 0.01 * dist.entropy().mean()
        optimizer.zero_grad()
        objective.backward()
        optimizer.step()
        baseline.update(reward.mean().item())
        return objective.item(), reward.sum().item(), baseline.value

    return TrainingRun(components={"policy": policy, "optimizer": optimizer, "baseline": baseline}, step=step)
