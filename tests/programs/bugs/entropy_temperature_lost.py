"""SAC's learned log_alpha and its optimizer are not restored: RLinf/RLinf#706, pranz24/pytorch-soft-actor-critic#35."""
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "log_alpha, a bare tensor with requires_grad, is saved as alpha.item() for the log but never restored, nor is its optimizer."
NAMES = ["alpha"]


class SAC:
    def __init__(self, restore_alpha):
        self.restore_alpha = restore_alpha
        self.policy = nn.Sequential(nn.Linear(3, 12), nn.ReLU(), nn.Linear(12, 4))
        self.policy_optim = torch.optim.Adam(self.policy.parameters(), lr=1e-2)
        self.log_alpha = torch.zeros(1, requires_grad=True)
        self.alpha_optim = torch.optim.Adam([self.log_alpha], lr=5e-2)
        self.target_entropy = 0.9

    def update(self, i):
        g = torch.Generator().manual_seed(35 + i)
        obs, q = torch.randn(16, 3, generator=g), torch.randn(16, 4, generator=g)
        log_pi = self.policy(obs).log_softmax(-1)
        entropy = -(log_pi.exp() * log_pi).sum(-1)
        loss = (-(log_pi.exp() * q).sum(-1) - self.log_alpha.exp().detach() * entropy).mean()
        self.policy_optim.zero_grad()
        loss.backward()
        self.policy_optim.step()
        alpha_loss = (self.log_alpha * (entropy.detach() - self.target_entropy)).mean()
        self.alpha_optim.zero_grad()
        alpha_loss.backward()
        self.alpha_optim.step()
        return loss.item(), alpha_loss.item()

    def save_checkpoint(self, path):
        checkpoint = {
            "policy": self.policy.state_dict(),
            "policy_optim": self.policy_optim.state_dict(),
            "alpha": self.log_alpha.exp().item(),
        }
        if self.restore_alpha:
            checkpoint["log_alpha"], checkpoint["alpha_optim"] = self.log_alpha.detach(), self.alpha_optim.state_dict()
        torch.save(checkpoint, path)

    def load_checkpoint(self, path):
        checkpoint = torch.load(path)
        self.policy.load_state_dict(checkpoint["policy"])
        self.policy_optim.load_state_dict(checkpoint["policy_optim"])
        if self.restore_alpha:
            with torch.no_grad():
                self.log_alpha.copy_(checkpoint["log_alpha"])
            self.alpha_optim.load_state_dict(checkpoint["alpha_optim"])


def make_run(fixed):
    s = SAC(restore_alpha=fixed)
    return TrainingRun(
        components={"policy": s.policy, "policy_optim": s.policy_optim, "alpha_optim": s.alpha_optim},
        step=s.update,
        save=s.save_checkpoint,
        load=s.load_checkpoint,
    )


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
