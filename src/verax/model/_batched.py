"""Value and gradient of a binned likelihood for many data sets at once, as matrix products.

The last axis of every array is the fit: a data set with parameter values of its own. With the notation of
:mod:`verax.model` the rates of all fits are

    T_cm = Σ_p shape_pcm F_pc,    shape = nominal + [S, A] · [α; g(α)],    F_pc = Π_i φ_i · exp(L · B(α)),

where B are functions of each α: α … αᵈ inside [−1, 1], and α or −α outside, in which log f is linear. L has the coefficients
of log f in them (a Chebyshev series inside, Trefethen, Approximation Theory and Approximation Practice (2013), chapter 3).
So the rates take two matrix products, and the gradient their transposes: with w = ∂(−log L)/∂T,

    ∂/∂α = [Sᵀ, g′(α) Aᵀ] · (w F) + B′(α) · Lᵀ · Σ_m (w shape) F.
"""

import functools
import operator
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.polynomial.chebyshev import cheb2poly
from scipy.special import gammaln

from verax.arrays import Array, Bool, Float, static
from verax.parameters import Gaussian

from ._constraint import HALF_LOG_2PI
from ._data import Data
from ._interpolate import code1, code4
from ._likelihood import AbstractBatched, Batched, ByFit
from ._poisson import positive_rate, profiled_gamma

if TYPE_CHECKING:
    from ._binned import BinnedLikelihood

PRECISION = 1e-12
"""Chebyshev coefficients of the logarithm of a factor are left out below this: the relative error of −log L."""

DEGREE = 24
"""No polynomial has a higher degree."""


class BatchedBinnedLikelihood(AbstractBatched):
    """−log L and its gradient for a batch of fits, up to terms that depend on the data alone.

    Parameters are in the order ``order``: normalisation factors, systematics that only change shapes, those that do
    both, those that are only factors, those without any effect; so that each kind is a slice. Bins are padded to a
    grid of channels and slots; processes p, channels c, slots m.

    Parameters
    ----------
    additive : [S, A] as [p·c·m, 2·systematic]; ``additive_back`` its transpose
    logarithms : L as [p·c, basis·systematic]; ``logarithms_back`` its transpose
    prior_precision : 1/width² of the Gaussian constraints, 0 without one
    """

    nominal: Float[Array, "cell 1"]
    additive: Float[Array, "cell shapes"]
    additive_back: Float[Array, "shapes cell"]
    logarithms: Float[Array, "group basis"]
    logarithms_back: Float[Array, "basis group"]
    normfactor_mask: Float[Array, "free process channel 1"]
    prior_precision: Float[Array, "parameter 1"]
    width: Float[Array, "channel slot 1"]
    floor: Float[Array, "channel slot 1"]
    fluctuates: bool = static()
    edge: float = static()
    degree: int = static()
    shapes: tuple[int, int] = static()
    factors: tuple[int, int] = static()
    grid: tuple[int, int, int] = static()
    shape_code: Callable[..., tuple[Array, Array, Array]] = static()

    def value_and_slope(
        self, theta: ByFit, packed: Float[Array, "number fit"]
    ) -> tuple[Float[Array, " fit"], ByFit, ByFit, Bool[Array, " fit"]]:
        """−log L up to a constant of each data set, its gradient, its slope in the even parts as in `Derivatives`.

        Last, whether a rate is negative: what stands for −log L there lacks the wall of an empty bin.
        """
        counts, auxiliary, observed = self._unpacked(packed)
        at = self._rates(theta)
        value, slope, _ = self._bins(at.rate, counts, auxiliary)
        slope = slope * at.rate1
        gap = theta - observed
        tension = self.prior_precision * gap  # of the constraints ½ (θ − a)² / width²
        value += 0.5 * (tension * gap).sum(0)

        fits = theta.shape[1]
        # The gradient, by the transposes of both matrices; ``sums`` is Σ_m w shape.
        back = self.additive_back @ (at.all_factors[:, :, None] * slope).reshape(-1, fits)
        half = len(at.even1)
        to_shape = back[:half] + at.even1 * back[half:]
        sums = (at.shape * slope).sum(2)
        to_basis = (self.logarithms_back @ (sums * at.all_factors).reshape(-1, fits)).reshape(at.basis.shape)
        gradient: Any = jnp.asarray(tension)
        gradient = gradient.at[slice(*self.shapes)].add(to_shape)
        to_powers = (to_basis[1:-2] * self._power_slopes(at)).sum(0)
        to_ends = to_basis[0] * at.regions[0] + to_basis[-2] * at.regions[1] - to_basis[-1] * at.regions[2]
        gradient = gradient.at[slice(*self.factors)].add(to_powers + to_ends)
        if at.normfactors:
            to_free = jnp.stack([(self._without(at, i) * sums).sum((0, 1)) for i in range(len(at.normfactors))])
            gradient = gradient.at[: len(at.normfactors)].add(to_free)
        by_shape, by_factor = ((a, len(theta) - b) for a, b in (self.shapes, self.factors))
        ends_even = (to_basis[-2] + to_basis[-1]) / 2
        even = jnp.pad(back[half:], (by_shape, (0, 0))) + jnp.pad(ends_even, (by_factor, (0, 0)))
        return value, gradient, even, at.total.min((0, 1)) < 0

    def whitened_jacobian(self, theta: ByFit, packed: Float[Array, "number fit"]) -> Float[Array, "parameter cell fit"]:
        """Derivatives of the rates times the root of −log L's curvature in each rate, to single precision.

        Their products over cells, with the constraints' prior_precision, make Gauss and Newton's matrix.
        """
        single, size = jnp.float32, len(theta)
        counts, auxiliary, _ = self._unpacked(packed)
        at = self._rates(theta)
        _, _, curvature = self._bins(at.rate, counts, auxiliary)
        weight = jnp.sqrt(jnp.maximum(curvature, 0.0)) * at.rate1
        processes, channels, slots = self.grid
        terms, at = jax.tree.map(lambda x: x.astype(single), (self, at))
        half, groups = len(at.even1), (processes, channels, 1, theta.shape[1])

        # ∂T/∂α = Σ_p (S + g′ A) F + shape F ∂(log F)/∂α, and ∂T/∂φ_i = Σ_p shape ∂F/∂φ_i; times √ℓ″.
        change = terms.additive_back.reshape(2, half, processes, channels, slots, 1)
        stretch = at.even1[:, None, None]
        by_shape = _total([
            (change[0, :, p] + stretch * change[1, :, p]) * at.all_factors[p][:, None] for p in range(processes)
        ])  # fmt: skip
        logarithms = terms.logarithms_back.reshape(*at.basis.shape[:2], processes * channels)
        slopes = jnp.concatenate([at.regions[:1], terms._power_slopes(at), at.regions[1:2], -at.regions[2:]])
        by_log = jnp.einsum("fkg,fkl->kgl", logarithms, slopes).reshape(-1, *groups) * at.all_factors[:, :, None]
        by_factor = _total([by_log[:, p] * at.shape[p] for p in range(processes)])
        by_free = [_total(list(at.shape * terms._without(at, i)[:, :, None]))[None] for i in range(len(at.normfactors))]

        alone, both = self.factors[0] - self.shapes[0], self.shapes[1] - self.factors[0]
        rest = jnp.zeros((size - self.factors[1], *weight.shape), single)
        rows = [*by_free, by_shape[:alone], by_shape[alone:] + by_factor[:both], by_factor[both:], rest]
        return jnp.concatenate([x * weight.astype(single) for x in rows]).reshape(size, -1, theta.shape[1])

    def _unpacked(self, packed: Array) -> tuple[Array, Array, Array]:
        """Counts and global observables of γ [channel, slot, fit], and where each constraint peaks [parameter, fit]."""
        _, channels, slots = self.grid
        counts, auxiliary, observed = jnp.split(packed, (channels * slots, 2 * channels * slots))
        return counts.reshape(channels, slots, -1), auxiliary.reshape(channels, slots, -1), observed

    def _rates(self, theta: ByFit) -> "Rates":
        processes, channels, slots = self.grid
        free, fits = self.normfactor_mask.shape[0], theta.shape[1]
        by_shape, by_factor = theta[slice(*self.shapes)], theta[slice(*self.factors)]
        even, even1, _ = self.shape_code(by_shape)
        shape = self.nominal + self.additive @ jnp.concatenate([by_shape, even])
        basis, regions = _basis(by_factor, self.edge, self.degree)
        factor = jnp.exp(self.logarithms @ basis.reshape(-1, fits)).reshape(processes, channels, fits)
        normfactors = [jnp.where(self.normfactor_mask[i] > 0, theta[i], 1.0) for i in range(free)]
        all_factors = _product(normfactors, factor)
        shape = shape.reshape(processes, channels, slots, fits)
        total = _total([shape[p] * all_factors[p][:, None] for p in range(processes)])
        rate, rate1, _ = positive_rate(total, self.floor)
        return Rates(shape, factor, normfactors, all_factors, even1, basis, regions, total, rate, rate1)

    def _bins(self, rate: Array, counts: Array, auxiliary: Array) -> tuple[Array, Array, Array]:
        """−log L of the bins [fit], and its first and second derivative in each rate; γ is profiled."""
        if not self.fluctuates:
            value = (rate - jnp.where(counts > 0, counts * jnp.log(rate), 0.0)).sum((0, 1))
            return value, 1 - counts / rate, counts / rate**2
        variance, fluctuates = self.width**2, self.width > 0
        gamma = profiled_gamma(rate, 0.0, counts, auxiliary, self.width)
        mean = gamma * rate
        log_mean = jnp.log(jnp.where(mean > 0, mean, 1.0))
        value = (mean - jnp.where(counts > 0, counts * log_mean, 0.0)).sum((0, 1))
        pull = (gamma - auxiliary) / jnp.where(fluctuates, self.width, 1.0)
        value += jnp.where(fluctuates, 0.5 * pull**2, 0.0).sum((0, 1))
        root = jnp.sqrt((auxiliary - rate * variance) ** 2 + 4 * counts * variance)
        curvature = counts / rate**2 - jnp.where(fluctuates, gamma * variance / jnp.where(root > 0, root, 1.0), 0.0)
        return value, gamma - counts / rate, curvature

    def _power_slopes(self, at: "Rates") -> Array:
        """Derivatives of α² … α^degree."""
        return jnp.arange(2, self.degree + 1, dtype=at.basis.dtype)[:, None, None] * at.basis[: self.degree - 1]

    def _without(self, at: "Rates", i: int) -> Array:
        """[process, channel, fit]: derivative of the factors in the free parameter i."""
        return self.normfactor_mask[i] * _product(at.normfactors[:i] + at.normfactors[i + 1 :], at.factor)


class Rates(NamedTuple):
    """Expected events of each bin, what they are made of, and derivatives on the way.

    ``shape`` [p, c, m, fit] times ``all_factors`` [p, c, fit], summed over processes, is ``total``, ``rate`` [c, m, fit]
    its positive continuation with derivative ``rate1``. ``all_factors`` is ``factor`` of the systematics times
    ``normfactors``.
    ``even1`` are derivatives of the even parts in their parameters; ``basis`` and ``regions`` are of :func:`_basis`.
    """

    shape: Any
    factor: Any
    normfactors: list[Any]
    all_factors: Any
    even1: Any
    basis: Any
    regions: Any
    total: Any
    rate: Any
    rate1: Any


def _total(terms: Sequence[Array]) -> Array:
    """Sum term by term: one pass over memory."""
    return functools.reduce(operator.add, terms)


def _product(factors: Sequence[Array], start: Array) -> Array:
    return functools.reduce(operator.mul, factors, start)


def _basis(alpha: Array, edge: float, degree: int) -> tuple[Array, Array]:
    """[function, systematic, fit]: α … α^degree inside [−edge, edge], α above, −α below; and 1 inside, above, below."""
    regions = jnp.stack([jnp.abs(alpha) <= edge, alpha > edge, alpha < -edge]).astype(alpha.dtype)
    powers = (regions[0] * alpha)[None]
    while len(powers) < degree:  # the highest times each lower one: few passes over memory
        powers = jnp.concatenate([powers, powers[: degree - len(powers)] * powers[-1]])
    return jnp.concatenate([powers, (regions[1] * alpha)[None], (-regions[2] * alpha)[None]]), regions


def batched_likelihood(model: "BinnedLikelihood") -> Batched | None:
    """The likelihood of a binned model for a batch of fits.

    None where the form above does not hold: Combine's convention, a γ for some processes only, factors of single cells,
    functions of parameters, constraints that are not Gaussian, factors that touch zero or are not smooth enough. Nor without
    any systematics: there is nothing to gain then.
    """
    plain = all(p.constraint is None or isinstance(p.constraint, Gaussian) for p in model.parameters)
    if (
        not len(model.odd)
        or model.combine_convention
        or model.partial_gamma
        or model.functions
        or model.penalties
        or model.n_cells
        or not plain
        or model.factor_code not in (code1, code4)
    ):
        return None
    log_up, log_down = np.asarray(model.log_up), np.asarray(model.log_down)
    acts = [(np.asarray(model.odd) != 0) | (np.asarray(model.even) != 0), (log_up != 0) | (log_down != 0)]
    has_shape, has_factor = (a.any(axis=(1, 2)) for a in acts)
    kind = np.select([has_shape & ~has_factor, has_shape, has_factor], [0, 1, 2], 3)
    systematics = np.argsort(kind, kind="stable")
    first = model.n_free + np.concatenate([[0], np.cumsum(np.bincount(kind, minlength=4))])
    shapes, factors = (int(first[0]), int(first[2])), (int(first[1]), int(first[3]))
    chosen = systematics[factors[0] - model.n_free : factors[1] - model.n_free]
    logarithms = _coefficients(model, chosen)
    if logarithms is None:
        return None
    layout = model.layout
    slots, channels, processes = max(layout.bins), len(layout.bins), len(model.processes)

    def grid(values: Array, fill: float = 0.0) -> np.ndarray:
        padded = np.full((*np.shape(values)[:-1], channels, slots), fill)
        padded[..., layout.channel, layout.slot] = values
        return padded

    moved = systematics[shapes[0] - model.n_free : shapes[1] - model.n_free]
    both = np.concatenate([np.asarray(model.odd)[moved], np.asarray(model.even)[moved]])
    additive = grid(both).reshape(len(both), processes * channels * slots)
    order = np.concatenate([np.arange(model.n_free), model.n_free + systematics])
    width = [p.constraint.width if isinstance(p.constraint, Gaussian) else np.inf for p in model.parameters]
    basis = logarithms.reshape(-1, processes * channels)
    terms = BatchedBinnedLikelihood(
        nominal=grid(np.asarray(model.nominal)).reshape(-1, 1),
        additive=np.ascontiguousarray(additive.T),
        additive_back=additive,
        logarithms=np.ascontiguousarray(basis.T),
        logarithms_back=basis,
        normfactor_mask=np.asarray(model.normfactor_mask)[..., None],
        prior_precision=(1 / np.array(width)[order] ** 2)[:, None],
        width=grid(np.asarray(model.width))[:, :, None],
        floor=grid(np.asarray(model.floor), 1e-100)[:, :, None],
        fluctuates=bool((np.asarray(model.width) > 0).any()),
        edge=1.0 if model.factor_code is code4 else 0.0,
        degree=len(logarithms) - 2,
        shapes=shapes,
        factors=factors,
        grid=(processes, channels, slots),
        shape_code=model.shape_code,
    )
    return Batched(terms, order, functools.partial(_pack, model, order), functools.partial(_constant, model))


def _pack(model: "BinnedLikelihood", order: np.ndarray, data: Data) -> Float[np.ndarray, "fit number"]:
    """Counts and global observables of γ on the grid, and where each constraint peaks."""
    layout, n = model.layout, model.n_constraints
    slots = max(layout.bins)
    cells, grid = layout.channel * slots + layout.slot, len(layout.bins) * slots
    packed = np.zeros((len(data), 2 * grid + len(order)))
    packed[:, cells] = data.counts
    packed[:, grid + cells] = data.auxiliary[:, n:] if model.n_profiled else 1.0
    observed = np.zeros((len(data), len(order)))
    observed[:, [i for i, p in enumerate(model.parameters) if p.constraint is not None]] = data.auxiliary[:, :n]
    packed[:, 2 * grid :] = observed[:, order]
    return packed


def _coefficients(model: "BinnedLikelihood", chosen: np.ndarray) -> np.ndarray | None:
    """[function, systematic, process, channel]: the logarithm of each factor in the functions of the basis."""
    log_up, log_down = np.asarray(model.log_up)[chosen], np.asarray(model.log_down)[chosen]
    outside = np.stack([log_up, log_down])
    if model.factor_code is code1:
        return np.concatenate([-log_down[None], outside])
    powers = np.asarray(model.coefficients)[:, chosen]
    node = np.cos(np.pi * (np.arange(2 * DEGREE) + 0.5) / (2 * DEGREE))
    # einsum and not a product of matrices: threads of BLAS that wait for work cost more than these few numbers.
    factor = 1 + np.einsum("nk,k...->n...", node[:, None] ** np.arange(1, 7), powers)
    if (factor <= 0).any():
        return None
    polynomials = np.polynomial.chebyshev.chebvander(node, DEGREE)[:, 1:]
    # c_d = (2/N) Σ_n T_d(x_n) log f(x_n) at the N = 2 · DEGREE Chebyshev nodes x_n.
    found = np.einsum("nd,n...->d...", polynomials, np.log(factor)) / DEGREE
    size = abs(found).reshape(DEGREE, -1).max(axis=1, initial=0.0)
    if size[-1] > PRECISION:
        return None
    degree = int(np.flatnonzero(size > PRECISION)[-1:].sum()) + 1
    return np.concatenate([np.einsum("mn,m...->n...", _powers(degree), found[:degree]), outside])


@functools.cache
def _powers(degree: int) -> Float[np.ndarray, "polynomial power"]:
    """Coefficients of x … x^degree in each Chebyshev polynomial from the first on; that of 1 is left out."""
    return np.stack([np.pad(cheb2poly([0.0] * n + [1.0]), (0, degree - n)) for n in range(1, degree + 1)])[:, 1:]


def _constant(model: "BinnedLikelihood", data: Data) -> Float[np.ndarray, " fit"]:
    """What :meth:`LaneLikelihood.value_and_slope` leaves out of −log L."""
    gaussian = [np.log(p.constraint.width) for p in model.parameters if isinstance(p.constraint, Gaussian)]
    width = np.asarray(model.width)
    gaussian += list(np.log(width[width > 0]))
    rest = float(np.sum(gaussian)) + HALF_LOG_2PI * len(gaussian) - float(model.offset)
    return np.asarray(gammaln(data.counts + 1).sum(1) + rest)
