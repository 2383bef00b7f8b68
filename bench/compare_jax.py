"""The work of `armature bench` in JAX, every update one jitted function, Adam included: see docs/performance.md.

    python3 bench/compare_jax.py [--threads N] [--repetitions N] [--only NAME,...]

Prints one JSON object with medians in milliseconds under the names of `armature bench`. Every time is that of a caller: host arrays
go in, noise is drawn inside, results come back as numbers. Compiling is not timed.
"""

import functools
import math
import os

from compare_harness import arguments, report, sac_batch

ARGS = arguments(["sac_update_ms", "encoder_update_ms", "vae_update_ms", "act_ms"])
# XLA makes as many threads as this process may use processors, once, when it is loaded.
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: ARGS.threads])

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from jax import lax  # noqa: E402

KEY = jax.random.key(0)


def dense(key, inputs, outputs):
    bound = 1 / math.sqrt(inputs)
    return {"w": jax.random.uniform(key, (inputs, outputs), minval=-bound, maxval=bound), "b": jnp.zeros(outputs)}


def conv(key, size, inputs, outputs):
    bound = 1 / math.sqrt(size * size * inputs)
    w = jax.random.uniform(key, (size, size, inputs, outputs), minval=-bound, maxval=bound)
    return {"w": w, "b": jnp.zeros(outputs)}


def apply_dense(p, x):
    return x @ p["w"] + p["b"]


LAYOUT = ("NHWC", "HWIO", "NHWC")


def apply_conv(p, x, stride, padding):
    return lax.conv_general_dilated(x, p["w"], (stride, stride), padding, dimension_numbers=LAYOUT) + p["b"]


def apply_transposed_conv(p, x, stride):
    return lax.conv_transpose(x, p["w"], (stride, stride), "VALID", dimension_numbers=LAYOUT) + p["b"]


def mlp(key, sizes):
    keys = jax.random.split(key, len(sizes) - 1)
    return [dense(k, i, o) for k, i, o in zip(keys, sizes, sizes[1:])]


def apply_mlp(layers, x):
    for layer in layers[:-1]:
        x = jax.nn.relu(apply_dense(layer, x))
    return apply_dense(layers[-1], x)


def adam_init(params):
    # An array each: updates are given their memory.
    return {"m": jax.tree.map(jnp.zeros_like, params), "v": jax.tree.map(jnp.zeros_like, params), "t": jnp.zeros(())}


def adam(params, gradients, state, rate, b1=0.9, b2=0.999, epsilon=1e-8):
    t = state["t"] + 1
    m = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, state["m"], gradients)
    v = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * g * g, state["v"], gradients)
    step = rate / (1 - b1**t)
    params = jax.tree.map(lambda p, m, v: p - step * m / (jnp.sqrt(v / (1 - b2**t)) + epsilon), params, m, v)
    return params, {"m": m, "v": v, "t": t}


def policy(actor, observation):
    mean, raw = jnp.split(apply_mlp(actor, observation), 2, -1)
    return mean, jnp.tanh(raw) * 3.5 - 1.5


def sample(actor, observation, key):
    mean, log_std = policy(actor, observation)
    noise = jax.random.normal(key, mean.shape)
    u = mean + jnp.exp(log_std) * noise
    log_prob = (-0.5 * noise**2 - log_std - 0.5 * math.log(2 * math.pi)).sum(-1)
    return jnp.tanh(u), log_prob - (2 * (math.log(2) - u - jax.nn.softplus(-2 * u))).sum(-1)


def twin_q(critics, observation, action):
    """[2, B], of two critics stacked along the first axis."""
    x = jnp.concatenate([observation, action], -1)
    return jax.vmap(lambda critic: apply_mlp(critic, x)[:, 0])(critics)


def sac_update():
    size, observation_size, action_size, hidden = 256, 16, 4, [256, 256]
    batch = sac_batch(size, observation_size, action_size)
    actor_key, critic_key, key = jax.random.split(KEY, 3)
    actor = mlp(actor_key, [observation_size, *hidden, 2 * action_size])
    critics = jax.vmap(lambda k: mlp(k, [observation_size + action_size, *hidden, 1]))(jax.random.split(critic_key))
    log_alpha = jnp.zeros(())
    state = {
        "actor": actor,
        "critics": critics,
        "targets": jax.tree.map(jnp.copy, critics),
        "log_alpha": log_alpha,
        "actor_adam": adam_init(actor),
        "critic_adam": adam_init(critics),
        "alpha_adam": adam_init(log_alpha),
        "key": key,
    }
    target_entropy, tau, rate = -action_size, 0.005, 3e-4

    @functools.partial(jax.jit, donate_argnums=0)
    def update(s, b):
        next_key, new_key, key = jax.random.split(s["key"], 3)
        alpha = jnp.exp(s["log_alpha"])
        next_action, next_log_prob = sample(s["actor"], b["next_observation"], next_key)
        next_q = twin_q(s["targets"], b["next_observation"], next_action).min(0)
        target = b["reward"] + b["discount"] * (next_q - alpha * next_log_prob)

        def critic_loss(critics):
            q = twin_q(critics, b["observation"], b["action"])
            return 0.5 * ((q - target) ** 2).mean(1).sum(), q.mean()

        (loss_q, q_mean), gradients = jax.value_and_grad(critic_loss, has_aux=True)(s["critics"])
        critics, critic_adam = adam(s["critics"], gradients, s["critic_adam"], rate)

        def actor_loss(actor):
            action, log_prob = sample(actor, b["observation"], new_key)
            return (alpha * log_prob - twin_q(critics, b["observation"], action).min(0)).mean(), log_prob.mean()

        (loss_pi, log_prob), gradients = jax.value_and_grad(actor_loss, has_aux=True)(s["actor"])
        actor, actor_adam = adam(s["actor"], gradients, s["actor_adam"], rate)

        loss_alpha, gradient = jax.value_and_grad(lambda x: -x * (log_prob + target_entropy))(s["log_alpha"])
        log_alpha, alpha_adam = adam(s["log_alpha"], gradient, s["alpha_adam"], rate)
        targets = jax.tree.map(lambda t, p: t + tau * (p - t), s["targets"], critics)
        s = {
            "actor": actor,
            "critics": critics,
            "targets": targets,
            "log_alpha": log_alpha,
            "actor_adam": actor_adam,
            "critic_adam": critic_adam,
            "alpha_adam": alpha_adam,
            "key": key,
        }
        return s, jnp.stack([loss_q, loss_pi, loss_alpha, q_mean, log_prob])

    def run():
        nonlocal state
        state, metrics = update(state, batch)
        return np.asarray(metrics).tolist()

    return run


def encoder_update():
    keys = jax.random.split(KEY, 5)
    convs = [conv(keys[0], 3, 9, 32)] + [conv(k, 3, 32, 32) for k in keys[1:4]]
    params = {"convs": convs, "out": dense(keys[4], 3 * 3 * 32, 50)}
    # NHWC: the layout that JAX's users feed.
    batch = np.random.default_rng(0).standard_normal((128, 48, 48, 9), np.float32)

    def loss(params, x):
        for p in params["convs"]:
            x = jax.nn.relu(apply_conv(p, x, 2, "SAME"))
        return (apply_dense(params["out"], x.reshape(len(x), -1)) ** 2).mean()

    update = jax.jit(jax.value_and_grad(loss))

    def run():
        value, gradients = update(params, batch)
        jax.block_until_ready(gradients)
        return float(value)

    return run


def beta_vae(architecture, key, latent_size=8):
    """Both architectures of encoders/beta-vae; of `spatial`, the encoder is all that acting needs."""
    k = jax.random.split(key, 8)
    first = conv(k[0], 5, 3, 16)
    if architecture == "spatial":
        rest = {"conv": conv(k[1], 3, 16, 32), "sharpness": jnp.full((), 10.0), "out": dense(k[2], 64, 2 * latent_size)}
        return {"first": first, **rest}
    return {
        "first": first,
        "convs": [conv(k[1], 3, 16, 32), conv(k[2], 3, 32, 64)],
        "out": dense(k[3], 64 * 3 * 3, 2 * latent_size),
        "in": dense(k[4], latent_size, 64 * 3 * 3),
        "up": [conv(k[5], 3, 64, 32), conv(k[6], 3, 32, 16), conv(k[7], 6, 16, 3)],
    }


MEAN_FRAME = np.full((48, 48, 3), 0.5, np.float32)


def centred(frames):
    return frames.astype(jnp.float32) / 255 - MEAN_FRAME


def soft_argmax(x, sharpness):
    """Expected positions [B, 2 C] of feature maps [B, S, S, C]."""
    line = jnp.linspace(-1, 1, x.shape[1])
    y, x_axis = jnp.meshgrid(line, line, indexing="ij")
    grid = jnp.stack([x_axis.ravel(), y.ravel()], -1)  # [S S, 2]
    attention = jax.nn.softmax(x.reshape(len(x), -1, x.shape[-1]) * sharpness, 1)  # [B, S S, C]
    return jnp.einsum("bsc,sd->bcd", attention, grid).reshape(len(x), -1)


def posterior(vae, x):
    x = jax.nn.relu(apply_conv(vae["first"], x, 3, "VALID"))
    if "convs" in vae:
        for p in vae["convs"]:
            x = jax.nn.relu(apply_conv(p, x, 2, "VALID"))
        x = x.reshape(len(x), -1)
    else:
        x = soft_argmax(jax.nn.relu(apply_conv(vae["conv"], x, 1, "SAME")), vae["sharpness"])
    mean, h = jnp.split(apply_dense(vae["out"], x), 2, -1)
    return mean, jnp.abs(h) + math.log(1e-3)


def decode(vae, z):
    x = jax.nn.relu(apply_dense(vae["in"], z)).reshape(-1, 3, 3, 64)
    for p in vae["up"][:-1]:
        x = jax.nn.relu(apply_transposed_conv(p, x, 2))
    return apply_transposed_conv(vae["up"][-1], x, 3)


def vae_update():
    key, noise_key = jax.random.split(KEY)
    params = beta_vae("rig", key)
    state = {"params": params, "adam": adam_init(params), "key": noise_key}
    frames = np.random.default_rng(0).integers(0, 256, (64, 48, 48, 3), np.uint8)
    beta = 1.0

    def loss(params, frames, key):
        x = centred(frames)
        mean, log_variance = posterior(params, x)
        z = mean + jnp.exp(0.5 * log_variance) * jax.random.normal(key, mean.shape)
        reconstruction = ((decode(params, z) - x) ** 2).sum() / len(x)
        kl = 0.5 * (mean**2 + jnp.exp(log_variance) - log_variance - 1).mean(0)
        return reconstruction + beta * kl.sum(), (reconstruction, kl)

    @functools.partial(jax.jit, donate_argnums=0)
    def update(s, frames):
        noise_key, key = jax.random.split(s["key"])
        (value, rest), gradients = jax.value_and_grad(loss, has_aux=True)(s["params"], frames, noise_key)
        params, state = adam(s["params"], gradients, s["adam"], 1e-3)
        return {"params": params, "adam": state, "key": key}, (value, *rest)

    def run():
        nonlocal state
        state, metrics = update(state, frames)
        return [np.asarray(x).tolist() for x in metrics]

    return run


def act():
    vae, actor = beta_vae("spatial", KEY), mlp(KEY, [16, 256, 256, 2 * 2])
    frame = np.random.default_rng(0).integers(0, 256, (1, 48, 48, 3), np.uint8)
    goal = np.zeros((1, 8), np.float32)

    @jax.jit
    def mean_action(vae, actor, frame, goal):
        latent, _ = posterior(vae, centred(frame))
        mean, _ = policy(actor, jnp.concatenate([latent, goal], -1))
        return jnp.tanh(mean)

    return lambda: np.asarray(mean_action(vae, actor, frame, goal))


BENCHMARKS = {
    "sac_update_ms": sac_update,
    "encoder_update_ms": encoder_update,
    "vae_update_ms": vae_update,
    "act_ms": act,
}

if __name__ == "__main__":
    report(ARGS, BENCHMARKS, f"jax {jax.__version__}")
