"""The stage `infer`: all answers for each data set that may be looked at."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import xlogy

from verax.analysis import Inference
from verax.infer import (
    Breakdown,
    Fit,
    Ranking,
    Scan,
    breakdown,
    fit,
    goodness_of_fit,
    interval,
    profile,
    ranking,
    sample_toys,
)
from verax.model import BinnedLikelihood, Data, Yields, postfit_yields, prefit_yields
from verax.results import Brief, Interval, Shown, Status
from verax.run import Run

from ._summarise import Summarised


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

    def _shown(self) -> Shown:
        fits = "" if self.goodness is None else f"; goodness of fit p = {self.goodness[2]:.3g}"
        return f"{self.kind}: {self.interval!r}{fits}", (), ()


def infer(
    run: Run, folder: Path, inference: Inference, summarised: Summarised, likelihood: BinnedLikelihood
) -> tuple[Measured, ...]:
    """Fit, interval, scans, breakdown by both definitions and ranking, for each data set that may be looked at."""
    nominal = {p.name: p.init for p in likelihood.parameters}
    data = {"expected": (nominal, likelihood.asimov(nominal))}
    if inference.truth is not None:
        truth = {**nominal, **inference.truth}
        data["pseudo-experiment"] = (truth, sample_toys(inference.key, likelihood, truth, 1)[0])
    if summarised.observed is not None:
        data["observed"] = ({}, Data(summarised.observed, likelihood.asimov(nominal).auxiliary))
    found = []
    for i, (kind, (truth, one)) in enumerate(data.items()):
        run.progress.step(kind, i, len(data))
        found.append(_measure(inference, likelihood, kind, truth, one))
        run.progress.step(kind, i + 1, len(data))
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
        statistical(likelihood, data, best, poi, 4 * inference.scan_points),
        tuple(breakdown(likelihood, data, poi, method=m, best=best) for m in ("shifted-observables", "freeze")),
        ranking(likelihood, data, poi, best=best),
        prefit_yields(likelihood),
        postfit_yields(likelihood, data, best),
        None if told is None else (float(told.statistic), told.ndf, float(told.p_value), float(told.p_error)),
    )


def statistical(likelihood: BinnedLikelihood, data: Data, best: Fit, name: str, points: int) -> Scan:
    """Profile of one parameter with all else, γ included, held at the best fit: what the counts alone say."""
    gamma, counts, hat = likelihood.profiled(best.params, data), np.asarray(data.counts), best.params[name]

    def events(values: np.ndarray) -> np.ndarray:
        return np.stack([likelihood.expected({**best.params, name: float(v)}, gamma) for v in values])

    there, slope = events(np.array([hat])), np.diff(events(np.array([hat, hat + 1])), axis=0)
    sigma = 1 / np.sqrt(np.divide(slope**2, there, out=np.zeros_like(there), where=there > 0).sum())
    values = hat + np.linspace(-3.5, 3.5, points) * sigma
    nu = there + slope * (values - hat)[:, None]  # expected events are linear in a normalisation factor
    with np.errstate(divide="ignore", invalid="ignore"):
        nll = np.where((nu > 0) | (nu == counts), nu - xlogy(counts, nu), np.inf).sum(axis=1)
    t = np.maximum(2 * (nll - (there - xlogy(counts, there)).sum()), 0.0)
    return Scan(name, values, t, np.where(np.isfinite(t), Status.OK, Status.NOT_FINITE))
