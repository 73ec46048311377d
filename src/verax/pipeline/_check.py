"""The stage `check`: coverage of the interval, and reliability of the classifier."""

from dataclasses import dataclass, field
from pathlib import Path

import jax

from verax.analysis import Campaign, Learning
from verax.check import Overtraining, Reliability, Roc, coverage
from verax.infer import interval, sample_toys
from verax.model import BinnedLikelihood
from verax.results import Coverage
from verax.run import Run

from ._learn import Learned
from ._scores import judged
from ._simulate import Table


@dataclass(frozen=True)
class Checked:
    """Coverage at each truth, and what the scores of the classifier are worth (None where the summary is no probability)."""

    coverage: dict[str, Coverage]
    reliability: Reliability | None = None
    roc: dict[str, Roc] = field(default_factory=dict)
    """Of all channels (""), and of each of several."""
    overtraining: dict[str, Overtraining] = field(default_factory=dict)
    """Of signal and background."""


def check(
    run: Run,
    folder: Path,
    campaign: Campaign,
    learning: Learning | None,
    table: Table,
    learned: Learned,
    likelihood: BinnedLikelihood,
) -> Checked:
    """Coverage of the interval from toys, at the truths and at shifted ones; reliability of the classifier."""
    truths, found = truths_of(campaign, likelihood) if campaign.toys else {}, {}
    for i, (label, truth) in enumerate(truths.items()):
        run.progress.step("coverage", i, len(truths))
        data = sample_toys(jax.random.fold_in(campaign.key, i), likelihood, truth, campaign.toys)
        intervals = interval(likelihood, data, campaign.poi, level=campaign.level)
        found[label] = coverage(intervals, truth[campaign.poi])
        if i < len(campaign.truths):
            for name in campaign.further:
                found[f"{name} = {truth[name]:g}, {label}"] = coverage(
                    interval(likelihood, data, name, level=campaign.level), truth[name]
                )
        run.progress.step("coverage", i + 1, len(truths))
    if learning is None or learning.sorts:
        return Checked(found)
    return Checked(found, *judged(campaign, learning, table, run))


def truths_of(campaign: Campaign, likelihood: BinnedLikelihood) -> dict[str, dict[str, float]]:
    """The truths of the coverage campaign by label: values of the parameter of interest, and each θ = ±1."""
    poi, nominal = campaign.poi, {p.name: p.init for p in likelihood.parameters}
    truths = {f"{poi} = {value:g}": nominal | {poi: value} for value in campaign.truths}
    if campaign.shifts:
        for p in likelihood.parameters:
            if p.constraint is not None:
                truths |= {f"{p.name} = {side:+d}": nominal | {p.name: float(side)} for side in (1, -1)}
    return truths
