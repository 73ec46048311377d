"""The stage `check`: coverage of the interval, and reliability of the classifier."""

from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np

from verax.analysis import Campaign, Learning
from verax.check import Reliability, ReliabilitySums, coverage, diagram, reliability_sums
from verax.data import read_events
from verax.infer import interval, sample_toys
from verax.model import BinnedLikelihood
from verax.results import Coverage
from verax.run import Run

from ._learn import Learned
from ._simulate import Table
from ._summary import score_of


@dataclass(frozen=True)
class Checked:
    """Coverage at each truth, and the reliability of the classifier (None where the summary is no probability)."""

    coverage: dict[str, Coverage]
    reliability: Reliability | None = None


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
    return Checked(found, _reliability(campaign.signal, learning, table, run))


def truths_of(campaign: Campaign, likelihood: BinnedLikelihood) -> dict[str, dict[str, float]]:
    """The truths of the coverage campaign by label: values of the parameter of interest, and each θ = ±1."""
    poi, nominal = campaign.poi, {p.name: p.init for p in likelihood.parameters}
    truths = {f"{poi} = {value:g}": nominal | {poi: value} for value in campaign.truths}
    if campaign.shifts:
        for p in likelihood.parameters:
            if p.constraint is not None:
                truths |= {f"{p.name} = {side:+d}": nominal | {p.name: float(side)} for side in (1, -1)}
    return truths


def _reliability(signal: tuple[str, ...], learning: Learning, table: Table, run: Run) -> Reliability:
    """Of the scores, with signal and background at equal total weight, as the networks were trained."""
    score, yields = score_of(learning, run), {y.process: y.total for y in table.yields}
    s = sum(yields[p] for p in signal)
    b = sum(yields.values()) - s
    sums: ReliabilitySums | None = None
    # Chunks of a fixed size, not the analysis' own: these sums are rounded, and must not depend on it.
    for events in read_events(run.path("simulate") / "nominal.parquet", 65536):
        label = np.asarray(events.is_process(signal))
        weight = np.asarray(events.weight, np.float64) / np.where(label, 2 * s, 2 * b)
        part = reliability_sums(score(events), label, weight)
        sums = part if sums is None else sums + part
    assert sums is not None
    return diagram(sums)
