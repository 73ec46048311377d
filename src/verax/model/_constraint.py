"""Constraint terms of the nuisance parameters, and pseudo-experiments of their global observables."""

from typing import NamedTuple

import numpy as np

from verax.arrays import Array, Bool, Float, Int, PRNGKeyArray, gammaln, namespace, xlogy
from verax.parameters import Gaussian, Parameter, Poisson

HALF_LOG_2PI = 0.5 * np.log(2 * np.pi)

AuxiliaryOfToys = Float[Array, "*toy constraint"]
Theta = Float[Array, " parameter"]
Auxiliary = Float[Array, " constraint"]


class Constraints(NamedTuple):
    """Of each parameter: whether its constraint is Gaussian, or Poisson, its width and τ, the place of its observable."""

    gaussian: Bool[np.ndarray, " parameter"]
    poisson: Bool[np.ndarray, " parameter"]
    width: Float[np.ndarray, " parameter"]
    tau: Float[np.ndarray, " parameter"]
    place: Int[np.ndarray, " parameter"]

    @classmethod
    def of(cls, parameters: tuple[Parameter, ...]) -> "Constraints":
        """Those of some parameters."""
        each = [p.constraint for p in parameters]
        gaussian, poisson = (np.array([isinstance(c, kind) for c in each], bool) for kind in (Gaussian, Poisson))
        width = np.array([c.width if isinstance(c, Gaussian) else 1.0 for c in each])
        tau = np.array([c.tau if isinstance(c, Poisson) else 1.0 for c in each])
        return cls(gaussian, poisson, width, tau, np.maximum(np.cumsum(gaussian | poisson) - 1, 0))


def constraint_terms(of: Constraints, theta: Theta, auxiliary: Auxiliary) -> tuple[Theta, Theta, Theta]:
    """−log of each parameter's constraint with its first and second derivative in θ; zero where there is none.

    Gaussian: G(auxiliary; θ; width). Poisson: Poisson(auxiliary; τ θ). Normalised densities, as in pyhf.
    """
    xp = namespace(theta, auxiliary)
    gaussian, poisson, width, tau, place = of
    observed = auxiliary[place] if (gaussian | poisson).any() else xp.zeros_like(theta)
    pull = (theta - observed) / width
    value = xp.where(gaussian, 0.5 * pull**2 + HALF_LOG_2PI + np.log(width), 0.0)
    slope, curvature = xp.where(gaussian, pull / width, 0.0), xp.where(gaussian, 1 / width**2, 0.0)
    if poisson.any():
        safe = xp.where(poisson, theta, 1.0)
        value += xp.where(poisson, tau * safe - xlogy(observed, tau * safe) + gammaln(observed + 1), 0.0)
        slope += xp.where(poisson, tau - observed / safe, 0.0)
        curvature += xp.where(poisson, observed / safe**2, 0.0)
    return value, slope, curvature


def constraint_mixed(parameters: tuple[Parameter, ...], theta: Theta) -> Auxiliary:
    """Derivative of −log of each constraint in its parameter and in its global observable."""
    index = [i for i, p in enumerate(parameters) if p.constraint is not None]
    width = np.array([c.width if isinstance(c := parameters[i].constraint, Gaussian) else 0.0 for i in index])
    value = theta[np.array(index, int)]
    xp = namespace(value)
    return -1 / xp.where(width > 0, width**2, xp.where(value > 0, value, 1.0))


def constraint_peak(parameters: tuple[Parameter, ...], auxiliary: AuxiliaryOfToys) -> AuxiliaryOfToys:
    """−log of each constraint where it is largest: at the global observable itself."""
    xp = namespace(auxiliary)
    constraints = [p.constraint for p in parameters if p.constraint is not None]
    poisson = np.array([isinstance(c, Poisson) for c in constraints], bool)
    width = np.array([c.width if isinstance(c, Gaussian) else 1.0 for c in constraints])
    count = xp.where(poisson, auxiliary, 0.0)
    return xp.where(poisson, count - xlogy(count, count) + gammaln(count + 1), HALF_LOG_2PI + np.log(width))


def constraint_mean(parameters: tuple[Parameter, ...], theta: Theta) -> Auxiliary:
    """Expected global observable of each constrained parameter, in their order."""
    index = [i for i, p in enumerate(parameters) if p.constraint is not None]
    tau = [c.tau if isinstance(c := parameters[i].constraint, Poisson) else 1.0 for i in index]
    return theta[np.array(index, int)] * np.array(tau)


def constraint_spread(parameters: tuple[Parameter, ...], theta: Theta) -> Auxiliary:
    """Standard deviation of each global observable: the prior width, or √(τ θ)."""
    width = [p.constraint.width if isinstance(p.constraint, Gaussian) else 0.0 for p in parameters if p.constraint]
    mean, xp = constraint_mean(parameters, theta), namespace(theta)
    return xp.where(np.array(width) > 0, np.array(width), xp.sqrt(xp.abs(mean)))


def constraint_sample(key: PRNGKeyArray, parameters: tuple[Parameter, ...], theta: Theta) -> Auxiliary:
    """Global observables drawn from the constraint terms at ``theta``."""
    import jax

    mean, spread = constraint_mean(parameters, theta), constraint_spread(parameters, theta)
    draw = mean + spread * jax.random.normal(key, mean.shape, mean.dtype)
    poisson = np.array([isinstance(p.constraint, Poisson) for p in parameters if p.constraint], bool)
    if not poisson.any():
        return draw
    counted = jax.random.poisson(key, jax.numpy.where(poisson, mean, 0.0)).astype(mean.dtype)
    return jax.numpy.where(poisson, counted, draw)
