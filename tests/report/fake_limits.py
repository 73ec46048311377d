"""Realistic limits and scans in closed form, for the figures."""

import numpy as np
from scipy.stats import norm


def cls(values: np.ndarray, sigma: float = 0.55, observed: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """Observed and five expected CLs of a Gaussian estimate of width σ: CLs = Φ(−(μ − μ̂)/σ) / Φ(μ̂/σ)."""

    def at(estimate: float) -> np.ndarray:
        return norm.sf((values - estimate) / sigma) / norm.cdf(estimate / sigma)

    return at(observed), np.stack([at(k * sigma) for k in (-2, -1, 0, 1, 2)])


def limits(sigma: float = 0.55, observed: float = 0.3) -> tuple[float, np.ndarray]:
    """Where these CLs are 5 %."""

    def at(estimate: float) -> float:
        return estimate + sigma * float(norm.isf(0.05 * norm.cdf(estimate / sigma)))

    return at(observed), np.array([at(k * sigma) for k in (-2, -1, 0, 1, 2)])


def mass_scan() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Limits against a mass, falling by two orders of magnitude."""
    mass = np.linspace(200.0, 1200.0, 21)
    median = 3.0 * np.exp(-mass / 220.0) + 0.012
    expected = median * np.array([0.54, 0.72, 1.0, 1.39, 1.86])[:, None]
    wiggle = np.random.default_rng(4).normal(0, 0.25, mass.size)
    return mass, median * np.exp(wiggle + 0.9 * np.exp(-(((mass - 750) / 60) ** 2))), expected


def banana(n: int = 61) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """t of two anticorrelated parameters, one of them skewed, minimum 0 at (1, 0.2)."""
    x, y = np.linspace(0.0, 2.2, n), np.linspace(-1.6, 2.0, n - 10)
    a, b = (x[:, None] - 1.0) / 0.27, (y[None, :] - 0.2) / 0.55
    b = b + 0.12 * a**2
    rho = -0.55
    return x, y, (a**2 - 2 * rho * a * b + b**2) / (1 - rho**2)
