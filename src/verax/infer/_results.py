"""Results of the inference functions beyond the interval: one small frozen type each."""

from dataclasses import dataclass

import numpy as np

from verax.arrays import Float, Int
from verax.errors import InputError
from verax.results import Brief, Shown, ended, with_error


@dataclass(frozen=True, repr=False)
class Fit(Brief):
    """Maximum-likelihood fit of one data set, or a batch of them.

    Parameters
    ----------
    names : the parameters, in order
    value : best fit
    covariance : inverse of the exact Hessian of the free parameters; zero rows for those fixed or at a bound, NaN
        where the Hessian is not positive definite
    nll : −log L at the minimum
    status : a :class:`verax.results.Status` each
    edm : estimated distance to the minimum, in units of −log L
    steps : evaluations of the likelihood
    """

    names: tuple[str, ...]
    value: Float[np.ndarray, "*toy parameter"]
    covariance: Float[np.ndarray, "*toy parameter parameter"]
    nll: Float[np.ndarray, "*toy"]
    status: Int[np.ndarray, "*toy"]
    edm: Float[np.ndarray, "*toy"]
    steps: Int[np.ndarray, "*toy"]

    def _shown(self) -> Shown:
        of = f"{len(self.names)} parameters"
        if self.value.ndim != 1:
            return f"Fits of {len(self.value)} data sets, {of}: {ended(self.status)}", (), ()
        line = f"Fit of {of}: {ended(self.status)}, −log L = {float(self.nll):.6g}"
        pairs = zip(self.names, self.value.tolist(), self.error.tolist(), strict=True)
        return line, ("parameter", "value"), [(name, with_error(v, e)) for name, v, e in pairs]

    @property
    def error(self) -> Float[np.ndarray, "*toy parameter"]:
        """σ of each parameter: square root of the covariance's diagonal."""
        return np.sqrt(np.diagonal(self.covariance, axis1=-2, axis2=-1))

    @property
    def correlation(self) -> Float[np.ndarray, "*toy parameter parameter"]:
        """Covariance over the product of the errors; zero rows stay zero."""
        error = np.where(self.error > 0, self.error, 1.0)
        return self.covariance / (error[..., :, None] * error[..., None, :])

    @property
    def params(self) -> dict[str, float]:
        """Best-fit values by name (of a single fit)."""
        if self.value.ndim != 1:
            got = f"a fit of {len(self.value)} data sets"
            raise InputError("params", got, "one data set", "fit one of them, or take a column of `value`")
        return {name: float(v) for name, v in zip(self.names, self.value, strict=True)}


@dataclass(frozen=True, repr=False)
class Scan(Brief):
    """The profile likelihood ratio t of one parameter at given values; ``t`` = 2 [nll(value) − nll(best)]."""

    name: str
    values: Float[np.ndarray, " point"]
    t: Float[np.ndarray, "*toy point"]
    status: Int[np.ndarray, "*toy point"]

    def _shown(self) -> Shown:
        ends = f"{self.values.min():.4g} … {self.values.max():.4g}" if len(self.values) else "none"
        return f"Scan of {self.name} at {len(self.values)} values, {ends}: {ended(self.status)}", (), ()


@dataclass(frozen=True)
class Row:
    """One line of a breakdown: ``depth`` 0 is the total; ``up`` and ``down`` are positive, per side."""

    name: str
    depth: int
    impact: float
    up: float
    down: float
    note: str = ""


@dataclass(frozen=True, repr=False)
class Breakdown(Brief):
    """Uncertainty of one parameter by source; ``rows[0]`` is the total, the others follow nested by depth."""

    name: str
    method: str
    rows: tuple[Row, ...]

    def _shown(self) -> Shown:
        ends = ("impact", "up", "down")
        rows = [("  " * r.depth + r.name, *(f"{getattr(r, end):.3g}" for end in ends)) for r in self.rows]
        return f"Uncertainty of {self.name} by source ({self.method})", ("source", *ends), rows


@dataclass(frozen=True, repr=False)
class Ranking(Brief):
    """Pulls of the other parameters, and their impacts on one parameter, from refits.

    Parameters
    ----------
    name : the parameter of interest
    names, groups : the other parameters
    pull : (θ̂ − global observable) / prior width; NaN for a parameter without a prior
    pull_error : post-fit σ / prior width; NaN for a parameter without a prior
    up, down : signed change of the estimate when θ is fixed at θ̂ + σ̂ and θ̂ − σ̂ and all else refitted
    prefit_up, prefit_down : the same at θ̂ ± prior width; NaN without a prior
    status : worst :class:`verax.results.Status` of the refits
    """

    name: str
    names: tuple[str, ...]
    groups: tuple[str, ...]
    pull: Float[np.ndarray, " other"]
    pull_error: Float[np.ndarray, " other"]
    up: Float[np.ndarray, " other"]
    down: Float[np.ndarray, " other"]
    prefit_up: Float[np.ndarray, " other"]
    prefit_down: Float[np.ndarray, " other"]
    status: Int[np.ndarray, " other"]

    def _shown(self) -> Shown:
        size = np.fmax(abs(self.up), abs(self.down))
        rows = [
            (self.names[i], with_error(float(self.pull[i]), float(self.pull_error[i])))
            + tuple(f"{float(side[i]):+.3g}" for side in (self.up, self.down))
            for i in np.argsort(-np.nan_to_num(size), kind="stable")
        ]
        line = f"Impacts on {self.name} by size: {ended(self.status)}"
        return line, ("parameter", "pull", "up", "down"), rows


@dataclass(frozen=True, kw_only=True, repr=False)
class Observed(Brief):
    """Observed and expected values, shared by :class:`CLs` and :class:`Limit`.

    Parameters
    ----------
    name : the parameter of interest
    method : "asymptotic" or "toys"
    toys, failed : toys at each value, of each hypothesis, and the largest number that was left out at any value; 0
        for the asymptotic method
    observed : of the data
    expected : without signal: −2σ, −1σ, median, +1σ, +2σ
    observed_error, expected_error : Monte Carlo errors; zero for the asymptotic method
    status : a :class:`verax.results.Status` each
    """

    name: str
    method: str
    toys: int
    failed: int
    observed: Float[np.ndarray, "*data"]
    expected: Float[np.ndarray, "*bands"]
    observed_error: Float[np.ndarray, "*data"]
    expected_error: Float[np.ndarray, "*bands"]
    status: Int[np.ndarray, "*data"]


@dataclass(frozen=True, kw_only=True, repr=False)
class CLs(Observed):
    """CLs of one parameter at given values: observed [*toy point], expected [*toy 5 point].

    Parameters
    ----------
    q : q̃ of the data
    """

    values: Float[np.ndarray, " point"]
    q: Float[np.ndarray, "*data"]

    def _shown(self) -> Shown:
        line = f"CLs of {self.name} at {len(self.values)} values ({self.method}): {ended(self.status)}"
        if self.observed.ndim != 1:
            return line, (), ()
        rows = zip(self.values.tolist(), self.observed.tolist(), self.expected[2].tolist(), strict=True)
        return line, (self.name, "observed", "expected"), [tuple(f"{x:.4g}" for x in row) for row in rows]


@dataclass(frozen=True, kw_only=True, repr=False)
class Limit(Observed):
    """Upper limit on one parameter, where CLs is 1 − level: observed [*toy], expected [*toy 5].

    Parameters
    ----------
    expected_status : as ``status``; END_NOT_FOUND where the limit lies beyond the parameter's bound, which is then given
    events : :func:`verax.infer.effective_events` between no signal and the median limit; with 10 of them asymptotic
        limits of a counting experiment are too low by up to 8 %, with 1 by 22 %
    curve : CLs by toys at the values where they were drawn; None for the asymptotic method
    """

    level: float
    expected_status: Int[np.ndarray, "*bands"]
    events: Float[np.ndarray, "*data"]
    curve: CLs | None = None

    def _shown(self) -> Shown:
        line = f"Upper limit on {self.name} at {self.level:.4g} ({self.method}): {ended(self.status)}"
        if self.observed.ndim:
            return f"{line}, of {len(self.observed)} data sets", (), ()
        names = ("observed", "−2σ", "−1σ", "median", "+1σ", "+2σ")
        values = zip(names, [float(self.observed), *self.expected.tolist()], strict=True)
        return line, ("", self.name), [(name, f"{value:.4g}") for name, value in values]
