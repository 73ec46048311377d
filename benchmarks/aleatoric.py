"""Heads against known truths: flows on three jets, whose entropy is exact, and all heads on data of known noise.

Usage: python benchmarks/aleatoric.py [EVENTS] [EPOCHS]

Excess: mean of ln p(exact) − ln p(learnt) over 50,000 new events, the divergence in nats, in per cent of the entropy; it
does not share the fluctuation of the events' own entropy. Integral: by midpoints of 1000² cells over the square.
"""

import sys
import time
from functools import partial

import jax
import numpy as np
import optax
from scipy.stats import norm

from verax.aleatoric import FlowNLL, GaussianNLL, MixtureNLL, Pinball, flow, mean_variance, mixture_density, quantiles
from verax.check import average, crps_gaussian, crps_mixture, crps_quantiles, nll_gaussian, nll_mixture
from verax.events import Events, make_events
from verax.learn import Training, classifier, inputs, train
from verax.problems import ThreeJets

BATCH = 250


def falling(events: Events, epochs: int, rate: float = 4e-3) -> optax.GradientTransformation:
    return optax.adam(optax.cosine_decay_schedule(rate, epochs * len(events) // BATCH))


def jets(problem: ThreeJets, seed: int, n: int) -> Events:
    x = np.asarray(problem.nominal(jax.random.key(seed), n).x)
    return make_events({"x1": x[:, 0], "x2": x[:, 1]})


def three_jets(cut: float, kind: str, n: int, epochs: int) -> None:
    problem = ThreeJets(cut)
    events, test = jets(problem, 1001, n), jets(problem, 1002, 50_000)
    low, high = 2 * cut - 1e-6, 1 - cut + 1e-6
    ends = {"x1": (low, high), "x2": (low, high)}
    layers = 2 if kind == "spline" else 5
    start = flow(jax.random.key(1003), events, ("x1", "x2"), bounds=ends, kind=kind, layers=layers)
    cpu = time.process_time()
    trained = train(
        jax.random.key(1004),
        start,
        FlowNLL(),
        events,
        training=Training(epochs=epochs, batch=BATCH, optimizer=falling(events, epochs)),
    ).network
    cpu = time.process_time() - cpu
    found = np.asarray(trained.log_prob(test.x), np.float64)
    excess = average(np.asarray(problem.log_density(test.x, {}), np.float64)[0] - found)
    middle = low + (high - low) * (np.arange(1000) + 0.5) / 1000
    points = np.stack(np.meshgrid(middle, middle), axis=-1).reshape(-1, 2).astype(np.float32)
    total = np.exp(np.asarray(trained.log_prob(points), np.float64)).sum() * ((high - low) / 1000) ** 2
    outside = np.isneginf(np.asarray(problem.log_density(trained.sample(jax.random.key(1005), 50_000), {}))).mean()
    entropy = problem.entropy()
    print(
        f"| {cut} | {kind}, {layers} layers | {n} | {entropy:.4f} | {-found.mean():.4f} | "
        f"{100 * excess.value / abs(entropy):.2f} ± {100 * excess.error / abs(entropy):.2f} | "
        f"{total:.4f} | {100 * outside:.2f} | {cpu:.0f} |",
        flush=True,
    )


def known_noise(n: int, epochs: int) -> None:
    """Target y = sin 3x + N(0, (0.3 + 0.2 x)²): the exact density is known, so each score has a smallest value."""

    def sample(seed: int, n: int) -> Events:
        rng = np.random.default_rng(seed)
        x = rng.uniform(-1, 1, n)
        return make_events({"x": x, "y": np.sin(3 * x) + (0.3 + 0.2 * x) * rng.normal(size=n)})

    events, test = sample(2001, n), sample(2002, 50_000)
    x, y = (np.asarray(test.column(name), np.float64) for name in ("x", "y"))
    truth = (np.sin(3 * x), (0.3 + 0.2 * x) ** 2, y)
    levels = tuple(((np.arange(20) + 0.5) / 20).tolist())
    options = {"features": ("x",), "target": "y", "make": partial(classifier, width=32)}

    def fit(head, loss) -> np.ndarray:
        start = head(jax.random.key(2003), events, **options)
        key, optimizer = jax.random.key(2004), falling(events, epochs)
        network = train(
            key, start, loss, events, training=Training(epochs=epochs, batch=BATCH, optimizer=optimizer)
        ).network
        return np.asarray(jax.vmap(network)(inputs(network, test)), np.float64)

    rows = {"exact": (nll_gaussian(*truth), crps_gaussian(*truth))}
    for name, beta in (("mean_variance", 0.0), ("mean_variance, β = ½", 0.5)):
        out = fit(mean_variance, GaussianNLL("y", beta))
        given = (out[:, 0], np.exp(2 * out[:, 1]), y)
        rows[name] = nll_gaussian(*given), crps_gaussian(*given)
    out = fit(mixture_density, MixtureNLL("y"))
    share, mean, variance = np.exp(out[:, 0]), out[:, 1], np.exp(2 * out[:, 2])
    parts = (share / share.sum(axis=1, keepdims=True), mean, variance, y)
    rows["mixture_density, 5"] = nll_mixture(*parts), crps_mixture(*parts)
    out = fit(partial(quantiles, levels=levels), Pinball("y", levels))
    exact = truth[0][:, None] + np.sqrt(truth[1])[:, None] * norm.ppf(levels)
    rows["exact quantiles, 20"] = None, crps_quantiles(np.asarray(levels), exact, y)
    rows["quantiles, 20"] = None, crps_quantiles(np.asarray(levels), out, y)
    exact_nll, exact_crps = rows["exact"]
    for name, (nll, crps) in rows.items():
        told = "–"
        if nll is not None:
            excess = average(nll - exact_nll)
            told = f"{average(nll).value:.4f} | {1000 * excess.value:.1f} ± {1000 * excess.error:.1f}"
        else:
            told = "– | –"
        excess = average(crps - exact_crps)
        print(
            f"| {name} | {told} | {average(crps).value:.4f} | {1000 * excess.value:.2f} ± {1000 * excess.error:.2f} |"
        )


if __name__ == "__main__":
    events = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    epochs = int(sys.argv[2]) if len(sys.argv) > 2 else 15
    print("| cut | kind | events | entropy | NLL | excess, % | integral | draws outside, % | CPU s |")
    print("| --: | :-- | --: | --: | --: | --: | --: | --: | --: |")
    for cut in (0.01, 0.05, 0.1):
        three_jets(cut, "spline", events, epochs)
    three_jets(0.05, "affine", events, epochs)
    print("\n| head | NLL | excess, 10⁻³ | CRPS | excess, 10⁻³ |\n| :-- | --: | --: | --: | --: |")
    known_noise(events, epochs)
