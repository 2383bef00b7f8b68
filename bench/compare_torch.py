"""The work of `armature bench` in eager PyTorch, written the usual way: see docs/performance.md.

    python3 bench/compare_torch.py [--threads N] [--repetitions N] [--only NAME,...]

Prints one JSON object with medians in milliseconds under the names of `armature bench`. Every time is that of a caller: host arrays
go in, noise is drawn inside, results come back as numbers.
"""

import copy
import math
import os
import re

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from compare_harness import arguments, report, sac_batch
from compare_torch_encoders import ENCODER_BENCHMARKS
from compare_torch_parts import Actor, SpatialSoftArgmax, TwinQ, same


def sac_update():
    size, observation_size, action_size, hidden = 256, 16, 4, [256, 256]
    batch = sac_batch(size, observation_size, action_size)
    actor, critic = Actor(observation_size, action_size, hidden), TwinQ(observation_size, action_size, hidden)
    target_critic = copy.deepcopy(critic).requires_grad_(False)
    log_alpha = torch.zeros(1, requires_grad=True)
    actor_adam = torch.optim.Adam(actor.parameters(), 3e-4)
    critic_adam = torch.optim.Adam(critic.parameters(), 3e-4)
    alpha_adam = torch.optim.Adam([log_alpha], 3e-4)
    target_entropy, tau = -action_size, 0.005

    def run():
        observation, action, reward, next_observation, discount = (torch.from_numpy(x) for x in batch.values())
        alpha = log_alpha.detach().exp()
        with torch.no_grad():
            next_action, next_log_prob = actor.sample(next_observation)
            next_q = torch.min(*target_critic(next_observation, next_action))
            target = reward + discount * (next_q - alpha * next_log_prob)
        q1, q2 = critic(observation, action)
        critic_loss = 0.5 * (F.mse_loss(q1, target) + F.mse_loss(q2, target))
        critic_adam.zero_grad()
        critic_loss.backward()
        critic_adam.step()

        critic.requires_grad_(False)
        new_action, log_prob = actor.sample(observation)
        actor_loss = (alpha * log_prob - torch.min(*critic(observation, new_action))).mean()
        actor_adam.zero_grad()
        actor_loss.backward()
        actor_adam.step()
        critic.requires_grad_(True)

        alpha_loss = -(log_alpha * (log_prob.detach() + target_entropy)).mean()
        alpha_adam.zero_grad()
        alpha_loss.backward()
        alpha_adam.step()
        with torch.no_grad():
            for weight, target_weight in zip(critic.parameters(), target_critic.parameters()):
                target_weight.lerp_(weight, tau)
        return [critic_loss.item(), actor_loss.item(), alpha_loss.item(), q1.mean().item(), log_prob.mean().item()]

    return run


class PixelEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(9, 32, 3, 2)] + [nn.Conv2d(32, 32, 3, 2) for _ in range(3)])
        self.out = nn.Linear(3 * 3 * 32, 50)

    def forward(self, x):
        for conv in self.convs:
            left, right = same(x.shape[-1], 3, 2)
            x = F.relu(conv(F.pad(x, (left, right, left, right))))
        return self.out(x.flatten(1))


def encoder_update():
    net = PixelEncoder()
    # NCHW: the layout that PyTorch's users feed.
    batch = np.random.default_rng(0).standard_normal((128, 9, 48, 48), np.float32)

    def run():
        net.zero_grad()
        loss = net(torch.from_numpy(batch)).square().mean()
        loss.backward()
        return loss.item()

    return run


class BetaVae(nn.Module):
    """Both architectures of encoders/beta-vae; of `spatial`, the encoder is all that acting needs."""

    def __init__(self, architecture, latent_size=8):
        super().__init__()
        first = [nn.Conv2d(3, 16, 5, 3), nn.ReLU()]
        if architecture == "spatial":
            rest = [nn.Conv2d(16, 32, 3, 1, padding=1), nn.ReLU(), SpatialSoftArgmax(15), nn.Linear(64, 2 * latent_size)]
        else:
            rest = [
                nn.Conv2d(16, 32, 3, 2), nn.ReLU(),
                nn.Conv2d(32, 64, 3, 2), nn.ReLU(),
                nn.Flatten(), nn.Linear(64 * 3 * 3, 2 * latent_size),
            ]  # fmt: skip
        self.encoder = nn.Sequential(*first, *rest)
        self.decoder = nn.Sequential(
            nn.Linear(latent_size, 64 * 3 * 3), nn.ReLU(),
            nn.Unflatten(1, (64, 3, 3)),
            nn.ConvTranspose2d(64, 32, 3, 2), nn.ReLU(),
            nn.ConvTranspose2d(32, 16, 3, 2), nn.ReLU(),
            nn.ConvTranspose2d(16, 3, 6, 3),
        )  # fmt: skip
        self.register_buffer("mean_frame", torch.full((3, 48, 48), 0.5))

    def centred(self, frames):
        """uint8 NHWC, as cameras give them, to float NCHW."""
        return frames.permute(0, 3, 1, 2).float() / 255 - self.mean_frame

    def posterior(self, x):
        mean, h = self.encoder(x).chunk(2, -1)
        return mean, h.abs() + math.log(1e-3)


def vae_update():
    vae = BetaVae("rig")
    adam = torch.optim.Adam(vae.parameters(), 1e-3)
    frames = np.random.default_rng(0).integers(0, 256, (64, 48, 48, 3), np.uint8)
    beta = 1.0

    def run():
        x = vae.centred(torch.from_numpy(frames))
        mean, log_variance = vae.posterior(x)
        z = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
        reconstruction = (vae.decoder(z) - x).square().sum() / len(x)
        kl = 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).mean(0)
        loss = reconstruction + beta * kl.sum()
        adam.zero_grad()
        loss.backward()
        adam.step()
        return [loss.item(), reconstruction.item(), kl.tolist()]

    return run


def act():
    vae, actor = BetaVae("spatial"), Actor(16, 2, [256, 256])
    frame = np.random.default_rng(0).integers(0, 256, (1, 48, 48, 3), np.uint8)
    goal = torch.zeros(1, 8)

    @torch.no_grad()
    def run():
        latent, _ = vae.posterior(vae.centred(torch.from_numpy(frame)))
        mean, _ = actor(torch.cat([latent, goal], -1))
        return torch.tanh(mean).numpy()

    return run


BENCHMARKS = {
    "sac_update_ms": sac_update,
    "encoder_update_ms": encoder_update,
    "vae_update_ms": vae_update,
    "act_ms": act,
    **ENCODER_BENCHMARKS,
}


def blas():
    """The BLAS that this process has loaded: Debian's PyTorch takes the reference one, 12 times slower, unless OpenBLAS is there."""
    if not os.path.exists("/proc/self/maps"):
        return "unknown"
    with open("/proc/self/maps") as maps:
        loaded = set(re.findall(r"/\S*/(lib[^/\s]*(?:blas|mkl)[^/\s]*)", maps.read()))
    named = sorted(name for name in loaded if re.search("openblas|mkl|blis|atlas", name) and "scipy" not in name)
    if "BLAS_INFO=mkl" in torch.__config__.show():
        return "mkl"
    return named[0] if named else "reference" if loaded else "built in"


def main():
    args = arguments(BENCHMARKS)
    torch.set_num_threads(args.threads)
    if hasattr(torch.backends, "nnpack"):
        # It runs on few processors, and elsewhere warns at every convolution.
        torch.backends.nnpack.set_flags(False)
    torch.manual_seed(0)
    report(args, BENCHMARKS, f"torch {torch.__version__} ({blas()})")


if __name__ == "__main__":
    main()
