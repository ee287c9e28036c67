"""The critic's two losses move what they are for, and nothing else."""

import pytest
import torch

from safelight.ladder.critic import Critic


def test_each_loss_has_gradients_where_it_should():
    torch.manual_seed(0)
    critic = Critic(3, width=8)
    real, imitation = torch.rand(2, 4, 3, 16, 16)
    imitation.requires_grad_()
    verdict = critic.judge(real, imitation)
    verdict.decoder_loss.backward(retain_graph=True)
    assert imitation.grad.abs().sum() > 0
    assert all(p.grad is None for p in critic.parameters()), "the decoder's loss leaves the critic alone"
    imitation.grad = None
    verdict.critic_loss.backward()
    assert imitation.grad is None, "the critic's loss leaves the imitation alone"
    assert all(p.grad is not None for p in critic.parameters())


@pytest.mark.slow
def test_a_critic_learns_to_tell_noise_from_light():
    torch.manual_seed(0)
    critic = Critic(1, width=8)
    optimiser = torch.optim.Adam(critic.parameters(), lr=3e-3)
    for _ in range(60):
        smooth = torch.linspace(0, 1, 16).expand(8, 1, 16, 16) * torch.rand(8, 1, 1, 1)
        verdict = critic.judge(smooth, torch.rand(8, 1, 16, 16))
        optimiser.zero_grad()
        verdict.critic_loss.backward()
        optimiser.step()
    assert verdict.critic_loss < 0.5, "2 is a guess"
    assert verdict.decoder_loss > 0.5, "the imitation is told apart"
