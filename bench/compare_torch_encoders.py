"""Updates of encoders, and of SAC through one, in eager PyTorch: see compare_torch.py."""

import copy
import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from compare_harness import sac_batch
from compare_torch_parts import Actor, SpatialSoftArgmax, TwinQ, same


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
    """uint8 NHWC, an array or a tensor, to float NCHW in [0, 1]."""
    return torch.as_tensor(frames).permute(0, 3, 1, 2).float() / 255


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


def pixel_trunk(channels, filters, size):
    """Four convolutions 3x3 of frames 48x48, a dense layer, layer normalisation."""
    convs = [nn.Conv2d(channels, filters, 3, 2), nn.ReLU()]
    for _ in range(3):
        convs += [nn.Conv2d(filters, filters, 3), nn.ReLU()]
    return nn.Sequential(*convs, nn.Flatten(), nn.Linear(17 * 17 * filters, size), nn.LayerNorm(size))


def dbc_update():
    """encoders/dbc by its defaults, the paper's form: 64 steps."""
    count, size, action_size = 64, 32, 4
    encoder = pixel_trunk(3, 16, size)
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


def follow(target, source, share):
    with torch.no_grad():
        for old, new in zip(target.parameters(), source.parameters()):
            old.lerp_(new, share)


def curl_update():
    """encoders/curl by its defaults: 64 pairs of shifted frames, drawn before."""
    count, size = 64, 32
    queries = pixel_trunk(3, 16, size)
    keys = copy.deepcopy(queries).requires_grad_(False)
    bilinear = nn.Parameter(torch.rand(size, size))
    adam = torch.optim.Adam([*queries.parameters(), bilinear], 1e-3)
    first, second = noise_frames(2, count)
    labels = torch.arange(count)

    def run():
        q = queries(scaled(first))
        with torch.no_grad():
            k = keys(scaled(second))
        loss = F.cross_entropy(q @ bilinear @ k.T, labels)
        adam.zero_grad()
        loss.backward()
        adam.step()
        follow(keys, queries, 0.05)
        return loss.item()

    return run


class Flat(nn.Module):
    """Frames [B, 3, 48, 48, 3] with their channels behind each other, through `pixel_trunk` of 32 filters."""

    def __init__(self, size):
        super().__init__()
        self.trunk = pixel_trunk(9, 32, size)

    def forward(self, frames):
        return self.trunk(frames.permute(0, 1, 4, 2, 3).reshape(-1, 9, 48, 48).float() / 255)


class Positions(nn.Module):
    """Of frames [B, 3, 48, 48, 3] where each of 16 channels is active in the newest, and how far that moved from frame to frame."""

    def __init__(self, size):
        super().__init__()
        self.places = nn.Sequential(
            nn.Conv2d(3, 16, 5, 3), nn.ReLU(), nn.Conv2d(16, 16, 3), nn.ReLU(), SpatialSoftArgmax(13)
        )  # fmt: skip
        self.head = nn.Sequential(nn.Linear(96, size), nn.LayerNorm(size))

    def forward(self, frames):
        places = self.places(scaled(frames.reshape(-1, 48, 48, 3))).reshape(-1, 3, 32)
        moved = 4 * (places[:, 1:] - places[:, :-1]).flip(1)
        return self.head(torch.cat([places[:, 2], moved.flatten(1)], 1))


def sac_through(trunk, size, self_prediction=False):
    """SAC through a trunk, as agents/sac does it: the critics' loss trains it, actor and a slow copy see it without gradient. With
    `self_prediction`, models of reward and next features learn in the same step. Its batch was drawn and shifted before; armature's field
    draws and shifts one."""
    count, action_size, hidden = 64, 2, [256, 256]
    actor, critic = Actor(size, action_size, hidden), TwinQ(size, action_size, hidden)
    target_trunk, target_critic = (copy.deepcopy(net).requires_grad_(False) for net in (trunk, critic))
    log_alpha = torch.zeros(1, requires_grad=True)
    actor_adam = torch.optim.Adam(actor.parameters(), 3e-4)
    models = [normed_mlp(size + action_size, 128, out) for out in (size, 1)] if self_prediction else []
    learned = [critic, trunk, *models]
    critic_adam = torch.optim.Adam([p for net in learned for p in net.parameters()], 3e-4)
    alpha_adam = torch.optim.Adam([log_alpha], 3e-4)
    frames, next_frames = (torch.from_numpy(x) for x in noise_frames(2, count, 3))
    rest = sac_batch(count, size, action_size)

    def run():
        action, reward, discount = (torch.from_numpy(rest[name]) for name in ("action", "reward", "discount"))
        alpha = log_alpha.detach().exp()
        with torch.no_grad():
            seen = target_trunk(next_frames)
            next_action, next_log_prob = actor.sample(seen)
            next_q = torch.min(*target_critic(seen, next_action))
            target = reward + discount * (next_q - alpha * next_log_prob)
        state = trunk(frames)
        q1, q2 = critic(state, action)
        critic_loss = 0.5 * (F.mse_loss(q1, target) + F.mse_loss(q2, target))
        loss = critic_loss
        if self_prediction:
            given = torch.cat([state, action], 1)
            next_model, reward_model = models
            spread = (seen.var(0, unbiased=False).sum() + 1e-6).sqrt()
            missed = torch.linalg.vector_norm(seen - next_model(given), dim=1).mean() / spread
            told = missed + (reward - reward_model(given).squeeze(-1)).abs().mean()
            loss = loss + told * (critic_loss / told).detach()
        critic_adam.zero_grad()
        loss.backward()
        critic_adam.step()

        critic.requires_grad_(False)
        state = state.detach()
        new_action, log_prob = actor.sample(state)
        actor_loss = (alpha * log_prob - torch.min(*critic(state, new_action))).mean()
        actor_adam.zero_grad()
        actor_loss.backward()
        actor_adam.step()
        critic.requires_grad_(True)

        alpha_loss = -(log_alpha * (log_prob.detach() - action_size)).mean()
        alpha_adam.zero_grad()
        alpha_loss.backward()
        alpha_adam.step()
        follow(target_critic, critic, 0.005)
        follow(target_trunk, trunk, 0.05)
        return [critic_loss.item(), actor_loss.item(), alpha_loss.item(), q1.mean().item(), log_prob.mean().item()]

    return run


ENCODER_BENCHMARKS = {
    "encoder_tcn_update_ms": tcn_update,
    "encoder_dbc_update_ms": dbc_update,
    "encoder_grasp2vec_update_ms": grasp2vec_update,
    "encoder_curl_update_ms": curl_update,
    "sac_pixels_update_ms": lambda: sac_through(Flat(50), 50),
    "pixels_update_ms": lambda: sac_through(Positions(32), 32, self_prediction=True),
}
