"""Two problems with a known answer for every epistemic method with its defaults: a line, and sin 2x with noise.

line: y = w·(1, x₀, x₁) + ½ε (see linear.py), where least squares, of each replica too, the posterior and mean field's own
optimum are exact. "off" is the distance to the exact weights in exact standard deviations, √((w − ŵ)ᵀΛ(w − ŵ)/3), root mean
square over members, or of their mean where they are drawn; "sd" the spread over members at four points, divided by the
exact one. A method that has a known optimum of its own is compared with that: has it converged? ``own=False`` compares all
with the posterior instead: is its answer the right one?

sine: y = sin 2x + ½ε and one hidden layer of 16 units. "off" is the root mean square of mean − sin 2x on |x| < 1.2, in units
of ½√(10/n), as the fit of ten free numbers would have; "sd" the root mean square of the spread, divided by that difference.

"early stopping" is a bootstrap that a quarter as many more events stop; its own answer is that without them.
"""

from functools import partial

import jax
import numpy as np
from linear import GRID, NOISE, PHI, Known, design, exact, moments, regression, start

from verax import epistemic
from verax.events import make_events
from verax.learn import Training, classifier, member_means, predict, stack, train

POINTS = np.linspace(-1.2, 1.2, 25, dtype=np.float32)[:, None]
RESOLUTION = 0.3


def trained(key, make, loss, events, training=Training()):
    first, second = jax.random.split(key)
    found = train(second, make(first, events), loss, events, training=training)
    return epistemic.Ensemble(stack([found.network]), histories=found.histories)


METHODS = {
    "train": trained,
    "ensemble": partial(epistemic.ensemble, bootstrap=False),
    "bootstrap": epistemic.ensemble,
    "early stopping": epistemic.ensemble,
    "dropout": epistemic.dropout,
    "concrete dropout": epistemic.concrete_dropout,
    "variational": epistemic.variational,
    "laplace": epistemic.laplace,
    "hmc": epistemic.hmc,
    "tta": partial(epistemic.tta, resolution={"x0": RESOLUTION}),
}
ON = {
    "line": [name for name in METHODS if "dropout" not in name],  # it needs hidden units
    "sine": [name for name in METHODS if name != "tta"],  # whose spread is that of its input
}


def sine(n, seed):
    rng = np.random.default_rng([16, seed])
    x = rng.uniform(-1.5, 1.5, n)
    return make_events({"x": x, "y": np.sin(2 * x) + NOISE * rng.normal(size=n)})


def find(problem, name, n, seed):
    """The events, and what the method finds on them with its defaults."""
    sample = regression if problem == "line" else sine
    events = sample(n, seed=seed)
    make = start if problem == "line" else partial(classifier, features=("x",), width=16, depth=1)
    options = {"which": "all"} if (problem, name) == ("line", "laplace") else {}  # a line has no last layer
    if name == "early stopping":
        options = {"validation": sample(n // 4, seed=1000 + seed)}
    return events, METHODS[name](jax.random.key(seed), make, Known(), events, **options)


def judge(problem, name, events, found, seed, *, own=True):
    """How far off it is, and its spread; ``own``: from its own optimum, where that is known."""
    key = jax.random.key(seed)
    return _line(name, events, found, key, own) if problem == "line" else _sine(name, events, found, key)


def _line(name, events, found, key, own):
    posterior, precision = exact(events)
    phi, y = design(events), np.asarray(events.column("y"), np.float64)
    counts = np.ones((1, len(y)))
    replicated = name in ("bootstrap", "early stopping")
    if replicated:
        replicas = jax.random.split(key)[0]
        counts = epistemic.bootstrap_factors(replicas, events.number, events.process, members=10).astype(float)
    best = np.stack([np.linalg.solve((phi * c[:, None]).T @ phi, phi.T @ (c * y)) for c in counts])
    metric = phi.T @ phi / NOISE**2
    if name == "laplace" and own:  # its own prior
        precision = metric + found.precision * np.eye(3)
        posterior = np.linalg.solve(precision, phi.T @ y / NOISE**2)
    if name == "variational" and own:
        precision = metric = np.diag(np.diag(precision))
    fixed = replicated or name in ("train", "ensemble", "hmc")
    members = found.members(key, None if fixed else 4000)
    ((_, values),) = member_means(members, GRID, moments=moments)  # [member, point]
    at = np.linalg.pinv(PHI) @ values.T  # the weights, from four points of each member
    if name == "train" or (own and (replicated or name == "ensemble")):
        difference, known = at.T - best, (PHI @ best.T).var(axis=1)
    elif name == "tta" and own:
        difference, known = np.asarray(found.network.weight)[None] - best, np.full(4, (RESOLUTION * best[0, 1]) ** 2)
    else:
        difference, known = at.mean(axis=1)[None] - posterior, np.diag(PHI @ np.linalg.inv(precision) @ PHI.T)
    off = np.sqrt(np.einsum("mi,ij,mj->m", difference, metric, difference).mean() / 3)
    alone = name == "train" or (own and name == "ensemble")
    return off, np.nan if alone else np.sqrt(values.var(axis=0).mean() / known.mean())


def _sine(name, events, found, key):
    p = predict(found.members(jax.random.fold_in(key, 7)), POINTS, moments=moments)
    off = np.sqrt(np.mean((p.mean - np.sin(2 * POINTS[:, 0])) ** 2))
    sd = np.nan if name == "train" else np.sqrt(p.epistemic.mean()) / off
    return off / (NOISE * np.sqrt(10 / len(events))), sd
