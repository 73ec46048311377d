"""Data of known noise: y = 1000 + 300·(sin 2x + σ(x)·ε), x uniform in (−1, 1), with ε of unit variance."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax

from verax.events import Events, make_events
from verax.learn import classifier

CENTRE, SCALE = 1000.0, 300.0  # units of the target that a network must find by itself
make = partial(classifier, width=24, depth=2)


def sigma(x):
    return 0.3 + 0.2 * x


def mean(x):
    return np.sin(2 * x)


def gaussian_noise(seed: int, n: int) -> Events:
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, n)
    return events_of(x, mean(x) + sigma(x) * rng.normal(size=n))


def events_of(x, y, weight=None) -> Events:
    return make_events({"x": x, "y": CENTRE + SCALE * y}, weight=weight)


def on_device(events: Events) -> Events:
    return jax.tree.map(jnp.asarray, events)


def duplicated(events: Events) -> tuple[Events, Events]:
    """The events with the first one twice, and with the first one's weight doubled."""
    twice = events.take(np.concatenate([[0], np.arange(len(events))]))
    weight = np.asarray(events.weight).copy()
    weight[0] *= 2
    heavier = Events(events.x, weight, events.process, events.number, events.columns, events.processes)
    return on_device(twice), on_device(heavier)


def falling(steps: int, rate: float = 5e-3) -> optax.GradientTransformation:
    """Adam whose rate falls to zero: what is left of the error is that of the sample."""
    return optax.adam(optax.cosine_decay_schedule(rate, steps))
