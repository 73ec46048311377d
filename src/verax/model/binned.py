"""The binned Poisson likelihood over channels, processes and bins (HistFactory, CERN-OPEN-2012-016).

rate(process, bin) = (nominal + Σ shape changes) · Π normalisation factors; a bin expects γ · Σ rates, and
P(n, a | θ) = Π Poisson(n; γ Σ rates) · Π G(a; θ; width) · Π G(a; γ; δ), with γ profiled in closed form.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln, xlogy
from jaxtyping import Float, PRNGKeyArray

from verax.arrays import Array
from verax.errors import InputError, check_known
from verax.model.constraint import (
    HALF_LOG_2PI,
    constraint_mean,
    constraint_peak,
    constraint_sample,
    constraint_spread,
    constraint_terms,
)
from verax.model.interpolate import code4, code4_coefficients, code4p
from verax.model.layout import Layout
from verax.model.likelihood import AbstractLikelihood, Data, Derivatives, float64_on_host
from verax.model.poisson import bin_terms, positive_rate, profiled_gamma
from verax.model.split import normalisation_part, shape_part
from verax.model.templates import Templates
from verax.parameters import Parameter, Params

FLOATING = "floating normalisations"
SIMULATION = "simulation statistics"


def _by(per_systematic: Array, cells: Array) -> Array:
    return per_systematic[:, None, None] * cells


class BinnedLikelihood(AbstractLikelihood):
    """Poisson counts in bins, with free normalisations, interpolated systematics and simulation statistics.

    Made by :func:`verax.model.binned_likelihood`. ``parameters`` are the ``free`` normalisation factors, then the
    systematics; a systematic acts through a shape (additive, code 4p) and a factor per process and channel (code 4).

    Parameters
    ----------
    odd, even : S = (up − down)/2 and A = (up + down)/2 − nominal of the shape part, in events
    log_up, log_down : logarithm of the factor at θ = ±1
    coefficients : code 4's polynomial between them
    member : 1 where a normalisation factor multiplies a process
    width : δ = √ΣΣw² / Σnominal, relative simulation error per bin; 0 fixes γ at its auxiliary value
    floor : rates below it are replaced by a positive continuation, so that no fit meets a logarithm of zero
    """

    parameters: tuple[Parameter, ...] = eqx.field(static=True)
    channels: tuple[str, ...] = eqx.field(static=True)
    edges: tuple[tuple[float, ...], ...] = eqx.field(static=True)
    processes: tuple[str, ...] = eqx.field(static=True)
    simulation_statistics: bool = eqx.field(static=True)
    nominal: Float[Array, "process bin"]
    variance: Float[Array, "process bin"]
    odd: Float[Array, "systematic process bin"]
    even: Float[Array, "systematic process bin"]
    log_up: Float[Array, "systematic process channel"]
    log_down: Float[Array, "systematic process channel"]
    coefficients: Float[Array, "6 systematic process channel"]
    member: Float[Array, "free process"]
    width: Float[Array, " bin"]
    floor: Float[Array, " bin"]

    @property
    def n_free(self) -> int:
        """Number of free normalisation factors; they come first among the parameters."""
        return int(self.member.shape[0])

    def normalisation(self, free: Float[Array, " free"]) -> Float[Array, " process"]:
        """Product of the normalisation factors of each process."""
        return jnp.prod(jnp.where(self.member > 0, free[:, None], 1.0), axis=0)

    def rates(self, theta: Float[Array, " parameter"]) -> Float[Array, "process bin"]:
        """Expected events of each process in each bin (γ = 1) at the vector of parameter values."""
        free, alpha = theta[: self.n_free], theta[self.n_free :]
        shape = self.nominal + jnp.tensordot(alpha, self.odd, 1) + jnp.tensordot(code4p(alpha)[0], self.even, 1)
        factor = jnp.prod(code4(alpha, self.log_up, self.log_down, self.coefficients)[0], axis=0)
        return shape * (self.normalisation(free)[:, None] * factor)[:, self.layout.channel]

    def log_density(self, theta: Float[Array, " parameter"], data: Data) -> Float[Array, ""]:
        """Log L of one data set, γ profiled; every normalisation constant included, as in pyhf."""
        return -self._bins(self.rates(theta).sum(0), data)[0].sum() - self._priors(theta, data)[0].sum()

    def derivatives(self, theta: Float[Array, " parameter"], data: Data) -> Derivatives:
        """Value, gradient and exact Hessian of −log L, by the chain rule through the rates (5–20 × faster than autodiff).

        With T the rate of a bin and ℓ its −log L, the Hessian is Σ ℓ″ ∂T ∂T + Σ ℓ′ ∂∂T (the bending); the scale is the
        diagonal of the Fisher matrix Σ E[ℓ″] ∂T ∂T. A rate is a shape times factors that are constant in a channel, so
        ∂∂T needs no array with two parameter axes and a bin axis. Axes: i, j free factors; k, l systematics;
        p processes; c channels; m bins of a channel.
        """
        free, alpha = theta[: self.n_free], theta[self.n_free :]
        grid = self.layout.grid
        odd, even = grid(self.odd), grid(self.even)
        g, g1, g2 = code4p(alpha)
        f, f1, f2 = code4(alpha, self.log_up, self.log_down, self.coefficients)
        phi, phi1 = self.normalisation(free), jax.jacfwd(self.normalisation)(free).T  # p; i p
        phi2 = jax.jacfwd(jax.jacfwd(self.normalisation))(free)  # p i j
        norm, log1 = jnp.prod(f, axis=0), f1 / f  # p c; k p c
        factor = phi[:, None] * norm
        factor1 = jnp.concatenate([phi1[:, :, None] * norm, factor * log1])  # parameter p c
        shape = grid(self.nominal) + jnp.tensordot(alpha, odd, 1) + jnp.tensordot(g, even, 1)
        rate = shape * factor[:, :, None]

        by_free = jnp.einsum("ipc,pcm->icm", factor1[: self.n_free], shape)
        by_shape = jnp.einsum("kpcm,pc->kcm", odd, factor) + _by(g1, jnp.einsum("kpcm,pc->kcm", even, factor))
        by_alpha = by_shape + jnp.einsum("kpc,pcm->kcm", log1, rate)
        total1 = self.layout.flat(jnp.concatenate([by_free, by_alpha]))  # parameter bin
        value, slope, bend, fisher = self._bins(self.layout.flat(rate.sum(0)), data)
        prior, prior1, prior2 = self._priors(theta, data)

        weight = grid(slope)
        even_sum = jnp.einsum("kpcm,cm->kpc", even, weight)
        shape1_sum = jnp.einsum("kpcm,cm->kpc", odd, weight) + _by(g1, even_sum)
        shape_sum = jnp.einsum("pcm,cm->pc", shape, weight)
        mixed = jnp.einsum("kpc,qpc->kq", shape1_sum, factor1)  # ∂shape ∂factor, q any parameter
        free_free = jnp.einsum("pc,pij->ij", shape_sum * norm, phi2)
        free_alpha = jnp.einsum("ipc,kpc->ik", factor1[: self.n_free] * shape_sum, log1)
        alpha_alpha = jnp.einsum("kpc,lpc->kl", shape_sum * factor * log1, log1)
        diagonal = g2 * jnp.einsum("kpc,pc->k", even_sum, factor)
        diagonal += jnp.einsum("pc,kpc->k", shape_sum * factor, f2 / f - log1**2)
        second = jnp.block([[free_free, free_alpha], [free_alpha.T, alpha_alpha + jnp.diag(diagonal)]])
        second = second.at[self.n_free :].add(mixed).at[:, self.n_free :].add(mixed.T)
        return Derivatives(
            value.sum() + prior.sum(),
            total1 @ slope + prior1,
            (total1 * bend) @ total1.T + second + jnp.diag(prior2),
            second,
            jnp.maximum(total1**2 @ fisher + prior2, 1e-12),
        )

    @property
    def layout(self) -> Layout:
        """Where the bins of each channel lie."""
        return Layout(tuple(len(e) - 1 for e in self.edges))

    def _priors(self, theta: Array, data: Data) -> tuple[Array, Array, Array]:
        n = sum(p.constraint is not None for p in self.parameters)
        return constraint_terms(self.parameters, theta, data.auxiliary[:n])

    def _gamma_auxiliary(self, data: Data) -> Array:
        n = sum(p.constraint is not None for p in self.parameters)
        return data.auxiliary[n:] if self.simulation_statistics else jnp.ones_like(self.width)

    def _bins(self, total: Array, data: Data) -> tuple[Array, Array, Array, Array]:
        return bin_terms(total, data.counts, self._gamma_auxiliary(data), self.width, self.floor)

    @float64_on_host
    def expected_by_process(self, params: Params) -> Float[Array, "process bin"]:
        """Expected events of each process in each bin (γ = 1); parameters not named are at their initial values."""
        return self.rates(self.vector(params))

    @float64_on_host
    def expected(self, params: Params, gamma: Float[Array, " bin"] | None = None) -> Float[Array, " bin"]:
        """Expected events in each bin, times γ where given."""
        total = self.rates(self.vector(params)).sum(0)
        return total if gamma is None else total * gamma

    @float64_on_host
    def profiled(self, params: Params, data: Data) -> Float[Array, " bin"]:
        """γ̂ of each bin at the given parameters."""
        rate = positive_rate(self.rates(self.vector(params)).sum(0), self.floor)[0]
        return profiled_gamma(rate, 0.0, data.counts, self._gamma_auxiliary(data), self.width)

    @float64_on_host
    def asimov(self, params: Params, gamma: Float[Array, " bin"] | None = None) -> Data:
        """The data set that every estimator meets on average: counts and global observables without fluctuation.

        ``gamma`` is the true value of each γ, 1 by default.
        """
        theta, truth = self.vector(params), jnp.ones_like(self.width) if gamma is None else gamma
        rate = positive_rate(self.rates(theta).sum(0), self.floor)[0]
        mean = constraint_mean(self.parameters, theta)
        return Data(rate * truth, jnp.concatenate([mean, truth]) if self.simulation_statistics else mean)

    @float64_on_host
    def sample(self, key: PRNGKeyArray, params: Params, gamma: Float[Array, " bin"] | None = None) -> Data:
        """One pseudo-experiment: Poisson counts, global observables of nuisances and of γ (true value 1 by default)."""
        theta, truth = self.vector(params), jnp.ones_like(self.width) if gamma is None else gamma
        rate = truth * positive_rate(self.rates(theta).sum(0), self.floor)[0]
        key_counts, key_auxiliary, key_gamma = jax.random.split(key, 3)
        counts = jax.random.poisson(key_counts, rate).astype(rate.dtype)
        auxiliary = constraint_sample(key_auxiliary, self.parameters, theta)
        measured = truth + self.width * jax.random.normal(key_gamma, self.width.shape, rate.dtype)
        return Data(counts, jnp.concatenate([auxiliary, measured]) if self.simulation_statistics else auxiliary)

    @float64_on_host
    def spread(self, params: Params, data: Data) -> Data:
        """√expected of each count (γ̂ included), and the width of each constraint term."""
        theta = self.vector(params)
        rate = positive_rate(self.rates(theta).sum(0), self.floor)[0]
        gamma = profiled_gamma(rate, 0.0, data.counts, self._gamma_auxiliary(data), self.width)
        auxiliary = constraint_spread(self.parameters, theta)
        both = jnp.concatenate([auxiliary, self.width]) if self.simulation_statistics else auxiliary
        return Data(jnp.sqrt(gamma * rate), both)

    def freeze_simulation(self, params: Params, data: Data) -> "tuple[BinnedLikelihood, Data]":
        """With zero width γ equals its auxiliary value, which is set to γ̂: same shapes, so nothing is compiled anew."""
        if not self.simulation_statistics:
            return self, data
        n = data.auxiliary.shape[-1] - self.width.size
        auxiliary = np.concatenate([data.auxiliary[:n], self.profiled(params, data)])
        return eqx.tree_at(lambda m: m.width, self, np.zeros_like(self.width)), Data(data.counts, auxiliary)

    @float64_on_host
    def saturated(self, data: Data) -> Float[Array, "*toy"]:
        """−log L where every bin expects what it counts, and every constrained parameter is at its global observable."""
        n = sum(p.constraint is not None for p in self.parameters)
        counts = data.counts - xlogy(data.counts, data.counts) + gammaln(data.counts + 1)
        fluctuates = self.width > 0 if self.simulation_statistics else np.zeros(self.width.shape, bool)
        gamma = jnp.where(fluctuates, jnp.log(jnp.where(fluctuates, self.width, 1.0)) + HALF_LOG_2PI, 0.0).sum()
        peak = constraint_peak(self.parameters, jnp.asarray(data.auxiliary)[..., :n])
        return counts.sum(-1) + peak.sum(-1) + gamma

    def check(self, data: Data) -> None:
        """Counts per bin, not negative; one global observable per constraint and γ; all finite."""
        bins, n = self.width.size, sum(p.constraint is not None for p in self.parameters)
        n += bins if self.simulation_statistics else 0
        for what, values, size in (("counts", data.counts, bins), ("global observables", data.auxiliary, n)):
            if values.shape[-1] != size:
                raise InputError(f"data, {what}", f"{values.shape[-1]} per data set", f"{size}")
            if not np.isfinite(values).all():
                raise InputError(f"data, {what}", "NaN or infinity", "finite numbers")
        if (np.asarray(data.counts) < 0).any():
            raise InputError("data, counts", f"{np.min(data.counts):g}", "counts that are not negative")


def binned_likelihood(
    templates: Templates,
    *,
    free: Mapping[str, Sequence[str]],
    bounds: Mapping[str, tuple[float, float]] | None = None,
    simulation_statistics: bool = True,
) -> BinnedLikelihood:
    """The likelihood of templates.

    Parameters
    ----------
    templates : expected events and their variations; traced leaves are passed through unchecked
    free : normalisation factor (initial value 1) -> processes that it multiplies in all channels; the first one is
        taken for the parameter of interest, the others form the group "floating normalisations"
    bounds : of any parameter, by name; by default ±50 for normalisation factors (a signal strength may be negative)
        and ±5 prior widths for nuisance parameters
    simulation_statistics : one γ per bin, shared by the processes, of width √ΣΣw² / Σnominal

    Raises
    ------
    InputError : unknown process or parameter, a name used twice, not finite or negative templates' inputs, a bin
        without expected events
    """
    bounds = bounds or {}
    factors = tuple(
        Parameter(name, FLOATING if i else "", 1.0, bounds.get(name, (-50.0, 50.0))) for i, name in enumerate(free)
    )
    systematics = tuple(replace(p, bounds=bounds.get(p.name, p.bounds)) for p in templates.systematics)
    parameters = factors + systematics
    _check(templates, free, bounds, parameters)

    host = all(isinstance(x, np.ndarray) for x in (templates.nominal, templates.variance, templates.up, templates.down))
    xp = np if host else jnp
    nominal, variance, up, down = (
        np.asarray(x, np.float64) if host else x
        for x in (templates.nominal, templates.variance, templates.up, templates.down)
    )
    channel = Layout(tuple(len(e) - 1 for e in templates.edges)).channel
    log_up, log_down = normalisation_part(nominal, up, down, channel)
    odd, even = shape_part(nominal, up / xp.exp(log_up)[..., channel], down / xp.exp(log_down)[..., channel])
    total = nominal.sum(0)
    return BinnedLikelihood(
        parameters=parameters,
        channels=templates.channels,
        edges=templates.edges,
        processes=templates.processes,
        simulation_statistics=simulation_statistics,
        nominal=nominal,
        variance=variance,
        odd=odd,
        even=even,
        log_up=log_up,
        log_down=log_down,
        coefficients=code4_coefficients(log_up, log_down),
        member=np.array([[float(p in processes) for p in templates.processes] for processes in free.values()]).reshape(
            len(factors), len(templates.processes)
        ),
        width=xp.sqrt(xp.maximum(variance.sum(0), 0.0)) / total if simulation_statistics else xp.zeros_like(total),
        floor=1e-7 * abs(total) + 1e-12,
    )


def _check(
    templates: Templates,
    free: Mapping[str, Sequence[str]],
    bounds: Mapping[str, tuple[float, float]],
    parameters: tuple[Parameter, ...],
) -> None:
    names = [p.name for p in parameters]
    check_known(bounds, names, "bounds", "parameter")
    for name, processes in free.items():
        check_known(processes, templates.processes, f"normalisation factor '{name}'", "process")
    for name in names:
        if names.count(name) > 1:
            raise InputError(
                "parameters", f"'{name}' twice", "one name per parameter", "rename a factor or a systematic"
            )
    shapes = {"nominal": templates.nominal, "variance": templates.variance, "up": templates.up, "down": templates.down}
    for what, cells in shapes.items():
        if isinstance(cells, np.ndarray) and not np.isfinite(cells).all():
            raise InputError(f"templates, {what}", "NaN or infinite events", "finite numbers in every bin")
    if isinstance(templates.variance, np.ndarray) and (templates.variance < 0).any():
        raise InputError("templates, variance", f"{templates.variance.min()}", "Σw², which is not negative")
    if isinstance(templates.nominal, np.ndarray):
        total = templates.nominal.sum(0)
        for channel, where in templates.slices().items():
            for i in np.flatnonzero(~(total[where] > 0)):
                seen = f"{total[where][i]:g} expected events"
                raise InputError(f"channel '{channel}', bin {i}", seen, "more than 0", "merge it with its neighbour")
