"""What is minimised, equation first, in nats per pixel value so that rates do not depend on the pictures' size.

ELBO           E_q[log p(x | z)] - Σ_k KL(q_k ‖ p_k)                      Kingma & Welling, ICLR 2014
β-VAE          E_q[log p(x | z)] - β Σ_k KL_k                             Higgins et al., ICLR 2017
free bits      each KL_k counts as max(λ_k, KL_k)                         Kingma et al., NIPS 2016, §C.8
IWAE           E[log 1/K Σ_i p(x | z_i) p(z_i) / q(z_i)]                  Burda et al., ICLR 2016
autoencoder    log p(x | z), z without noise                              β = 0
VAE-GAN        the ELBO, and a critic's opinion of the mean               Larsen et al., ICML 2016; `ladder.critic`
perceptual     the ELBO, and differences in a classifier's features       Dosovitskiy & Brox, NIPS 2016
"""

import torch
from torch import Tensor, nn

from safelight.ladder.critic import Critic
from safelight.ladder.detail import DetailFlow
from safelight.ladder.image_vae import ImageVae, VaeOutput, importance_weighted_nats
from safelight.ladder.likelihoods import eight_bit_nats
from safelight.ladder.prior import LatentPrior
from safelight.learn.device import autocast
from safelight.learn.images.classify import Classifier, perceptual_distance
from safelight.learn.images.data import Images
from safelight.learn.images.recipe import StageSettings
from safelight.learn.seeds import torch_generator
from safelight.learn.task import Group, Logged, Moment, averaged, part_of


class Trainee(nn.Module):
    """The VAE, and what its stages ask for: a critic, a classifier, a learned prior, a flow of the detail."""

    def __init__(
        self,
        vae: ImageVae,
        critic: Critic | None = None,
        classifier: Classifier | None = None,
        prior: LatentPrior | None = None,
        detail: DetailFlow | None = None,
    ) -> None:
        super().__init__()
        self.vae, self.critic, self.classifier = vae, critic, classifier
        self.prior, self.detail = prior, detail


class ImageObjective(nn.Module):
    """The objective of one stage, with noise keyed by the step."""

    def __init__(self, trainee: Trainee, stage: StageSettings, seed: int, group: Group) -> None:
        super().__init__()
        self.trainee, self.stage, self.seed, self.group = trainee, stage, seed, group

    def forward(self, images: Images, moment: Moment) -> Logged:
        """`images` are this process's part of a batch; its noise is the same part of the whole batch's."""
        stage, vae = self.stage, self.trainee.vae
        repeated = repeat(images, stage.importance_samples)
        generator = torch_generator(self.seed, "latent", moment.stage, moment.step)
        noise = [
            part_of(n, self.group, stage.importance_samples)
            for n in vae.draw_noise(self.group.size * len(repeated.x), generator)
        ]
        if stage.beta == 0:
            noise = [torch.zeros_like(n) for n in noise]
        with autocast(stage.precision):
            output = vae(repeated.x, noise, repeated.labels)
        loss, log = image_objective(output, repeated.x, stage, share=moment.share, group=self.group)
        if stage.adversarial and self.trainee.critic is not None:
            verdict = self.trainee.critic.judge(images.x, output.likelihood.mean[: len(images.x)])
            loss = loss + stage.adversarial * verdict.decoder_loss + verdict.critic_loss
            log |= {"critic_loss": verdict.critic_loss, "decoder_loss": verdict.decoder_loss}
        if stage.perceptual and self.trainee.classifier is not None:
            with autocast(stage.precision):
                distance = perceptual_distance(
                    self.trainee.classifier, images.x, output.likelihood.mean[: len(images.x)]
                )
            loss = loss + stage.perceptual * distance
            log |= {"perceptual_distance": distance}
        return loss, log


def image_objective(output: VaeOutput, x: Tensor, stage: StageSettings, share: float, group: Group) -> Logged:
    """The loss in nats per pixel value, and the numbers to log in nats per picture of 8-bit values."""
    values = x[0].numel()
    eight_bit = eight_bit_nats(output.likelihood, values)
    log_prob = output.likelihood.log_prob(x).flatten(1).sum(dim=1).mean()
    rates = [kl.flatten(1).sum(dim=1).mean() for kl in output.kl_nats]
    log = {"distortion_nats": eight_bit - log_prob, "rate_nats": torch.stack(rates).sum()}
    log["neg_elbo_nats"] = log["distortion_nats"] + log["rate_nats"]
    log |= {f"rung{k + 1}_rate_nats": rate for k, rate in enumerate(rates) if output.kl_nats[k].numel()}
    if stage.importance_samples > 1:
        weights = output.log_weight_nats(x).view(stage.importance_samples, -1)
        bound = importance_weighted_nats(weights).mean()
        log["neg_iwae_nats"] = eight_bit - bound
        return -bound / values, log
    free_nats = stage.free_nats or _free_nats_of_coarser(output, stage.free_nats_of_coarser)
    floors = [nats * kl[0].numel() for nats, kl in zip(free_nats, output.kl_nats, strict=True)]
    over = averaged(torch.stack(rates), group) > torch.tensor(floors)
    paid = torch.where(over, torch.stack(rates), torch.tensor(floors)).sum()
    return (-log_prob + stage.beta * stage.kl_warmup(share) * paid) / values, log


def _free_nats_of_coarser(output: VaeOutput, nats: float) -> list[float]:
    """For every scale: none for the finest rung, the same for all others."""
    rungs = [k for k, kl in enumerate(output.kl_nats) if kl.shape[1]]
    return [nats if k in rungs[1:] else 0.0 for k in range(len(output.kl_nats))]


def repeat(images: Images, times: int) -> Images:
    """The batch so many times, one after another."""
    if times == 1:
        return images
    return Images(images.x.repeat(times, 1, 1, 1), None if images.labels is None else images.labels.repeat(times))
