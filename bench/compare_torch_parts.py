"""Networks that several of the benchmarks in PyTorch have."""

import math

import torch
from torch import nn
from torch.nn import functional as F


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


def same(size, kernel, stride):
    """TensorFlow's `same` padding (left, right) of one axis, which PyTorch has no name for when stride > 1."""
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


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
