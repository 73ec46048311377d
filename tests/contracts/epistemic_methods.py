"""Every epistemic method and every head, with the settings of the contract: a new one is a line here.

The law is known: y = sin 2x + ½ε (for mixtures an ε of two peaks), and class 1 with probability 1/(1 + exp(−2 sin 2x)).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import equinox as eqx
import jax
import numpy as np

from verax.aleatoric import (
    CategoricalNLL,
    EvidentialNLL,
    FlowNLL,
    GaussianNLL,
    MixtureNLL,
    NoisyLogits,
    NoisyProbabilities,
    Pinball,
    QuantileMoments,
    categorical,
    evidential,
    evidential_moments,
    flow,
    flow_moments,
    flow_prediction,
    gaussian,
    mean_variance,
    mixture,
    mixture_density,
    quantiles,
)
from verax.epistemic import Posterior, concrete_dropout, dropout, ensemble, hmc, laplace, tta, variational
from verax.events import Events, make_events
from verax.learn import Training, classifier, cosine, predict

FEW, MANY = 50, 800
KEY = jax.random.key(1)
GRID = np.linspace(-1.2, 1.2, 21, dtype=np.float32)[:, None]
NOISE = 0.5
CURVE = np.sin(2 * GRID[:, 0].astype(np.float64))
CHANCE = 1 / (1 + np.exp(-2 * CURVE))


def sample(live: int) -> Events:
    """One table of equal shape for any number of events, so that all compile once: the others have weight zero."""
    rng = np.random.default_rng(16)
    x = rng.uniform(-1.5, 1.5, MANY)
    y = np.sin(2 * x) + NOISE * rng.normal(size=MANY)
    two = np.sin(2 * x) + rng.choice([-0.4, 0.4], MANY) + 0.3 * rng.normal(size=MANY)  # of the same variance as y
    label = rng.random(MANY) < 1 / (1 + np.exp(-2 * np.sin(2 * x)))
    weight = (np.arange(MANY) < live).astype(np.float32)
    return make_events({"x": x, "y": y, "two": two}, weight=weight, process=label.astype(int), processes=("b", "s"))


class Sharp(eqx.Module):
    """The pinball loss as −log of a density that knows as much of a quantile as the events do.

    The curvature of its mean over levels is too small for that, by about f(q)/(τ(1 − τ)) for each of the levels.
    """

    loss: Pinball

    def __call__(self, network: Any, events: Events, key: Any) -> Any:
        return 12.0 * self.loss(network, events, key)


@dataclass(frozen=True)
class Head:
    """A head, its loss and its moments, with the true mean and variance on the grid."""

    make: Any
    loss: Any
    moments: Any
    column: int | None = None
    mean: Any = None
    noise: float = NOISE**2

    def predict(self, members: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mean, aleatoric and epistemic part on the grid."""
        assert len({a.shape[0] for a in jax.tree.leaves(eqx.filter(members, eqx.is_array))}) == 1  # one axis "member"
        read = flow_prediction(members) if isinstance(self.loss, FlowNLL) else members
        found = predict(read, GRID, moments=self.moments)
        parts = (found.mean, found.aleatoric, found.epistemic)
        return parts if self.column is None else tuple(part[:, self.column] for part in parts)


body = partial(classifier, width=16, depth=1)
LEVELS = (0.05, 0.2, 0.5, 0.8, 0.95)
on_y = {"features": ("x",), "target": "y", "make": body}
HEADS = {
    "mean-variance": Head(partial(mean_variance, **on_y), GaussianNLL("y"), gaussian),
    "mixture": Head(
        partial(mixture_density, components=2, features=("x",), target="two", make=body), MixtureNLL("two"), mixture
    ),
    "evidential": Head(partial(evidential, **on_y), EvidentialNLL("y"), evidential_moments),
    "quantiles": Head(partial(quantiles, levels=LEVELS, **on_y), Sharp(Pinball("y", LEVELS)), QuantileMoments(LEVELS)),
    "categorical": Head(
        partial(body, features=("x",), outputs=2),
        CategoricalNLL((("b",), ("s",))),
        categorical,
        column=1,
        mean=CHANCE,
        noise=float(np.median(CHANCE * (1 - CHANCE))),
    ),
    "noisy logits": Head(
        partial(body, features=("x",), outputs=4),
        NoisyLogits((("b",), ("s",))),
        NoisyProbabilities(),
        column=1,
        mean=CHANCE,
        noise=float(np.median(CHANCE * (1 - CHANCE))),
    ),
    "flow": Head(
        partial(flow, columns=("y",), condition=("x",), kind="affine", layers=1, width=16, depth=1),
        FlowNLL(),
        flow_moments,
    ),
}

SUM_ONLY = ("evidential",)
"""Heads whose split of the variance events do not determine: the sum of both parts is judged."""

TRAINING = Training(epochs=250, batch=200, optimizer=cosine(2e-2))
METHODS: dict[str, Callable[..., Posterior]] = {
    "deep ensemble": partial(ensemble, training=TRAINING, members=5, bootstrap=False),
    "bootstrap": partial(ensemble, training=TRAINING, members=5),
    "dropout": partial(dropout, training=TRAINING),
    "concrete dropout": partial(concrete_dropout, training=TRAINING),
    "variational": partial(variational, training=TRAINING),
    "Laplace, last layer": partial(laplace, training=TRAINING),
    "Laplace": partial(laplace, training=TRAINING, which="all"),
    "HMC": partial(hmc, chains=2, warmup=100, draws=50, steps=12),
    "test-time augmentation": partial(tta, training=TRAINING, resolution={"x": 0.1}),
}
FIXED = ("deep ensemble", "bootstrap", "HMC")
"""Methods whose members are a fixed set."""

STAYS = ("dropout", "test-time augmentation")
"""Methods whose spread is what their options say, however many events there are."""

OPTIONS: dict[tuple[str, str], dict[str, Any]] = {
    # The rates of dropout take longer to learn than the weights.
    ("concrete dropout", "flow"): {"training": Training(epochs=600, batch=200, optimizer=cosine(2e-2))},
    # A log-density is linear in itself.
    ("Laplace, last layer", "flow"): {"curvature": "hessian"},
}
"""Options of a method with one head."""

NOT_DETERMINED = "data leave a direction open, whose variance is the prior's, and Laplace's members are wide along it"
REFUSED = "refused: see test_what_does_not_fit_is_refused"
LEFT_OUT = {
    ("Laplace", "evidential"): NOT_DETERMINED,
    ("Laplace, last layer", "evidential"): NOT_DETERMINED,
    ("Laplace", "noisy logits"): NOT_DETERMINED,
    ("Laplace, last layer", "noisy logits"): NOT_DETERMINED,
    ("Laplace", "mixture"): NOT_DETERMINED,
    ("Laplace", "quantiles"): REFUSED,
    ("Laplace, last layer", "quantiles"): REFUSED,
    ("Laplace", "flow"): REFUSED,
    ("test-time augmentation", "flow"): REFUSED,
}
ROUGH = {("variational", "flow")}
"""Independent weights are far from this posterior: the mean-field optimum is too smooth, and too wide, at 800 events."""
