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


def mlp(sizes):
    layers = []
    for i in range(len(sizes) - 1):
        layers.append(nn.Linear(sizes[i], sizes[i + 1]))
        if i < len(sizes) - 2:
            layers.append(nn.ReLU())
    return nn.Sequential(*layers)


class Actor(nn.Module):
    """Tanh of a diagonal Gaussian; log std by a tanh into [-5, 2]."""

    def __init__(self, observation_size, action_size, hidden):
        super().__init__()
        self.net = mlp([observation_size, *hidden, 2 * action_size])

    def forward(self, observation):
        mean, raw = self.net(observation).chunk(2, -1)
        return mean, torch.tanh(raw) * 3.5 - 1.5

    def sample(self, observation):
        mean, log_std = self(observation)
        noise = torch.randn_like(mean)
        u = mean + log_std.exp() * noise
        log_prob = (-0.5 * noise.square() - log_std - 0.5 * math.log(2 * math.pi)).sum(-1)
        log_prob = log_prob - (2 * (math.log(2) - u - F.softplus(-2 * u))).sum(-1)
        return torch.tanh(u), log_prob


class TwinQ(nn.Module):
    def __init__(self, observation_size, action_size, hidden):
        super().__init__()
        self.first = mlp([observation_size + action_size, *hidden, 1])
        self.second = mlp([observation_size + action_size, *hidden, 1])

    def forward(self, observation, action):
        x = torch.cat([observation, action], -1)
        return self.first(x).squeeze(-1), self.second(x).squeeze(-1)


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


def same(size, kernel, stride):
    """TensorFlow's `same` padding (left, right) of one axis, which PyTorch has no name for when stride > 1."""
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


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


class SpatialSoftArgmax(nn.Module):
    def __init__(self, side):
        super().__init__()
        self.sharpness = nn.Parameter(torch.full((1,), 10.0))
        line = torch.linspace(-1, 1, side)
        y, x = torch.meshgrid(line, line, indexing="ij")
        self.register_buffer("grid", torch.stack([x.flatten(), y.flatten()], -1))  # [HW, 2]

    def forward(self, x):
        attention = (x.flatten(2) * self.sharpness).softmax(-1)  # [B, C, HW]
        return (attention @ self.grid).flatten(1)  # [B, 2 C]


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


class SameConv(nn.Conv2d):
    """A convolution 3x3 with TensorFlow's `same` padding."""

    def __init__(self, inputs, outputs, stride):
        super().__init__(inputs, outputs, 3, stride)

    def forward(self, x):
        left, right = same(x.shape[-1], 3, self.stride[0])
        return super().forward(F.pad(x, (left, right, left, right)))


def convolutions(channels, *spec):
    layers = []
    for outputs, stride in spec:
        layers += [SameConv(channels, outputs, stride), nn.ReLU()]
        channels = outputs
    return nn.Sequential(*layers)


def scaled(frames):
    """uint8 NHWC to float NCHW in [0, 1]."""
    return torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255


def noise_frames(*shape):
    return np.random.default_rng(0).integers(0, 256, (*shape, 48, 48, 3), np.uint8)


def n_pairs(anchors, positives, columns, rows):
    logits = (anchors @ positives.T).masked_fill(~columns, -1e6)
    each = F.cross_entropy(logits, torch.arange(len(logits)), reduction="none")
    squared = anchors.square().sum(1) + positives.square().sum(1)
    return ((each + 0.0005 * squared) * rows).sum() / rows.sum().clamp(min=1)


def tcn_update():
    """encoders/tcn by its defaults: 64 moments by two cameras, two episodes, n-pairs."""
    count = 64
    net = nn.Sequential(
        convolutions(3, (16, 2), (16, 1), (32, 2), (32, 1)),
        SpatialSoftArgmax(12), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 32),
    )  # fmt: skip
    adam = torch.optim.Adam(net.parameters(), 1e-3)
    views = noise_frames(2, count)
    episodes, times = np.arange(count) // 32, np.arange(count) % 32
    rng = np.random.default_rng(0)

    def run():
        swapped = rng.random(count) < 0.5
        frames = np.where(swapped[:, None, None, None], views[::-1], views)
        apart = (episodes[:, None] == episodes) & (times[:, None] != times)
        columns = torch.from_numpy(apart | np.eye(count, dtype=bool))
        first, second = net(scaled(frames.reshape(2 * count, 48, 48, 3))).chunk(2)
        rows = torch.ones(count)
        loss = (n_pairs(first, second, columns, rows) + n_pairs(second, first, columns, rows)) / 2
        adam.zero_grad()
        loss.backward()
        adam.step()
        return loss.item()

    return run


def grasp2vec_update():
    """encoders/grasp2vec by its defaults: 64 grasps, three quarters of which lifted something."""
    count = 64
    scene = convolutions(3, (16, 2), (32, 2), (48, 1))
    held = convolutions(3, (16, 2), (32, 2), (32, 1), (48, 2))
    adam = torch.optim.Adam([*scene.parameters(), *held.parameters()], 1e-3)
    before, after, outcome = noise_frames(3, count)
    success = np.arange(count) % 4 > 0

    def pooled(maps):
        return maps.sum((2, 3)) / 8

    def run():
        was, now = pooled(scene(scaled(np.concatenate([before, after])))).chunk(2)
        gone, seen = was - now, pooled(held(scaled(outcome)))
        lifted = torch.from_numpy(success)
        rows = lifted.float()
        columns = lifted | torch.eye(count, dtype=torch.bool)
        pairs = n_pairs(gone, seen, columns, rows) + n_pairs(seen, gone, columns, rows)
        apart = ((gone - seen).square().sum(1) * rows).sum() / rows.sum().clamp(min=1)
        loss = pairs + 0.05 * apart
        adam.zero_grad()
        loss.backward()
        adam.step()
        return [loss.item(), pairs.item(), apart.item()]

    return run


def normed_mlp(inputs, hidden, outputs):
    return nn.Sequential(nn.Linear(inputs, hidden), nn.LayerNorm(hidden), nn.ReLU(), nn.Linear(hidden, outputs))


def dbc_update():
    """encoders/dbc by its defaults, the paper's form: 64 steps."""
    count, size, action_size = 64, 32, 4
    convs = [nn.Conv2d(3, 16, 3, 2), nn.ReLU()]
    for _ in range(3):
        convs += [nn.Conv2d(16, 16, 3), nn.ReLU()]
    encoder = nn.Sequential(*convs, nn.Flatten(), nn.Linear(17 * 17 * 16, size), nn.LayerNorm(size))
    transition = normed_mlp(size + action_size, 128, 2 * size)
    reward = normed_mlp(size, 128, 1)
    adam = torch.optim.Adam([*encoder.parameters(), *transition.parameters(), *reward.parameters()], 1e-3)
    frames, next_frames = noise_frames(2, count)
    rng = np.random.default_rng(0)
    actions = rng.uniform(-1, 1, (count, action_size)).astype(np.float32)
    rewards = rng.uniform(0, 1, count).astype(np.float32)
    low, high = 1e-4, 1.0
    start = math.log((0.3 - low) / (high - 0.3))

    def run():
        z = encoder(scaled(frames))
        with torch.no_grad():
            z_next = encoder(scaled(next_frames))
        mean, raw = transition(torch.cat([z, torch.from_numpy(actions)], 1)).chunk(2, -1)
        std = low + (high - low) * torch.sigmoid(raw + start)
        nll = (0.5 * ((mean - z_next) / std).square() + std.log()).mean()
        told = reward(mean + std * torch.randn_like(mean)).squeeze(-1)
        error = F.mse_loss(told, torch.from_numpy(rewards))
        partners = torch.randperm(count)
        pairs = (partners != torch.arange(count)).float()
        with torch.no_grad():
            squares = (mean - mean[partners]).square() + (std - std[partners]).square()
            target = 0.01 * (told - told[partners]).abs() + 0.99 * (squares.sum(1) + 1e-12).sqrt()
        metric = (((z - z[partners]).abs().sum(1) - target).square() * pairs).sum() / pairs.sum().clamp(min=1)
        loss = 0.5 * metric + nll + error
        adam.zero_grad()
        loss.backward()
        adam.step()
        spread = z.detach().std(0, unbiased=False).mean()
        return [loss.item(), metric.item(), nll.item(), error.item(), spread.item()]

    return run


BENCHMARKS = {
    "sac_update_ms": sac_update,
    "encoder_update_ms": encoder_update,
    "vae_update_ms": vae_update,
    "act_ms": act,
    "encoder_tcn_update_ms": tcn_update,
    "encoder_dbc_update_ms": dbc_update,
    "encoder_grasp2vec_update_ms": grasp2vec_update,
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
