"""What the report of a measurement says: figures, tables and words, section by section."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from verax.analysis import Factor, Learning, Wording
from verax.folder import Label
from verax.model import BinnedLikelihood
from verax.pipeline._check import Checked
from verax.pipeline._infer import Measured
from verax.pipeline._learn import Learned
from verax.pipeline._simulate import Table
from verax.pipeline._summarise import Summarised
from verax.report import plots, tables
from verax.report.numbers import MISSING, with_ends
from verax.report.style import Style
from verax.results import Status

TITLES = {
    "expected": "Expected (Asimov)",
    "pseudo-experiment": "Pseudo-experiment",
    "observed": "Observed",
}


LIVING = {
    "propagate": "They know nothing of the systematics, which move the templates only.",
    "augment": "They learnt on events at nuisance parameters drawn from the priors (data augmentation).",
    "adversarial": "They learnt against an adversary that guesses the nuisance parameters from their scores.",
    "parameterised": "They were told the nuisance parameters that their events were drawn at, and are fixed at one value of "
    "them here, the same for every template and the data.",
    "inferno": "They sort events into bins, so as to make the expected uncertainty of this measurement small (INFERNO).",
}
"""How networks of each approach live with systematics."""

DISTANT, UNLIKELY = 0.2, 1e-4
"""Distance and p-value of a feature, or p-value of a fit, from which on they are said first."""


def _described(m: Measured) -> str:
    """The goodness of fit in words."""
    assert m.goodness is not None
    statistic, ndf, p = m.goodness
    return f"p = {p:.2g} (χ² = {statistic:.1f} for {ndf})" if ndf > 0 else "no degrees of freedom"


@dataclass(frozen=True)
class Story:
    """The report of one measurement; each section is a question that a referee would ask."""

    wording: Wording
    learning: Learning | None
    table: Table
    learned: Learned
    summarised: Summarised
    likelihood: BinnedLikelihood
    measured: tuple[Measured, ...]
    checked: Checked

    @property
    def poi(self) -> Factor:
        """The parameter of interest."""
        return self.wording.factors[0]

    @property
    def style(self) -> Style:
        """The style of figures."""
        wording = self.wording
        return Style(wording.report.experiment or "verax", "", wording.report.luminosity, wording.labels)

    def drawn(self, text: str) -> Style:
        """The style of a figure that shows ``text``."""
        return replace(self.style, text=text)

    # ------------------------------------------------------------------------------------------------ first lines

    def lead(self) -> list[str]:
        """What a reader must know before any number."""
        lines, poi = [], self.style.name(self.poi.name)
        for m in self.measured:
            line = f"{TITLES[m.kind]}: {poi} = {with_ends(m.interval)} at {m.interval.level:.2%} confidence level."
            if m.kind == "pseudo-experiment":
                line += (
                    f" The truth is {m.truth[self.poi.name]:g}: this is simulated, and shows the method, not nature."
                )
            lines.append(line)
        if self.table.observed is None:
            lines.insert(
                1,
                "There are no observed collisions in this measurement. The expected result is that of the Asimov data "
                "set, in which every count is at its expectation, as a blinded analysis would show it.",
            )
        elif self.wording.blind:
            lines.insert(
                1,
                "This analysis is blind: its observed events were read and checked, but neither counted, histogrammed "
                "nor fitted. All results are expected ones; set `blind: false` to look.",
            )
        lines += self.first()
        if number := len(self.warnings()):
            lines.append(f"Warnings, listed at the end: {number}. Read them before using a number.")
        return [*lines, *self.wording.report.notes]

    def first(self) -> list[str]:
        """What makes a number doubtful at sight: a bound, one bin, a model or features that the data do not follow."""
        lines = []
        for m in self.measured:
            lines += [
                f"{TITLES[m.kind]}: the fit ends at the bound of {f.name}, {bound:g}."
                for f in self.wording.factors
                for bound in f.bounds
                if abs(m.fit.params[f.name] - bound) < 1e-6 * (f.bounds[1] - f.bounds[0])
            ]
            counts = np.asarray(m.data.counts)
            if len(counts) > 1 and np.count_nonzero(counts) == 1:
                lines.append(f"{TITLES[m.kind]}: all {counts.sum():g} events lie in one of {len(counts)} bins.")
            if m.goodness and m.goodness[2] < UNLIKELY:
                lines.append(f"{TITLES[m.kind]}: the model does not describe the data, {_described(m)}.")
        for name, (simulated, seen, distance, p) in self.summarised.compared.items():
            if distance > DISTANT and p < UNLIKELY:
                lines.append(
                    f"Feature {name}: data and simulation differ, with medians {seen:.4g} and {simulated:.4g} and "
                    f"distributions {distance:.2f} apart (of at most 1). Are units and selections the same?"
                )
        return lines

    def headline(self) -> tables.Table:
        """The interval of each data set."""
        rows = tuple(
            (
                TITLES[m.kind],
                with_ends(m.interval),
                Status(int(m.interval.status)).name.lower().replace("_", " "),
                _described(m) if m.goodness else MISSING,
            )
            for m in self.measured
        )
        columns = ("Data", self.style.name(self.poi.name), "Status", "Goodness of fit")
        return tables.Table(self.wording.title, columns, rows)

    # ------------------------------------------------------------------------------------------------ sections

    def sections(self) -> Iterator[tuple[str, str, dict[Label, tuple[str, Figure]], tuple[tables.Table, ...]]]:
        """Title, text, figures with their captions by what they are called after, and tables of each section."""
        yield self.result()
        yield self.breakdown()
        yield self.events()
        yield self.distributions()
        yield self.nuisances()
        yield self.variations()
        yield self.coverage()
        yield self.networks()
        yield self.concerns()

    def result(self) -> Any:
        """The interval and the profile likelihood."""
        figures = {}
        for m in self.measured:
            curves = {"Total": m.scan, "Statistics only": m.statistical}
            truth = m.truth[self.poi.name] if m.kind == "pseudo-experiment" else None
            figure = plots.scan(curves, interval=m.interval, truth=truth, style=self.drawn(TITLES[m.kind]))
            caption = (
                f"{TITLES[m.kind]}: profile likelihood ratio t, all parameters profiled, and with all others fixed."
            )
            figures[f"scan_{m.kind}"] = (caption, figure)
        text = "The interval holds all values with t below the χ² quantile for one degree of freedom."
        return "Result", text, figures, (self.headline(),)

    def breakdown(self) -> Any:
        """Where the uncertainty comes from."""
        figures, shown = {}, []
        for m in self.measured:
            title = f"Uncertainty on {self.style.name(self.poi.name)}: {TITLES[m.kind]}"
            shown.append(tables.breakdown(*m.breakdowns, title=title))
            figure = plots.breakdown(*m.breakdowns, style=self.drawn(TITLES[m.kind]))
            figures[f"breakdown_{m.kind}"] = (f"{TITLES[m.kind]}: uncertainty by source, by both definitions.", figure)
        text = (
            "Two definitions are in use. Shifted observables: the spread of the estimate when the data, or one group's "
            "global observables, fluctuate; parts add in quadrature to the total. Freezing: what the total loses when a "
            "group is fixed at its best fit; parts need not add up."
        )
        return "Uncertainty breakdown", text, figures, tuple(shown)

    def events(self) -> Any:
        """What was read."""
        rows = tuple(
            (self.style.name(y.process), f"{y.rows}", f"{y.total:.6g}", f"{y.effective:.0f}", f"{abs(y.negative):.1%}")
            for y in self.table.yields
        )
        columns = ("Process", "Rows", "Expected events", "Effective rows", "Negative")
        note = (
            f"{self.table.rows} simulated rows read, {self.table.dropped} dropped for values that are not finite. "
            "Effective rows: (Σw)²/Σw²; negative: share of Σ|w|."
        )
        simulated = tables.Table("Simulated events", columns, rows, note)
        return "Events", "", {}, (simulated, *self.features(), *self.yields())

    def features(self) -> tuple[tables.Table, ...]:
        """Data and simulation, feature by feature, once the data may be looked at."""
        if not self.summarised.compared:
            return ()
        rows = tuple(
            (name, f"{simulated:.4g}", f"{seen:.4g}", f"{distance:.3f}", f"{p:.2g}")
            for name, (simulated, seen, distance, p) in self.summarised.compared.items()
        )
        columns = ("Feature", "Simulated median", "Observed median", "Largest distance", "p")
        note = (
            "Events of all channels, before the fit. Distance: of the cumulative distributions, at most 1; p: of Kolmogorov "
            "and Smirnov's test, which knows nothing of systematics."
        )
        return (tables.Table("Data and simulation", columns, rows, note),)

    def yields(self) -> tuple[tables.Table, ...]:
        """Expected events before and after the fits."""
        expected = {"Before the fit": self.measured[0].prefit}
        expected |= {f"{TITLES[m.kind]}, fitted": m.postfit for m in self.measured if m.kind != "expected"}
        return (
            tables.yields(
                self.style.names_of(self.likelihood.processes),
                {name: (y.by_process.sum(1), y.process_error) for name, y in expected.items()},
                {name: (float(y.by_process.sum()), y.total_error) for name, y in expected.items()},
                title="Expected events in the fitted bins",
                note="Errors before the fit are those of the priors and of the simulation; free factors count as known.",
            ),
        )

    def distributions(self) -> Any:
        """The summary in each channel, before and after each fit."""
        figures: dict[Label, tuple[str, Figure]] = {}
        templates = self.summarised.templates
        for channel in templates.channels:
            name = self.style.name(channel)
            for m in self.measured:
                if m.kind == "expected":
                    shown, stage, counts = m.prefit, "Pre-fit", None
                else:
                    shown, stage, counts = m.postfit, "Post-fit", np.asarray(m.data.counts)
                figure = plots.score_distribution(
                    templates,
                    channel,
                    expected=shown.by_process,
                    error=shown.bin_error,
                    data=counts,
                    signal=tuple(self.poi.processes),
                    stage=stage,
                    data_label=TITLES[m.kind],
                    xlabel=self.wording.axis,
                    style=self.drawn(TITLES[m.kind]),
                )
                figures["score", channel, m.kind] = (f"{name}, {stage.lower()}, with its total uncertainty.", figure)
        text = "Bins maximise the expected information on the signal, simulation statistics included."
        return "Distributions", text, figures, ()

    def nuisances(self) -> Any:
        """Pulls, impacts and correlations."""
        figures, shown = {}, []
        for m in self.measured:
            simulation = next((r.impact for r in m.breakdowns[0].rows if r.name == "simulation statistics"), None)
            style = self.drawn(TITLES[m.kind])
            figure = plots.pulls_and_impacts(m.ranking, simulation_statistics=simulation, style=style)
            figures[f"ranking_{m.kind}"] = (f"{TITLES[m.kind]}: pulls and impacts from refits.", figure)
            figure = plots.correlation(m.fit.names, m.fit.correlation, keep=(self.poi.name,), style=style)
            figures[f"correlation_{m.kind}"] = (f"{TITLES[m.kind]}: correlations of the fit.", figure)
            shown.append(tables.parameters(m.fit, title=f"Fitted parameters: {TITLES[m.kind]}"))
        return "Nuisance parameters", "", figures, tuple(shown)

    def variations(self) -> Any:
        """What each systematic does to the templates."""
        figures: dict[Label, tuple[str, Figure]] = {}
        templates = self.summarised.templates
        for k, parameter in enumerate(templates.systematics):
            moved = [
                p
                for i, p in enumerate(templates.processes)
                if not np.array_equal(templates.up[k, i], templates.nominal[i])
                or not np.array_equal(templates.down[k, i], templates.nominal[i])
            ]
            for channel in templates.channels:
                figure = plots.template_variation(
                    templates,
                    parameter.name,
                    channel,
                    processes=moved or templates.processes,
                    xlabel=self.wording.axis,
                    style=self.drawn("Simulation"),
                )
                caption = (
                    f"{parameter.name} in {self.style.name(channel)}, sum of {', '.join(self.style.names_of(moved))}."
                )
                figures["variation", parameter.name, channel] = (caption, figure)
        treated = self.summarised.treated
        rows = tuple((line,) for line in treated)
        shown = (tables.Table("Treated before the fit", ("Change",), rows),) if treated else ()
        return "Template variations", "Up and down are one prior width.", figures, shown

    def coverage(self) -> Any:
        """Does the interval hold the truth as often as it says?"""
        text = (
            "Toys fluctuate the counts and the global observables at each truth; other parameters are at nominal. "
            "An interval without its coverage, and coverage without its width, is half an answer."
        )
        figure = plots.coverage(self.checked.coverage, parameter=self.poi.name, style=self.drawn("Toys"))
        caption = "Coverage at each truth, beside the median width."
        return "Coverage", text, {"coverage": (caption, figure)}, (tables.coverage(self.checked.coverage),)

    def networks(self) -> Any:
        """Which networks were used, and what uncertainty enters because of them."""
        figures: dict[Label, tuple[str, Figure]] = {}
        if self.learning is None:
            text = (
                f"No network was trained here: the summary is a given {self.wording.kind}. As a summary of events it can "
                "cost precision, not correctness, so no uncertainty enters on its account, whatever it is."
            )
            return "Networks", text, figures, ()
        options = self.learning.options
        histories = {f"fold {i + 1}": fold for i, fold in enumerate(self.learned.histories)}
        if any(self.learned.histories):
            figure = plots.training_history(histories, style=self.drawn("Simulation"))
            caption = "Training and validation loss of every network; a dot marks the epoch kept."
            figures["training"] = (caption, figure)
        if self.checked.reliability is not None:
            figure = plots.reliability(self.checked.reliability, style=self.drawn("Simulation"))
            figures["reliability"] = ("Reliability of the score with both classes at equal weight.", figure)
        between = ", ".join(self.learned.interpolated)
        between = (
            f"In training {between} acted on each event by interpolation between θ = +1 and −1. " if between else ""
        )
        text = (
            f"{options.folds} folds of {options.members} networks ({options.depth} hidden layers of {options.width}), "
            f"{options.described}, on {self.learned.rows} events; each event is scored by the mean of networks that never "
            f"saw it. {LIVING[options.approach]} {between}These networks make a summary of events (an optimality question): "
            "whether they are well or badly trained moves the size of the uncertainty, not its correctness, because the "
            "same fixed function is applied to every template and to the data. No nuisance parameter enters on their "
            "account. No network makes the statistical model (a correctness question) in this analysis; one that did "
            "would bring its members' spread into the fit."
        )
        return "Networks", text, figures, ()

    def concerns(self) -> Any:
        """All warnings."""
        return "Warnings", "", {}, (tables.warnings({"": self.warnings()}),)

    def warnings(self) -> list[str]:
        """What a careful analyst would want to know."""
        found = [*self.first(), *self.table.notes, *self.summarised.problems]
        if self.table.dropped:
            found.append(
                f"{self.table.dropped} of {self.table.rows} simulated rows dropped for values that are not finite"
            )
        found += self.learned.warnings()
        for m in self.measured:
            for what, status in {"fit": m.fit.status, "interval": m.interval.status}.items():
                if int(status) != Status.OK:
                    found.append(f"{TITLES[m.kind]}: {what} ended with status {Status(int(status)).name}")
            found += [
                f"{TITLES[m.kind]}: {b.method}, {r.name}: {r.note}" for b in m.breakdowns for r in b.rows if r.note
            ]
        for label, c in self.checked.coverage.items():
            if c.failed:
                found.append(f"coverage at {label}: {c.failed} of {c.failed + c.n} intervals failed")
            if c.n and abs(c.pull) > 3:
                found.append(
                    f"coverage at {label}: {c.fraction:.3f} ± {c.error:.3f} is {c.pull:+.1f} errors from nominal"
                )
        return found
