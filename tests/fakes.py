"""Realistic results made by hand, for the figures and tables."""

import numpy as np

from verax.infer import Breakdown, Fit, Ranking, Row, Scan
from verax.learn import History
from verax.parameters import nuisance
from verax.results import Coverage, Interval
from verax.templates import Templates

NUISANCES = ("tes", "jes", "les", "soft_met", "norm_ttbar", "norm_diboson")
GROUPS = ("tau", "jets", "leptons", "soft term", "normalisation", "normalisation")


def templates(edges: tuple[float, ...] = (0.0, 0.15, 0.3, 0.45, 0.6, 0.72, 0.82, 0.9, 0.95, 1.0)) -> Templates:
    """Signal and three backgrounds over two channels, with the six systematics above."""
    centre = (np.array(edges[1:]) + np.array(edges[:-1])) / 2
    width = np.diff(edges)
    shapes = [np.exp(3.2 * centre), np.exp(-4.0 * centre), np.exp(-2.5 * centre), np.exp(-1.0 * centre)]
    events = [690.0, 310_000.0, 21_000.0, 900.0]
    one = np.stack([n * s * width / (s * width).sum() for n, s in zip(events, shapes, strict=True)])
    nominal = np.concatenate([one, 0.3 * one[:, ::-1]], axis=1)
    variance = nominal * np.array([[0.05], [6.0], [8.0], [0.4]])
    slope = np.concatenate([centre - 0.5, 0.5 - centre])
    size = np.array([0.06, 0.03, 0.01, 0.02, 0.1, 0.2])
    touch = np.array([[1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1], [0, 0, 1, 0], [0, 0, 0, 1]], float)
    shape = np.array([1, 1, 1, 1, 0, 0])[:, None, None] * slope + np.array([0.2, 0.3, 0.1, 0.2, 1, 1])[:, None, None]
    change = size[:, None, None] * touch[:, :, None] * shape
    return Templates(
        nominal,
        variance,
        nominal * (1 + change),
        nominal * (1 - 0.8 * change),
        ("boosted", "vbf"),
        (edges, edges),
        ("htautau", "ztautau", "ttbar", "diboson"),
        tuple(nuisance(n, g) for n, g in zip(NUISANCES, GROUPS, strict=True)),
    )


def interval() -> Interval:
    return Interval("mu", 0.6827, np.asarray(1.0), np.asarray(0.757), np.asarray(1.271), np.asarray(0))


def scan(low: float = 0.243, high: float = 0.271) -> Scan:
    values = np.linspace(0.2, 1.9, 35)
    t = np.where(values < 1, ((values - 1) / low) ** 2, ((values - 1) / high) ** 2)
    status = np.zeros(35, np.int64)
    status[3], t[3] = 2, np.nan
    return Scan("mu", values, t, status)


def breakdown(method: str = "shifted-observables", factor: float = 1.0) -> Breakdown:
    rows = [
        ("total", 0, 0.257, ""),
        ("statistical", 1, 0.204, ""),
        ("data statistics only", 2, 0.197, ""),
        ("floating normalisations", 2, 0.053, ""),
        ("systematics", 1, 0.156, ""),
        ("tau", 2, 0.087, ""),
        ("jets", 2, 0.061, ""),
        ("leptons", 2, 0.012, ""),
        ("soft term", 2, 0.034, ""),
        ("normalisation", 2, 0.028, ""),
        ("simulation statistics", 2, 0.103, "refit came out wider" if method == "freeze" else ""),
    ]
    made = tuple(Row(n, d, v * (factor if d else 1), v * 1.05, v * 0.95, note) for n, d, v, note in rows)
    return Breakdown("mu", method, made)


def ranking() -> Ranking:
    names = (*NUISANCES, "norm_z")
    size = np.array([0.085, 0.06, 0.012, 0.034, 0.02, 0.017, 0.05])
    pull = np.array([0.3, -0.45, 0.02, -0.1, 0.6, 0.05, np.nan])
    error = np.array([0.55, 0.7, 0.98, 0.9, 0.8, 0.99, np.nan])
    status = np.array([0, 0, 0, 0, 0, 2, 0])
    prior = np.where(np.isnan(error), np.nan, size / np.nan_to_num(error, nan=1.0))
    sign = np.array([1, -1, 1, -1, 1, 1, -1.0])
    return Ranking(
        "mu",
        names,
        (*GROUPS, ""),
        pull,
        error,
        sign * size,
        -sign * size * 0.9,
        sign * prior,
        -sign * prior * 0.9,
        status,
    )


def fit(n: int = 0) -> Fit:
    names = ("mu", "norm_z", *NUISANCES, *(f"extra_{i}" for i in range(n)))
    p = len(names)
    mix = np.random.default_rng(1).normal(size=(p, p)) * 0.3 + np.eye(p)
    covariance = mix @ mix.T * 0.05
    covariance[3], covariance[:, 3] = 0.0, 0.0
    zero = np.asarray(0)
    return Fit(names, np.linspace(1.0, 0.1, p), covariance, np.asarray(12.3), zero, np.asarray(1e-9), zero)


def coverage() -> dict[str, Coverage]:
    e = float(np.sqrt(0.6827 * 0.3173 / 4000))
    return {
        "μ = 1 (nominal)": Coverage(0.6827, 0.6841, e, 0.512, 0.002, 4000, 0),
        "μ = 0": Coverage(0.6827, 0.6733, e, 0.471, 0.002, 3988, 12),
        "μ = 2": Coverage(0.6827, 0.6902, e, 0.561, 0.003, 4000, 0),
        "tes = +1": Coverage(0.6827, 0.6795, e, 0.515, 0.002, 3999, 1),
        "tes = −1": Coverage(0.6827, 0.6689, e, 0.509, 0.002, 4000, 0),
    }


def histories() -> dict[str, list[History]]:
    rng = np.random.default_rng(3)
    found = {}
    for fold in range(5):
        group = []
        for _ in range(3):
            n = int(rng.integers(18, 30))
            x = np.arange(n)
            train = 0.42 + 0.2 * np.exp(-x / 4) - 0.0012 * x + rng.normal(0, 0.002, n)
            validation = 0.43 + 0.2 * np.exp(-x / 4) + 0.00003 * x**2 + rng.normal(0, 0.003, n)
            group.append(History(train, validation, int(np.argmin(validation)), "patience"))
        found[f"fold {fold + 1}"] = group
    return found
