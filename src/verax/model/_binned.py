"""The binned Poisson likelihood over channels, processes and bins (HistFactory, CERN-OPEN-2012-016).

rate(process, bin) = (nominal + Σ shape changes) · Π normalisation factors · Π factors of single bins; a bin expects
γ · Σ rates, and P(n, a | θ) = Π Poisson(n; γ Σ rates) · Π G(a; θ; width) · Π G(a; γ; δ), with γ profiled in closed form.
Models of HistFactory workspaces may have γ for some of the processes only, or with a Poisson constraint. A normalisation
factor may be a function of parameters instead of one of them (HistFactory's custom factors, CMS's ``rateParam`` formulas).
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from verax.arrays import Array, Bool, Float, Int, PRNGKeyArray, gammaln, namespace, static, xlogy
from verax.errors import InputError
from verax.parameters import Parameter, Params
from verax.templates import Layout

from ._binwise import CellModifier, Cells, cell_factor
from ._constraint import HALF_LOG_2PI, Theta
from ._conventions import SIMULATION, UNCORRELATED
from ._data import Data
from ._even import even_parts
from ._exact_hessian import exact_derivatives, rate_slopes
from ._formula import Formula
from ._functions import bent_in, factors
from ._interpolate import code4, code4p
from ._likelihood import AbstractLikelihood, Batched, Derivatives, EvenParts, float64_on_host
from ._penalty import Penalty
from ._poisson import (
    bin_responses,
    bin_terms,
    gamma_slopes,
    partial_bin_terms,
    positive_rate,
    profiled_gamma,
    profiled_partial_gamma,
    rate_end,
)
from ._regions import Regions, channels_as_regions


class BinnedLikelihood(AbstractLikelihood):
    """Poisson counts in bins, with free normalisations, interpolated systematics and simulation statistics.

    Made by :func:`verax.model.binned_likelihood` or :func:`verax.workspace.from_pyhf`. ``parameters`` are the normalisation
    factors, then the systematics, then factors of single cells (a process in a bin); a systematic acts through a shape
    (additive, by default code 4p) and a factor per process and channel (by default code 4).

    Parameters
    ----------
    odd, even : S = (up − down)/2 and A = (up + down)/2 − nominal of the shape part, in events
    log_up, log_down : logarithm of the factor at θ = ±1
    coefficients : code 4's polynomial between them
    normfactor_mask : 1 where a normalisation factor multiplies a process; last are those of ``functions``
    cell_parameter_index : numbers of the cell parameters that multiply a cell; their count stands for none
    gamma_mask : 1 where γ multiplies a cell
    width : δ = √ΣΣw² / Σnominal, relative simulation error per bin, of a γ with a Gaussian constraint
    tau : of a γ with a Poisson constraint; where width and τ are 0, γ is fixed at its auxiliary value
    floor : rates below it are replaced by a positive continuation, so that no fit meets a logarithm of zero
    offset : log of constraint terms that no parameter enters, so that values equal those of other tools
    combine_convention : whether simulation errors follow the processes' normalisations, as in CMS Combine, static
    partial_gamma : whether ``gamma_mask`` or ``tau`` say more than "one Gaussian γ for all processes", static
    shape_code, factor_code : the interpolations, functions of :mod:`verax.model`, static
    modifiers : cell modifiers of the workspace that it came from, static
    functions : factors that are functions of the parameters, static
    penalties : Gaussian terms of functions of the parameters, static
    """

    parameters: tuple[Parameter, ...] = static()
    channels: tuple[str, ...] = static()
    edges: tuple[tuple[float, ...], ...] = static()
    processes: tuple[str, ...] = static()
    simulation_statistics: bool = static()
    nominal: Float[Array, "process bin"]
    variance: Float[Array, "process bin"]
    odd: Float[Array, "systematic process bin"]
    even: Float[Array, "systematic process bin"]
    log_up: Float[Array, "systematic process channel"]
    log_down: Float[Array, "systematic process channel"]
    coefficients: Float[Array, "6 systematic process channel"]
    normfactor_mask: Float[Array, "scale process channel"]
    cell_parameter_index: Int[Array, "factor process bin"]
    gamma_mask: Float[Array, "process bin"]
    width: Float[Array, " bin"]
    tau: Float[Array, " bin"]
    floor: Float[Array, " bin"]
    offset: Float[Array, ""]
    partial_gamma: bool = static(default=False)
    combine_convention: bool = static(default=False)
    shape_code: Callable[..., tuple[Array, Array, Array]] = static(default=code4p)
    factor_code: Callable[..., tuple[Array, Array, Array]] = static(default=code4)
    modifiers: tuple[CellModifier, ...] = static(default=())
    functions: tuple[Formula, ...] = static(default=())
    penalties: tuple[Penalty, ...] = static(default=())

    @property
    def in_closed_form(self) -> bool:
        """Whether all but draws is formulas over NumPy or JAX alike: not with widths of γ that move with the rates."""
        return not self.combine_convention

    @property
    def convex_in(self) -> tuple[str, ...]:
        """The free normalisations and the factors of cells: rates are linear in each, but where functions bend them."""
        linear = self.names[: self.n_free] + self.names[self.n_free + len(self.odd) :]
        bent = bent_in(self) if self.functions or self.penalties else ()
        return tuple(n for n in linear if n not in bent) if bent else linear

    @property
    def n_free(self) -> int:
        """Number of free normalisation factors; they come first among the parameters."""
        return int(self.normfactor_mask.shape[0]) - len(self.functions)

    @property
    def n_cells(self) -> int:
        """Number of explicit cell parameters; they come last."""
        return len(self.parameters) - self.n_free - int(self.odd.shape[0])

    def normalisation(self, free: Float[Array, " scale"]) -> Float[Array, "process channel"]:
        """Product of the normalisation factors of each process in each channel."""
        xp = namespace(free, self.normfactor_mask)
        return xp.prod(xp.where(self.normfactor_mask > 0, free[:, None, None], 1.0), axis=0)

    def blocks(self, theta: Array) -> tuple[Array, Array, Array]:
        """Values of the normalisation factors, those that are functions last, of the systematics and the cell parameters."""
        first = self.n_free + self.odd.shape[0]
        free = theta[: self.n_free]
        if self.functions:
            free = namespace(theta).concatenate([free, factors(self, theta)])
        return free, theta[self.n_free : first], theta[first:]

    def rates(self, theta: Theta, more_even: Float[Array, " systematic"] | float = 0.0) -> Cells:
        """Expected events of each process in each bin (γ = 1) at the vector of parameter values.

        ``more_even`` is added to the amplitude g(α) of each systematic's even part.
        """
        xp = namespace(theta, self.nominal)
        free, alpha, kappa = self.blocks(theta)
        even = self.shape_code(alpha)[0] + more_even
        shape = self.nominal + xp.tensordot(alpha, self.odd, 1) + xp.tensordot(even, self.even, 1)
        factor = xp.prod(self.factor_code(alpha, self.log_up, self.log_down, self.coefficients)[0], axis=0)
        if not isinstance(more_even, float):
            factor *= xp.exp(xp.tensordot(more_even, self.log_even, 1))
        rate = shape * (self.normalisation(free) * factor)[:, self.layout.channel]
        return rate * cell_factor(kappa, self.cell_parameter_index) if self.n_cells else rate

    def log_observed(self, theta: Theta, data: Data) -> Float[Array, ""]:
        """Log of the counts' density, γ profiled; every normalisation constant included, as in pyhf."""
        rates = self.rates(theta)
        width_ratio = self._width_ratio(theta, rates)
        value = self.bin_terms(rates, data, width_ratio)[0].sum()
        if self.combine_convention:  # the density of the pull, whose width is 1
            xp = namespace(width_ratio)
            value -= xp.where(self.width > 0, xp.log(width_ratio), 0.0).sum()
        return namespace(value).asarray(self.offset - value)

    def derivatives_observed(self, theta: Theta, data: Data) -> Derivatives:
        """Value, gradient and exact Hessian of −log L, by ``exact_derivatives``."""
        return (
            self._combine_derivatives(theta, data) if self.combine_convention else exact_derivatives(self, theta, data)
        )

    def end(self, theta: Theta, data: Data) -> Int[Array, ""]:
        """1 where the rate of a bin is pressed against zero, 2 where it is zero and there are events."""
        return self.rate_status(self.rates(theta), theta, data)

    def softened(self, factor: float) -> "BinnedLikelihood":
        """The same likelihood, with a floor under its rates that is ``factor`` times as high."""
        return replace(self, floor=factor * self.floor)

    def rate_status(self, rates: Array, theta: Array, data: Data) -> Array:
        """As :meth:`end`, of rates that are known already."""
        with_gamma, without = self._parts(rates)
        total = with_gamma * self._gamma(theta, data, rates) + without if self.partial_gamma else with_gamma
        ended = rate_end(total, data.counts, self.floor)
        return namespace(ended).asarray(ended.max(initial=0))

    def _combine_derivatives(self, theta: Array, data: Data) -> Derivatives:
        """By autodiff, where the widths of γ move with the rates; the even slope at their present widths."""
        import jax

        rates = self.rates(theta)
        width_ratio = self._width_ratio(theta, rates)

        def bins(more_even: Array) -> Array:
            return self.bin_terms(self.rates(theta, more_even), data, width_ratio)[0].sum()

        even_slope = self.padded(jax.grad(bins)(jax.numpy.zeros(self.odd.shape[0])))
        return replace(super().derivatives_observed(theta, data), even_slope=even_slope)

    @property
    def log_even(self) -> Float[Array, "systematic process channel"]:
        """Even part of the logarithm of each factor."""
        return (self.log_up + self.log_down) / 2

    def padded(self, by_systematic: Array) -> Array:
        """[parameter] from [systematic]; 0 for the others."""
        xp = namespace(by_systematic)
        return xp.concatenate([xp.zeros(self.n_free), by_systematic, xp.zeros(self.n_cells)], dtype=by_systematic.dtype)

    def even_parts(self) -> EvenParts | None:
        """Systematics whose two sides move the events of any bin the same way; one that scales like e^(±aα) is none."""
        return even_parts(self)

    @cached_property
    def layout(self) -> Layout:
        """Where the bins of each channel lie."""
        return Layout(tuple(len(e) - 1 for e in self.edges))

    def _parts(self, rates: Array) -> tuple[Array, Array]:
        """Total rate with and without a γ, per bin."""
        if not self.partial_gamma:
            total = rates.sum(0)
            return total, 0.0 * total
        return (rates * self.gamma_mask).sum(0), (rates * (1 - self.gamma_mask)).sum(0)

    def bin_terms(self, rates: Array, data: Data, width_ratio: Any = 1.0) -> tuple[Array, Array, Array, Array]:
        """−log of the terms of each bin, with slopes, curvatures and expected curvatures in its rate, or its two rates."""
        width, auxiliary = self._errors(data, width_ratio)
        parts: tuple[Array, Any] = self._parts(rates)
        if self.partial_gamma:
            return partial_bin_terms(*parts, data.counts, auxiliary, width, self.tau, self.floor)
        return bin_terms(parts[0], data.counts, auxiliary, width, self.floor)

    def _errors(self, data: Data, width_ratio: Any) -> tuple[Array, Array]:
        """Width and global observable of each γ. Its pull, (observable − 1) / width, does not change with the width."""
        auxiliary = data.auxiliary[self.n_constraints :] if self.simulation_statistics else np.ones(self.width.shape)
        if not self.combine_convention:
            return self.width, auxiliary
        moved = 1 + (auxiliary - 1) * width_ratio
        return self.width * width_ratio, namespace(moved).where(self.width > 0, moved, auxiliary)

    def _width_ratio(self, theta: Array, rates: Array) -> Array | float:
        """Width of each γ in units of its nominal one; with Combine's convention √Σ(factor² Σw²) / Σ rates moves."""
        if not self.combine_convention:
            return 1.0
        xp = namespace(theta, rates)
        free, alpha, _ = self.blocks(theta)
        factor = xp.prod(self.factor_code(alpha, self.log_up, self.log_down, self.coefficients)[0], axis=0)
        by_bin = (self.normalisation(free) * factor)[:, self.layout.channel]
        nominal, now = ((self.gamma_mask * self.variance * f**2).sum(0) for f in (xp.ones_like(by_bin), by_bin))
        total = positive_rate(self._parts(rates)[0], self.floor)[0]
        moves = (self.width > 0) & (nominal > 0) & (now > 0)
        ratio = xp.where(moves, now, 1.0) / xp.where(moves, nominal, 1.0)
        change = xp.sqrt(ratio) * self._parts(self.nominal)[0] / total
        return xp.where(moves, change, xp.where(now > 0, 1.0, 1e-6))

    def _gamma(self, theta: Array, data: Data, rates: Array | None = None) -> Array:
        rates = self.rates(theta) if rates is None else rates
        with_gamma, without = self._parts(rates)
        width, auxiliary = self._errors(data, self._width_ratio(theta, rates))
        if not self.partial_gamma:
            with_gamma = positive_rate(with_gamma, self.floor)[0]
            return profiled_gamma(with_gamma, without, data.counts, auxiliary, width)
        safe = namespace(with_gamma).where((self.width > 0) | (self.tau > 0), with_gamma, 1.0)
        return profiled_partial_gamma(safe, without, data.counts, auxiliary, width, self.tau)

    def gamma_slopes(self, theta: Array, data: Data) -> Float[Array, "bin parameter"]:
        """Derivatives of γ̂ of each bin in the parameters."""
        if self.combine_convention:
            import jax

            with jax.enable_x64(True):
                return np.asarray(jax.jacfwd(lambda t: self._gamma(t, data))(theta))
        (s, t), (with_gamma, without) = self._gamma_parts(theta)
        gamma, (width, auxiliary) = self._gamma(theta, data), self._errors(data, 1.0)
        by_s, by_t = gamma_slopes(s, t, data.counts, auxiliary, gamma, width, self.tau)[:2]
        return (by_s * with_gamma + by_t * without).T

    def mixed_observed(self, theta: Array, data: Data, directions: Array) -> tuple[Array, Array]:
        """As the base class says, from the closed form of γ̂."""
        if self.combine_convention:
            return super().mixed_observed(theta, data, directions)
        (s, t), (with_gamma, without) = self._gamma_parts(theta)
        gamma, (width, auxiliary) = self._gamma(theta, data), self._errors(data, 1.0)
        each = bin_responses(s, t, data.counts, auxiliary, gamma, width, self.tau)
        along, beside = directions @ with_gamma, directions @ without
        by_count, by_gamma = (along * in_s + beside * in_t for in_s, in_t in each)
        return by_count, by_gamma if self.simulation_statistics else by_gamma[:, :0]

    def _gamma_parts(self, theta: Array) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        """Rates with and without a γ per bin, and their derivatives [parameter, bin]."""
        slopes, (with_gamma, without) = rate_slopes(self, theta), self._parts(self.rates(theta))
        if self.partial_gamma:
            mask = self.gamma_mask
            return (with_gamma, without), ((slopes * mask).sum(1), (slopes * (1 - mask)).sum(1))
        rate, rate1, _ = positive_rate(with_gamma, self.floor)
        return (rate, 0.0 * rate), (slopes.sum(1) * rate1, 0.0 * slopes.sum(1))

    def _mean(self, rates: Array, gamma: Array) -> Array:
        """Expected events per bin, positive; γ multiplies the cells that it should."""
        if not self.partial_gamma:
            return positive_rate(rates.sum(0), self.floor)[0] * gamma
        return positive_rate(self.times_gamma(rates, gamma).sum(0), self.floor)[0]

    def times_gamma(self, rates: Cells, gamma: Float[Array, " bin"]) -> Cells:
        """The rates with γ where it multiplies a process."""
        return rates * (1 + self.gamma_mask * (gamma - 1))

    @float64_on_host
    def expected_by_process(self, params: Params) -> Cells:
        """Expected events of each process in each bin (γ = 1); parameters not named are at their initial values."""
        return self.rates(self.vector(params))

    @float64_on_host
    def expected(self, params: Params, gamma: Float[Array, " bin"] | None = None) -> Float[Array, " bin"]:
        """Expected events in each bin, with γ where given."""
        rates = self.rates(self.vector(params))
        return (rates if gamma is None else self.times_gamma(rates, gamma)).sum(0)

    @float64_on_host
    def profiled(self, params: Params, data: Data) -> Float[Array, " bin"]:
        """γ̂ of each bin at the given parameters."""
        return self._gamma(self.vector(params), data)

    def asimov_observed(self, theta: Array, profiled: Array | None) -> Data:
        """Expected counts; ``profiled`` is the true value of each γ, 1 by default."""
        gamma, rates = self._truth(profiled), self.rates(theta)
        xp = namespace(gamma, rates)
        observed = xp.where(self.tau > 0, self.tau, 1.0) * gamma
        counts = self._mean(rates, gamma)
        counts = xp.where(counts > self.floor, counts, 0.0)  # nothing, where a rate ends
        if self.combine_convention:
            observed = 1 + (observed - 1) / self._width_ratio(theta, rates)
            observed = xp.where(self.tau > 0, self.tau * gamma, observed)
        return self._observed(counts, observed)

    def sample_observed(self, keys: tuple[PRNGKeyArray, PRNGKeyArray], theta: Array, profiled: Array | None) -> Data:
        """Poisson counts, and global observables of γ (true value 1 by default)."""
        import jax

        truth, rates = self._truth(profiled), self.rates(theta)
        rate = self._mean(rates, truth)
        # One call draws all that is Poisson: its program takes a second to compile.
        counted = self.tau * truth if self.partial_gamma else rate[:0]
        counts = jax.random.poisson(keys[0], jax.numpy.concatenate([rate, counted])).astype(rate.dtype)
        centre = 1 + (truth - 1) / self._width_ratio(theta, rates)
        measured = centre + self.width * jax.random.normal(keys[1], self.width.shape, rate.dtype)
        if self.partial_gamma:
            measured = jax.numpy.where(self.tau > 0, counts[len(rate) :], measured)
        return self._observed(counts[: len(rate)], measured)

    def spread_observed(self, theta: Array, data: Data) -> Data:
        """√expected of each count (γ̂ included), and the width of each γ's constraint."""
        gamma = self._gamma(theta, data)
        xp = namespace(gamma)
        width = xp.where(self.tau > 0, xp.sqrt(self.tau * gamma), self.width) if self.partial_gamma else self.width
        return self._observed(xp.sqrt(self._mean(self.rates(theta), gamma)), width)

    def _truth(self, gamma: Array | None) -> Array:
        return namespace(self.width).ones_like(self.width) if gamma is None else gamma

    def _observed(self, counts: Array, gamma: Array) -> Data:
        return Data(counts, gamma if self.simulation_statistics else gamma[:0])

    @property
    def n_profiled(self) -> int:
        """One global observable per γ, in bins."""
        return self.width.size if self.simulation_statistics else 0

    def batched(self) -> Batched | None:
        """Matrix products over all data sets; None where ``batched_likelihood`` does not apply."""
        from ._batched import batched_likelihood

        return batched_likelihood(self)

    def profiled_groups(self) -> dict[str, Bool[np.ndarray, " bin"]]:
        """γ of the simulation (``staterror``), and of a process's own uncorrelated errors (``shapesys``)."""
        if not self.simulation_statistics:
            return {}
        groups = {UNCORRELATED: np.asarray(self.tau) > 0, SIMULATION: np.asarray(self.width) > 0}
        return {name: mask for name, mask in groups.items() if mask.any()}

    def freeze_profiled(
        self, params: Params, data: Data, which: Bool[np.ndarray, " bin"] | None = None
    ) -> "tuple[BinnedLikelihood, Data]":
        """With zero width and τ, γ equals its auxiliary value, which is set to γ̂; shapes stay, nothing is compiled anew."""
        if not self.simulation_statistics:
            return self, data
        frozen = np.ones(self.width.shape, bool) if which is None else which
        n = self.n_constraints
        gamma = np.where(frozen, self.profiled(params, data), data.auxiliary[n:])
        zero = tuple(np.where(frozen, 0.0, x) for x in (self.width, self.tau))
        known = replace(self, width=zero[0], tau=zero[1])
        return known, Data(data.counts, np.concatenate([data.auxiliary[:n], gamma]))

    def saturated_observed(self, data: Data) -> Float[Array, "*toy"]:
        """−log L of the counts where every bin expects what it counts, and each γ is at its global observable."""
        terms = self._saturated_terms(data)
        return namespace(terms).asarray(terms.sum(-1) - self.offset)

    def _saturated_terms(self, data: Data) -> Float[Array, "*toy bin"]:
        xp = namespace(data.counts, self.width)
        counts = data.counts - xlogy(data.counts, data.counts) + gammaln(data.counts + 1)
        fluctuates = self.width > 0 if self.simulation_statistics else np.zeros(self.width.shape, bool)
        gamma = xp.where(fluctuates, xp.log(xp.where(fluctuates, self.width, 1.0)) + HALF_LOG_2PI, 0.0)
        if self.partial_gamma:
            observed = xp.where(self.tau > 0, data.auxiliary[..., self.n_constraints :], 1.0)
            gamma = xp.where(self.tau > 0, observed - xlogy(observed, observed) + gammaln(observed + 1), gamma)
        return xp.asarray(counts + gamma)

    @float64_on_host
    def excess(self, theta: Array, data: Data) -> tuple[Array, Array]:
        """As the base class says; the regions are the channels."""
        rates = self.rates(theta)
        width_ratio = self._width_ratio(theta, rates)
        terms = self.bin_terms(rates, data, width_ratio)[0] - self._saturated_terms(data)
        if self.combine_convention:  # as in the density
            xp = namespace(width_ratio)
            terms -= xp.where(self.width > 0, xp.log(width_ratio), 0.0)
        here = 1.0 * (self.layout.channel == np.arange(len(self.channels))[:, None])
        return here @ terms, super().excess(theta, data)[1]

    @property
    def regions(self) -> Regions:
        """The channels."""
        return channels_as_regions(self)

    def check_truth(self, params: Params, profiled: Float[Array, " bin"] | None = None) -> None:
        """Raise InputError where a bin expects less than nothing, with its name."""
        expected = np.asarray(self.expected(params, profiled))
        ended = rate_end(expected, np.zeros_like(expected), np.asarray(self.floor)) == 2
        if ended.any():
            i = int(np.argmax(ended))
            where = f"toys, channel '{self.channels[self.layout.channel[i]]}', bin {self.layout.slot[i]}"
            raise InputError(where, f"{expected[i]:.6g} expected events", "no negative rate", "choose another truth")

    def check(self, data: Data) -> None:
        """Counts per bin, not negative, 0 where none can be; one global observable per constraint and γ; all finite."""
        bins = self.width.size
        if data.counts.shape[-1] != bins:
            raise InputError("data, counts", f"{data.counts.shape[-1]} per data set", f"{bins}")
        super().check(data)
        if (np.asarray(data.counts) < 0).any():
            raise InputError("data, counts", f"{np.min(data.counts):g}", "counts that are not negative")
        seen = np.max(np.reshape(data.counts, (-1, bins)), axis=0, initial=0.0)
        for b in np.flatnonzero((seen > 0) & (np.asarray(self.nominal) == 0).all(0)):
            if not (np.any(np.asarray(self.odd)[..., b]) or np.any(np.asarray(self.even)[..., b])):
                where = f"data, channel '{self.channels[self.layout.channel[b]]}', bin {self.layout.slot[b]}"
                expected = "0, as the model expects whatever its parameters"
                raise InputError(
                    where, f"{seen[b]:g} events", expected, "give it a process there, or leave the bin out"
                )
