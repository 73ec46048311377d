"""The on/off problem: a counting measurement whose background is measured beside it, with everything in closed form.

n ~ Poisson(μ s + ν b) in the signal region and m ~ Poisson(τ ν b) in the control region (Li and Ma, ApJ 272 (1983) 317;
Cousins, Linnemann, Tucker, NIM A 595 (2008) 480; s = 15, b = 70, τ = 1 are those of LF2I, arXiv:2107.03920).
"""

from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PRNGKeyArray
from scipy.special import betainc, xlogy
from scipy.stats import poisson

from verax.arrays import Array
from verax.errors import InputError
from verax.events import Events
from verax.parameters import Parameter
from verax.results import Interval, Status
from verax.systematics import Systematic

from ._effects import LinearWeight
from ._information import information, uncertainty
from ._problem import AbstractProblem, assemble

BACKGROUNDS = ("background", "control")
Points = Float[Array, " point"]
Numbers = Array | float
TIE = 1e-9
"""Statistics that differ by less are equal: counts make ties."""


class OnOff(AbstractProblem):
    """Events with one column, ``region``: 0 where the signal is looked for, 1 where only background is.

    Their histogram in the two regions is the data. The background's yield is ν b = b (1 + θ/√(τ b)), θ free: in units of
    the control region's own precision.

    Functions of counts below broadcast over NumPy arrays of them; ``background`` there means ν b, in events.

    Parameters
    ----------
    s, b : expected events of signal (at μ = 1) and background in the signal region
    tau : τ, background in the control region over background in the signal region

    Raises
    ------
    InputError : unless all three are above zero
    """

    s: float = eqx.field(static=True)
    b: float = eqx.field(static=True)
    tau: float = eqx.field(static=True)

    def __init__(self, s: float = 15.0, b: float = 70.0, tau: float = 1.0) -> None:
        if not (s > 0 and b > 0 and tau > 0):
            raise InputError("OnOff", f"s = {s}, b = {b}, tau = {tau}", "numbers above zero")
        self.s, self.b, self.tau = s, b, tau
        self.features, self.processes, self.signal = ("region",), ("signal", *BACKGROUNDS), ("signal",)
        self.yields = (s, b, tau * b)
        width = 1 / float(np.sqrt(tau * b))
        scale = Parameter("nu", "background yield", 0.0, (-1 / width, 100.0))
        self.systematics = (Systematic(scale, LinearWeight(width, BACKGROUNDS), changes=("weight",)),)

    def nominal(self, key: PRNGKeyArray, n: int) -> Events:
        x = [jnp.full((n, 1), region, jnp.float32) for region in (0, 0, 1)]
        return assemble(key, x, columns=self.features, processes=self.processes, yields=self.yields)

    def information(self) -> Float[np.ndarray, "parameter parameter"]:
        """Find the expected information on (μ, θ) at the nominal parameters."""
        counts = np.array([self.s + self.b, self.tau * self.b])
        slope = np.array([[self.s, 0.0], counts * [self.b / (self.s + self.b), 1] / np.sqrt(self.tau * self.b)])
        return information(counts, slope, self.parameters)

    def uncertainty(self) -> float:
        """Find the expected σ_μ, from the information: √(s + b + b/τ) / s."""
        return uncertainty(self.information(), self.parameters)

    # ------------------------------------------------------------------------------------------- exact likelihood

    def estimate(self, n: Numbers, m: Numbers, *, lowest: float = -np.inf) -> np.ndarray:
        """Find the maximum-likelihood μ, (n − m/τ)/s, kept at or above ``lowest``.

        Parameters
        ----------
        n : count in the signal region
        m : count in the control region
        lowest : lower bound of μ
        """
        return np.asarray(np.maximum((n - np.asarray(m) / self.tau) / self.s, lowest))

    def background(self, mu: Numbers, n: Numbers, m: Numbers) -> np.ndarray:
        """Find the ν b that maximises the likelihood at μ: the positive root of a quadratic equation.

        Parameters
        ----------
        mu : signal strength
        n : count in the signal region
        m : count in the control region
        """
        signal = np.asarray(mu) * self.s
        p = n + m - (1 + self.tau) * signal
        root = (p + np.sqrt(np.maximum(p**2 + 4 * (1 + self.tau) * signal * m, 0.0))) / (2 * (1 + self.tau))
        return np.asarray(np.maximum(root, np.maximum(-signal, 0.0)))

    def nll(self, mu: Numbers, background: Numbers, n: Numbers, m: Numbers) -> np.ndarray:
        """Evaluate −ln of the likelihood, without the terms of the counts alone.

        Parameters
        ----------
        mu : signal strength
        background : ν b, in events
        n : count in the signal region
        m : count in the control region
        """
        on, off = np.asarray(mu) * self.s + background, self.tau * np.asarray(background)
        return np.asarray(on + off - xlogy(n, on) - xlogy(m, off))

    def t(self, mu: Numbers, n: Numbers, m: Numbers, *, lowest: float = -np.inf) -> np.ndarray:
        """Evaluate −2 ln λ(μ), background profiled and the estimate of μ kept at or above ``lowest``.

        Parameters
        ----------
        mu : signal strength
        n : count in the signal region
        m : count in the control region
        lowest : lower bound of μ
        """
        hat = self.estimate(n, m, lowest=lowest)
        free = hat <= (n - np.asarray(m) / self.tau) / self.s + 1e-12
        peak = np.where(free, np.asarray(m) / self.tau, self.background(hat, n, m))
        best = self.nll(hat, peak, n, m)
        return np.asarray(np.maximum(2 * (self.nll(mu, self.background(mu, n, m), n, m) - best), 0.0))

    def q0(self, n: Numbers, m: Numbers) -> np.ndarray:
        """Evaluate the discovery statistic (arXiv:1007.1727, eq. 12): √q₀ is the significance of Li and Ma's equation 17.

        Parameters
        ----------
        n : count in the signal region
        m : count in the control region
        """
        return np.where(self.estimate(n, m) > 0, self.t(0.0, n, m), 0.0)

    def q_tilde(self, mu: Numbers, n: Numbers, m: Numbers) -> np.ndarray:
        """Evaluate the statistic of upper limits (eq. 16): 0 where the estimate lies above μ.

        Parameters
        ----------
        mu : signal strength
        n : count in the signal region
        m : count in the control region
        """
        return np.where(self.estimate(n, m) > mu, 0.0, self.t(mu, n, m, lowest=0.0))

    # ---------------------------------------------------------------------------------------- exact distributions

    def probability(self, mu: Numbers, background: Numbers, n: Numbers, m: Numbers) -> np.ndarray:
        """Evaluate the probability of the counts.

        Parameters
        ----------
        mu : signal strength
        background : ν b, in events
        n : count in the signal region
        m : count in the control region
        """
        return np.asarray(poisson.pmf(n, mu * self.s + np.asarray(background)) * poisson.pmf(m, self.tau * background))

    def counts(self, mu: float, background: float) -> tuple[np.ndarray, np.ndarray]:
        """List all counts [n, m] that matter at these values: what lies outside has a probability below 10⁻¹⁰.

        Parameters
        ----------
        mu : signal strength
        background : ν b, in events
        """
        means = (mu * self.s + background, self.tau * background)
        axes = [np.arange(poisson.ppf(1e-11, v), poisson.isf(1e-11, v) + 1) for v in means]
        n, m = np.meshgrid(*axes, indexing="ij")
        return n, m

    def p_binomial(self, n: Numbers, m: Numbers) -> np.ndarray:
        """Evaluate the exact p-value against μ = 0, conditional on n + m: n is Binomial(n + m, 1 / (1 + τ)).

        The probability of at least n (Przyborowski, Wilenski, 1940); it depends on no nuisance parameter.

        Parameters
        ----------
        n : count in the signal region
        m : count in the control region
        """
        n, m = np.asarray(n, float), np.asarray(m, float)
        return np.where(n > 0, betainc(np.maximum(n, 1e-300), m + 1, 1 / (1 + self.tau)), 1.0)

    def p_value(
        self, mu: float, n: float, m: float, *, backgrounds: Points | None = None, lowest: float = 0.0
    ) -> float:
        """Sum the probability at μ of all counts whose likelihood ratio is at least as large as that of (n, m).

        At the profiled background (the profile construction); with ``backgrounds``, the largest over these: where they
        cover what is possible, the interval cannot under-cover.

        Parameters
        ----------
        mu : signal strength
        n : count in the signal region
        m : count in the control region
        backgrounds : values of ν b, in events; None for the profiled one
        lowest : lower bound of μ
        """
        at = self.background(mu, n, m)[None] if backgrounds is None else np.asarray(backgrounds, float)
        limit = self.t(mu, n, m, lowest=lowest) - TIE
        return max(self._chance(mu, float(b), lambda x, y: self.t(mu, x, y, lowest=lowest) >= limit) for b in at)

    def cls(self, mu: float, n: float, m: float) -> float:
        """Evaluate CLs = p(μ) / p(0) of q̃_μ at the profiled backgrounds, both summed over all counts (no asymptotics).

        Parameters
        ----------
        mu : signal strength
        n : count in the signal region
        m : count in the control region
        """
        limit = self.q_tilde(mu, n, m) - TIE
        both = [
            self._chance(at, float(self.background(at, n, m)), lambda x, y: self.q_tilde(mu, x, y) >= limit)
            for at in (mu, 0.0)
        ]
        return both[0] / both[1]

    def neyman(
        self, n: float, m: float, values: Points, *, level: float = 0.6827, backgrounds: Points | None = None
    ) -> Interval:
        """Find the hull of the ``values`` of μ that are accepted, ordered by the likelihood ratio.

        END_NOT_FOUND where an end lies at the last of the values, or at the first one and that is not 0, or where none
        is accepted; the ends are tested values, not interpolated.

        Parameters
        ----------
        n : count in the signal region
        m : count in the control region
        values : of μ, increasing and not negative
        level : requested coverage
        backgrounds : values of ν b, in events; None for the profiled one

        Raises
        ------
        InputError : for negative values, where the bounded likelihood ratio is not defined, or a level outside (0, 1)
        """
        values = np.asarray(values, float)
        if not (values >= 0).all():
            raise InputError("neyman", f"values down to {values.min():g}", "no value of μ below zero")
        if not 0 < level < 1:
            raise InputError("neyman", f"level {level}", "a level between 0 and 1")
        p = [self.p_value(float(mu), n, m, backgrounds=backgrounds) for mu in values]
        accepted = values[np.array(p) > 1 - level]
        ends = accepted[[0, -1]] if accepted.size else np.full(2, np.nan)
        open_ended = not accepted.size or ends[1] == values[-1] or (ends[0] == values[0] and values[0] > 0)
        status = Status.END_NOT_FOUND if open_ended else Status.OK
        best = self.estimate(n, m, lowest=0.0)
        return Interval("mu", level, best, np.asarray(ends[0]), np.asarray(ends[1]), np.asarray(int(status)))

    def _chance(self, mu: float, background: float, extreme: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> float:
        n, m = self.counts(mu, background)
        return float(self.probability(mu, background, n, m)[extreme(n, m)].sum())
