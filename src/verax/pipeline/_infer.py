"""The stage `infer`: all answers for each data set that may be looked at."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.special import xlogy

from verax.analysis import Inference, Modelling
from verax.infer import (
    Breakdown,
    Fit,
    Limit,
    Ranking,
    Scan,
    Significance,
    breakdown,
    fit,
    goodness_of_fit,
    interval,
    limit,
    profile,
    ranking,
    sample_toys,
    significance,
)
from verax.model import BinnedLikelihood, Data, Yields, postfit_yields, prefit_yields
from verax.results import Brief, Interval, Shown, Status
from verax.run import Run
from verax.templates import mask

from ._displays import Displayed
from ._further import Further, further
from ._model import likelihood_of
from ._summarise import Summarised


@dataclass(frozen=True)
class Everywhere:
    """What a fit of some bins says of all bins: of channels for validation, and of bins that stay blind.

    Parameters
    ----------
    fitted : bins whose counts were fitted
    observed : counts; NaN where blind
    prefit, postfit : expected events; a γ that no count was fitted for is as before the fit; None where no bin may be fitted
    """

    fitted: np.ndarray
    observed: np.ndarray
    prefit: Yields
    postfit: Yields | None

    @property
    def expected(self) -> Yields:
        """After the fit, if there is one."""
        return self.postfit or self.prefit


@dataclass(frozen=True)
class Control:
    """The fit of all bins that may be looked at while others are blind.

    ``held`` are the parameter of interest and free factors that act in none of these bins; ``goodness`` as in ``Measured``.
    """

    held: dict[str, float]
    fit: Fit
    goodness: tuple[float, int, float, float]
    everywhere: Everywhere


@dataclass(frozen=True)
class Foretold:
    """Expected events of a variable before a fit, and after it; γ, of other bins than those fitted, are as before."""

    prefit: Yields
    postfit: Yields | None


@dataclass(frozen=True, repr=False)
class Measured(Brief):
    """All answers for one data set: ``kind`` is expected, pseudo-experiment or observed."""

    kind: str
    truth: dict[str, float]
    data: Data
    fit: Fit
    interval: Interval
    scan: Scan
    statistical: Scan
    breakdowns: tuple[Breakdown, ...]
    ranking: Ranking
    prefit: Yields
    postfit: Yields
    goodness: tuple[float, int, float, float] | None = None
    """Saturated goodness of fit of data that are not the expectation: statistic, degrees of freedom, p-value, its error."""
    limit: Limit | None = None
    significance: Significance | None = None
    further: tuple[Further, ...] = ()
    everywhere: Everywhere | None = None
    """Where there are channels for validation, and observed data are fitted or seen in these alone."""
    control: Control | None = None
    """Where expected data are those at the values of a fit of some bins."""
    displayed: tuple[Foretold, ...] = ()
    """Of each variable that is shown beside the summary; after the fit of ``control`` where there is one."""

    def _shown(self) -> Shown:
        fits = "" if self.goodness is None else f"; goodness of fit p = {self.goodness[2]:.3g}"
        return f"{self.kind}: {self.interval!r}{fits}", (), ()


def infer(
    run: Run, folder: Path, inference: Inference, summarised: Summarised, likelihood: BinnedLikelihood
) -> tuple[Measured, ...]:
    """Fit, interval, scans, breakdown by both definitions and ranking, for each data set that may be looked at.

    Expected data are those at nominal values; where some bins may be looked at and others not, at the values fitted there.
    Data are measured where no bin that is fitted is blind.
    """
    nominal = {p.name: p.init for p in likelihood.parameters}
    observed, fitted = summarised.observed, _fitted(inference, summarised)
    seen = fitted if observed is None else fitted & ~np.isnan(observed)
    whole = bool((seen == fitted).all())
    control = _control(inference, summarised, seen) if seen.any() and not whole else None
    expected = nominal | (control.fit.params | {inference.poi: nominal[inference.poi]} if control else {})
    data = {"expected": (expected, likelihood.asimov(expected))}
    if inference.truth is not None:
        truth = {**nominal, **inference.truth}
        data["pseudo-experiment"] = (truth, sample_toys(inference.key, likelihood, truth, 1)[0])
    if observed is not None and whole:
        data["observed"] = ({}, Data(observed[fitted], likelihood.asimov(nominal).auxiliary))
    found = []
    for i, (kind, (truth, one)) in enumerate(data.items()):
        run.progress.step(kind, i, len(data))
        found.append(_measure(inference, likelihood, kind, truth, one))
        run.progress.step(kind, i + 1, len(data))
    found[0] = replace(found[0], control=control)
    fits = [m.fit if m.kind != "expected" else control.fit if control else None for m in found]
    found = [
        replace(m, displayed=_foretold(inference.modelling, summarised.displayed, best))
        for m, best in zip(found, fits, strict=True)
    ]
    if observed is not None and control is None and not (fitted.all() if whole else np.isnan(observed).all()):
        best = found[-1].fit if whole else None
        found[-1] = replace(found[-1], everywhere=_everywhere(inference, summarised, seen, best))
    return tuple(found)


def _fitted(inference: Inference, summarised: Summarised) -> np.ndarray:
    """Which bins belong to channels that are fitted."""
    templates = summarised.templates
    size = [len(e) - 1 for e in templates.edges]
    return np.repeat(np.isin(templates.channels, inference.modelling.fitted), size)


def _control(inference: Inference, summarised: Summarised, chosen: np.ndarray) -> Control:
    """Fit the bins that may be looked at."""
    templates, observed = summarised.templates, summarised.observed
    assert observed is not None
    left_out = {c: np.flatnonzero(~chosen[where]).tolist() for c, where in templates.slices().items()}
    model = likelihood_of(inference.modelling, mask(templates, left_out))
    data = Data(observed[chosen], model.asimov({}).auxiliary)
    masks = [bool(mask.any()) for mask in np.asarray(model.normfactor_mask)]
    moved = {n for f, acts in zip(model.functions, masks[model.n_free :], strict=True) if acts for n in f.parameters}
    idle = {n for n, acts in zip(model.names[: model.n_free], masks, strict=False) if not acts} - moved
    held = {p.name: p.init for p in model.parameters if p.name == inference.poi or p.name in idle}
    best, told = fit(model, data, fixed=held), goodness_of_fit(model, data, fixed=held)
    goodness = float(told.statistic), told.ndf, float(told.p_value), float(told.p_error)
    return Control(held, best, goodness, _everywhere(inference, summarised, chosen, best))


def _everywhere(inference: Inference, summarised: Summarised, fitted: np.ndarray, best: Fit | None) -> Everywhere:
    """What a fit of some bins says of all; of none, what is expected before."""
    assert summarised.observed is not None
    model = likelihood_of(inference.modelling, summarised.templates)
    if best is None:
        return Everywhere(fitted, summarised.observed, prefit_yields(model), None)
    data = Data(np.where(fitted, summarised.observed, 0.0), model.asimov({}).auxiliary)
    return Everywhere(fitted, summarised.observed, prefit_yields(model), postfit_yields(model, data, best, seen=fitted))


def _foretold(modelling: Modelling, displayed: Sequence[Displayed], best: Fit | None) -> tuple[Foretold, ...]:
    """What is expected of each variable before a fit and, where there is one, after it."""
    found = []
    for one in displayed:
        model = likelihood_of(modelling, one.templates, empty=True)
        none = np.zeros(one.templates.nominal.shape[1], bool)
        data = Data(np.zeros(len(none)), model.asimov({}).auxiliary)
        after = None if best is None else postfit_yields(model, data, best, seen=none)
        found.append(Foretold(prefit_yields(model), after))
    return tuple(found)


def _measure(
    inference: Inference, likelihood: BinnedLikelihood, kind: str, truth: dict[str, float], data: Data
) -> Measured:
    poi = inference.poi
    best = fit(likelihood, data)
    found = interval(likelihood, data, poi, level=inference.level, best=best)
    down, up = (2.4 * float(x) if np.isfinite(x) else 1.0 for x in (found.down, found.up))
    told = None if kind == "expected" else goodness_of_fit(likelihood, data)
    values = np.clip(found.value + np.linspace(-down, up, inference.scan_points), *inference.bounds)
    return Measured(
        kind,
        truth,
        data,
        best,
        found,
        profile(likelihood, data, poi, values, best=best),
        statistical(likelihood, data, best, poi, 4 * inference.scan_points, (values[0], values[-1])),
        tuple(breakdown(likelihood, data, poi, method=m, best=best) for m in ("shifted-observables", "freeze")),
        ranking(likelihood, data, poi, best=best),
        prefit_yields(likelihood),
        postfit_yields(likelihood, data, best),
        None if told is None else (float(told.statistic), told.ndf, float(told.p_value), float(told.p_error)),
        None if inference.limit is None else limit(likelihood, data, poi, level=inference.limit),
        significance(likelihood, data, poi, best=best) if inference.significance else None,
        further(inference, likelihood, data, best, found),
    )


def statistical(
    likelihood: BinnedLikelihood, data: Data, best: Fit, name: str, points: int, ends: tuple[float, float]
) -> Scan:
    """Profile of one parameter with all else, γ included, held at the best fit: what the counts alone say.

    In a normalisation factor that is 3.5 σ around the best fit; where functions bend the rates, between the ``ends``.
    """
    gamma, counts, hat = likelihood.profiled(best.params, data), np.asarray(data.counts), best.params[name]

    def events(values: np.ndarray) -> np.ndarray:
        return np.stack([likelihood.expected({**best.params, name: float(v)}, gamma) for v in values])

    there = events(np.array([hat]))
    if any(name in f.parameters for f in likelihood.functions):
        values = np.linspace(*ends, points)
        nu = events(values)
    else:
        slope = np.diff(events(np.array([hat, hat + 1])), axis=0)
        sigma = 1 / np.sqrt(np.divide(slope**2, there, out=np.zeros_like(there), where=there > 0).sum())
        values = hat + np.linspace(-3.5, 3.5, points) * sigma
        nu = there + slope * (values - hat)[:, None]  # expected events are linear in a normalisation factor
    with np.errstate(divide="ignore", invalid="ignore"):
        nll = np.where((nu > 0) | (nu == counts), nu - xlogy(counts, nu), np.inf).sum(axis=1)
    t = np.maximum(2 * (nll - (there - xlogy(counts, there)).sum()), 0.0)
    return Scan(name, values, t, np.where(np.isfinite(t), Status.OK, Status.NOT_FINITE))
