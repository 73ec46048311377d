"""The report of a measurement: its sections, each with text, figures, tables and content."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from verax.analysis import Factor, Learning, Wording
from verax.errors import InputError
from verax.infer import P_ERROR, hessian_error
from verax.model import BinnedLikelihood
from verax.report import MISSING, Section, Style, decimals, number, plots, tables, with_ends
from verax.results import Status
from verax.templates import select
from verax.workspace import to_pyhf

from . import _further as further
from ._channels import channels
from ._check import Checked
from ._infer import Measured
from ._learn import Learned
from ._networks import networks
from ._results_json import results_of, templates_of
from ._simulate import Table
from ._summarise import Summarised
from ._tests import doubts, tests
from ._variables import variables

TITLES = {
    "expected": "Expected (Asimov)",
    "pseudo-experiment": "Pseudo-experiment",
    "observed": "Observed",
}

UNOBSERVED = """There are no observed collisions in this measurement. The expected result is that of the Asimov data set, \
in which every count is at its expectation, as a blinded analysis would show it."""

BLIND = """This analysis is blind: its observed events were read and checked, but neither counted, histogrammed nor fitted. \
All results are expected ones; set `blind: false` to look."""

PARTLY = """This analysis is blind: of the observed events, only those of bins that may be looked at were fitted (section \
Channels). All results are those expected at the values fitted there; set `blind: false` to look at the rest."""

BESIDE = """This analysis is blind: of the observed events, only those of channels for validation that may be looked at \
were histogrammed (section Channels), and none were fitted. All results are expected ones; set `blind: false` to look."""

UNTESTED = "Coverage was not tested: no toys were asked for (`check: {toys: 0}`, or no truths)."

DISTANT, UNLIKELY = 0.2, 1e-4
"""Distance and p-value of a feature, or p-value of a fit, from which on they stand beside the result."""


def _described(m: Measured) -> str:
    """Describe the goodness of fit in words."""
    assert m.goodness is not None
    statistic, ndf, p, error = m.goodness
    few = f", ± {error:.2f} for few events" if error > P_ERROR else ""
    return f"p = {p:.2g} (χ² = {statistic:.1f} for {ndf}{few})" if ndf > 0 else "no degrees of freedom"


def _few_events(m: Measured) -> list[str]:
    """Say that an asymptotic p-value rests on too few events."""
    if m.goodness is None or m.goodness[1] <= 0 or not m.goodness[3] > P_ERROR:
        return []
    off = f"the asymptotic p-value of the fit may be wrong by about {m.goodness[3]:.2f}"
    return [f"few events are expected in the bins: {off}; verax gof workspace.json --toys N throws pseudo-experiments"]


@dataclass(frozen=True)
class Story:
    """The report of one measurement, from the results of its stages."""

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
    def final(self) -> Measured:
        """The result for the observed data, or for the expected ones while there are none."""
        return self.measured[-1] if self.measured[-1].kind == "observed" else self.measured[0]

    @property
    def style(self) -> Style:
        """The style of figures."""
        report = self.wording.report
        return Style(report.experiment or "verax", "", report.luminosity, self.wording.labels)

    @property
    def titled(self) -> list[tuple[Measured, str, Style]]:
        """The results for each data set, with its title and the style of its figures."""
        return [(m, TITLES[m.kind], self.styled(TITLES[m.kind])) for m in self.measured]

    def styled(self, text: str) -> Style:
        """Style a figure, with ``text`` beside the experiment."""
        return replace(self.style, text=text)

    # ------------------------------------------------------------------------------------------------ first lines

    def lead(self) -> list[str]:
        """Write the first lines: the result, and what a reader must know before any number."""
        lines, poi = [], self.style.name(self.poi.name)
        for m, title, _ in self.titled:
            lines.append(f"{title}: {poi} = {with_ends(m.interval)} at {m.interval.level:.2%} confidence level.")
            if m.kind == "pseudo-experiment":
                lines[-1] += f" The truth is {m.truth[self.poi.name]:g}: the data are simulated, to show the method."
        if self.table.observed is None or self.wording.blind:
            hidden = PARTLY if self.measured[0].control else BESIDE if self.measured[-1].everywhere else BLIND
            lines.insert(1, UNOBSERVED if self.table.observed is None else hidden)
        lines += self.first()
        if number := len(self.warnings()):
            lines.append(f"Warnings, listed at the end: {number}. Read them before using a number.")
        return [*lines, *self.wording.report.notes]

    def first(self) -> list[str]:
        """List what makes a result doubtful: a bound, one bin, a model or features that do not describe the data."""
        lines = []
        for m, title, _ in self.titled:
            lines += [
                f"{title}: the fit ends at the bound of {f.name}, {bound:g}. {self._at_bound(m, f.name)}"
                for f in self.wording.factors
                for bound in f.bounds
                if abs(m.fit.params[f.name] - bound) < 1e-6 * (f.bounds[1] - f.bounds[0])
            ]
            counts = np.asarray(m.data.counts)
            if len(counts) > 1 and np.count_nonzero(counts) == 1:
                lines.append(f"{title}: all {counts.sum():g} events lie in one of {len(counts)} bins.")
            if m.goodness and m.goodness[2] < UNLIKELY:
                lines.append(f"{title}: the model does not describe the data, {_described(m)}.")
        for name, (simulated, observed, distance, p) in self.summarised.compared.items():
            if distance > DISTANT and p < UNLIKELY:
                lines.append(
                    f"Feature {name}: data and simulation differ, with medians {observed:.4g} and {simulated:.4g} and "
                    f"distributions {distance:.2f} apart (of at most 1). Are units and selections the same?"
                )
        return lines

    def _at_bound(self, m: Measured, name: str) -> str:
        """Say what is known of an estimate that has no σ."""
        sigma = hessian_error(self.likelihood, m.data, m.fit)[m.fit.names.index(name)]
        shown = f"its errors are one-sided, {with_ends(m.interval)}; " if name == m.interval.name else ""
        return f"It has no σ: {shown}the Hessian's there is {number(sigma, decimals(sigma))}."

    def headline(self) -> tables.Table:
        """Tabulate the interval of each data set."""
        words = [Status(int(m.interval.status)).name.lower().replace("_", " ") for m in self.measured]
        rows = tuple(
            (title, with_ends(m.interval), word, _described(m) if m.goodness else MISSING)
            for (m, title, _), word in zip(self.titled, words, strict=True)
        )
        columns = ("Data", self.style.name(self.poi.name), "Status", "Goodness of fit")
        return tables.Table(self.wording.title, columns, rows)

    # ------------------------------------------------------------------------------------------------ sections

    def sections(self) -> Iterator[Section]:
        """Present all results; together, the contents are those of ``results.json``."""
        yield self.result()
        if tested := tests({title: m for m, title, _ in self.titled}, self.style.name(self.poi.name)):
            yield tested
        yield self.breakdown()
        if asked := further.present({t: (m.kind, m.further) for m, t, _ in self.titled}, self.style):
            yield asked
        yield self.events()
        yield self.distributions()
        if beside := channels(self.wording, self.summarised.templates, self.measured, self.styled(TITLES["observed"])):
            yield beside
        if shown := variables(self.wording, self.summarised.displayed, self.titled):
            yield shown
        yield self.nuisances()
        yield self.variations()
        yield self.coverage()
        yield networks(self.wording, self.learning, self.learned, self.checked, self.styled("Simulation"))
        found = self.warnings()
        yield Section("Warnings", "" if found else "None.", content={"warnings": found}, warnings=found)

    @cached_property
    def exported(self) -> tuple[dict[str, Any] | None, str]:
        """The workspace of the final data set, or why there is none."""
        try:
            return to_pyhf(self.likelihood, self.final.data, poi=self.poi.name, name=self.wording.name), ""
        except InputError as error:
            return None, f"no workspace.json: {error}"

    def _of_rates(self) -> list[str]:
        """Say what rates by expressions mean: no workspace, and where they leave less than nothing."""
        model, poi = self.likelihood, self.poi.name
        if not model.functions:
            return []
        found = list[str]()
        for m, title, _ in self.titled:
            bad = [v for v in m.scan.values if (model.expected({**m.fit.params, poi: float(v)}) < 0).any()]
            if bad:
                found.append(f"{title}: bins expect less than nothing where {poi} is {bad[0]:.4g} to {bad[-1]:.4g}")
        return found

    def result(self) -> Section:
        """Present the interval and the profile likelihood."""
        figures = {}
        for m, title, style in self.titled:
            curves = {"Total": m.scan, "Statistics only": m.statistical}
            truth = m.truth[self.poi.name] if m.kind == "pseudo-experiment" else None
            draw = partial(plots.scan, curves, interval=m.interval, truth=truth, style=style)
            caption = f"{title}: profile likelihood ratio t, all parameters profiled, and with all others fixed."
            figures[f"scan_{m.kind}"] = (caption, draw)
        text = "The interval holds all values with t below the χ² quantile for one degree of freedom."
        content = {"results": {m.kind: results_of(m) for m in self.measured}}
        return Section("Result", text, figures, (self.headline(),), content)

    def breakdown(self) -> Section:
        """Present the uncertainty by source."""
        figures, shown = {}, []
        for m, title, style in self.titled:
            shown.append(tables.breakdown(*m.breakdowns, title=f"Uncertainty on {style.name(self.poi.name)}: {title}"))
            draw = partial(plots.breakdown, *m.breakdowns, style=style)
            figures[f"breakdown_{m.kind}"] = (f"{title}: uncertainty by source, by both definitions.", draw)
        text = (
            "Two definitions are in use. Shifted observables: the spread of the estimate when the data, or one group's "
            "global observables, fluctuate; parts add in quadrature to the total. Freezing: what the total loses when a "
            "group is fixed at its best fit; parts need not add up."
        )
        return Section("Uncertainty breakdown", text, figures, shown)

    def events(self) -> Section:
        """Present the events that were read, and those that are expected."""
        rows = tuple(
            (self.style.name(y.process), f"{y.rows}", f"{y.total:.6g}", f"{y.effective:.0f}", f"{abs(y.negative):.1%}")
            for y in self.table.yields
        )
        columns = ("Process", "Rows", "Expected events", "Effective rows", "Negative")
        note = (
            f"{self.table.rows} simulated rows read, {self.table.dropped} dropped for values that are not finite. "
            "Effective rows: (Σw)²/Σw²; negative: share of Σ|w|."
        )
        shown = [tables.Table("Simulated events", columns, rows, note), *self.scales()] if rows else []
        if compared := self.summarised.compared:  # once the data may be looked at
            rows = tuple(
                (name, f"{simulated:.4g}", f"{observed:.4g}", f"{distance:.3f}", f"{p:.2g}")
                for name, (simulated, observed, distance, p) in compared.items()
            )
            columns = ("Feature", "Simulated median", "Observed median", "Largest distance", "p")
            note = (
                "Events of all channels, before the fit. Distance: of the cumulative distributions, at most 1; p: of "
                "Kolmogorov and Smirnov's test, without systematic uncertainties."
            )
            shown.append(tables.Table("Data and simulation", columns, rows, note))
        content = {k: v for k, v in vars(self.table).items() if k not in ("contents", "stored")}
        if self.wording.blind:
            content["observed"] = None
        return Section("Events", tables=(*shown, self.yields()), content={"events": content})

    def scales(self) -> list[tables.Table]:
        """Tabulate what multiplies the weights of samples that are scaled to a yield."""
        if not (scales := self.table.scales):
            return []
        rows = []
        for s in scales:
            made = (s.lumi, s.cross_section, s.k_factor, s.filter_efficiency)
            parts = [MISSING] * 4 if s.cross_section is None else [f"{value:.6g}" for value in made]
            name = self.style.name(s.process) + (" (varied)" if s.varied else "")
            last = (f"{s.events:.6g}", f"{s.sum_of_weights:.6g}", f"{s.factor:.6g}")
            rows.append((name, ", ".join(s.files), *parts, *last))
        columns = ("Process", "Files", "L (fb⁻¹)", "σ (pb)", "k", "Filter", "Events", "Σw", "Factor")
        note = (
            "Weights are multiplied by the factor, events / Σw: with a cross-section, L·σ·k·filter over Σw of all "
            "simulated events; else the total that is given over Σw of the selected ones."
        )
        return [tables.Table("Scale of the samples", columns, tuple(rows), note)]

    def yields(self) -> tables.Table:
        """Tabulate the expected events before and after the fits."""
        expected = {"Before the fit": self.measured[0].prefit}
        expected |= {f"{TITLES[m.kind]}, fitted": m.postfit for m in self.measured if m.kind != "expected"}
        return tables.yields(
            self.style.names_of(self.likelihood.processes),
            {name: (y.by_process.sum(1), y.process_error) for name, y in expected.items()},
            {name: (float(y.by_process.sum()), y.total_error) for name, y in expected.items()},
            title="Expected events in the fitted bins",
            note="Errors before the fit are those of the priors and of the simulation; free factors count as known.",
        )

    def distributions(self) -> Section:
        """Present the summary in each channel, before and after each fit."""
        figures, templates = {}, select(self.summarised.templates, self.likelihood.channels)
        for channel in templates.channels:
            for m, title, style in self.titled:
                fitted = m.kind != "expected"
                shown, stage = (m.postfit, "Post-fit") if fitted else (m.prefit, "Pre-fit")
                draw = partial(
                    plots.score_distribution,
                    templates,
                    channel,
                    expected=shown.by_process,
                    error=shown.bin_error,
                    data=np.asarray(m.data.counts) if fitted else None,
                    signal=self.wording.signal,
                    stage=stage,
                    data_label=title,
                    xlabel=self.wording.axis,
                    style=style,
                )
                caption = f"{style.name(channel)}, {stage.lower()}, with its total uncertainty."
                figures["score", channel, m.kind] = (caption, draw)
        text = "Bins maximise the expected information on the signal, simulation statistics included."
        text = "Bins are those of the histograms in files." if self.wording.kind == "histogram" else text
        return Section("Distributions", text, figures, content={"templates": templates_of(self.summarised.templates)})

    def nuisances(self) -> Section:
        """Present pulls, impacts and correlations."""
        figures, shown, fixed = {}, [], {p.name for p in self.likelihood.parameters if p.fixed}
        for m, title, style in self.titled:
            simulation = next((r.impact for r in m.breakdowns[0].rows if r.name == "simulation statistics"), None)
            draw = partial(plots.pulls_and_impacts, m.ranking, simulation_statistics=simulation, style=style)
            figures[f"ranking_{m.kind}"] = (f"{title}: pulls and impacts from refits. {tables.PULL}", draw)
            draw = partial(plots.correlation, m.fit.names, m.fit.correlation, keep=(self.poi.name,), style=style)
            figures[f"correlation_{m.kind}"] = (f"{title}: correlations of the fit.", draw)
            pulls = dict(zip(m.ranking.names, zip(m.ranking.pull, m.ranking.pull_error, strict=True), strict=True))
            shown.append(tables.parameters(m.fit, pulls, title=f"Fitted parameters: {title}", fixed=fixed))
        return Section("Nuisance parameters", "", figures, shown)

    def variations(self) -> Section:
        """Present what each systematic does to the templates."""
        figures, templates = {}, self.summarised.templates
        differs = ((templates.up != templates.nominal) | (templates.down != templates.nominal)).any(axis=-1)
        for k, parameter in enumerate(templates.systematics):
            moved = [p for p, differ in zip(templates.processes, differs[k], strict=True) if differ]
            moved = moved or list(templates.processes)
            for channel in templates.channels:
                draw = partial(
                    plots.template_variation,
                    templates,
                    parameter.name,
                    channel,
                    processes=moved,
                    xlabel=self.wording.axis,
                    style=self.styled("Simulation"),
                )
                names = ", ".join(self.style.names_of(moved))
                caption = f"{parameter.name} in {self.style.name(channel)}, sum of {names}."
                figures["variation", parameter.name, channel] = (caption, draw)
        rows = tuple((line,) for line in self.summarised.treated)
        shown = (tables.Table("Treated before the fit", ("Change",), rows),) if rows else ()
        text, content = "Up and down are one prior width.", {"treated": self.summarised.treated}
        return Section("Template variations", text, figures, shown, content)

    def coverage(self) -> Section:
        """Present how often the interval holds the truth."""
        found = self.checked.coverage
        if not found:
            return Section("Coverage", UNTESTED, content={"coverage": found})
        text = (
            "Toys fluctuate the counts and the global observables at each truth; other parameters are at nominal. "
            "Coverage and the width of the interval are judged together."
        )
        draw = partial(plots.coverage, found, parameter=self.poi.name, style=self.styled("Toys"))
        figures = {"coverage": ("Coverage at each truth, beside the median width.", draw)}
        return Section("Coverage", text, figures, (tables.coverage(found),), {"coverage": found})

    def warnings(self) -> list[str]:
        """List what may invalidate a number: failed fits and intervals, coverage away from nominal, notes of the stages."""
        found = [*self.first(), *self.table.notes, *self.summarised.problems]
        if self.table.dropped:
            dropped = f"{self.table.dropped} of {self.table.rows} simulated rows dropped"
            found.append(f"{dropped} for values that are not finite")
        found += self.learned.warnings()
        for m, title, _ in self.titled:
            for what, status in {"fit": m.fit.status, "interval": m.interval.status}.items():
                if int(status) != Status.OK:
                    found.append(f"{title}: {what} ended with status {Status(int(status)).name}")
            found += [f"{title}: {line}" for line in (*_few_events(m), *doubts(m), *further.doubts(m.further))]
            found += [f"{title}: {b.method}, {r.name}: {r.note}" for b in m.breakdowns for r in b.rows if r.note]
        found += [self.exported[1]] if self.exported[1] else []
        found += self._of_rates()
        if not self.checked.coverage:
            found.append("coverage was not tested")
        for label, c in self.checked.coverage.items():
            if c.failed:
                found.append(f"coverage at {label}: {c.failed} of {c.failed + c.n} intervals failed")
            if c.n and abs(c.pull) > 3:
                found.append(
                    f"coverage at {label}: {c.fraction:.3f} ± {c.error:.3f} is {c.pull:+.1f} errors from nominal"
                )
        return found
