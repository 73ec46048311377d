"""Approaches compared on problems with a known answer: a section of the page for each case."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import jax

from verax.approaches import APPROACHES
from verax.report import Draw, Section, Style, Table, plots
from verax.results import Coverage, Interval
from verax.run import Label, Progress, named

from ._approach_cases import Case, cases
from ._approach_figures import distributions, uncertainty
from ._approach_tables import (
    approach_warnings,
    brief_table,
    coverage_table,
    pooled,
    random_table,
    separation_table,
    uncertainty_table,
)
from ._approach_trial import ApproachEffort, Sensitivity, measure_approach
from ._comparison import Comparison, Job, Trial, rows_of, select
from ._published import PUBLISHED

EFFORTS = {
    "mixture": ApproachEffort(events=200_000, evaluation=500_000, epochs=30, rate=5e-4),
    "pivot": ApproachEffort(),
    "rotating": ApproachEffort(),
    "collider": ApproachEffort(evaluation=60_000, keep=100_000, epochs=30, experiments=500, inferno=(10_000, 3e-3)),
}
"""Work on each problem, such that its table of five seeds takes less than half an hour on two cores."""

QUICK = ApproachEffort(events=20_000, evaluation=100_000, width=32, epochs=12, patience=12, toys=300, experiments=50)
QUICK_NOTE = "A quick look: one seed, few events, of the mixtures those with published figures. Not to judge by."


@dataclass(frozen=True)
class ApproachComparison(Comparison[Sensitivity]):
    """Systematics-aware training on cases, each trained and measured with other events and other networks.

    Parameters
    ----------
    cases : what is compared on
    effort : how much work goes into each trial
    note : what a reader must know; exact limits are then few
    """

    cases: Sequence[Case]
    effort: ApproachEffort = field(default_factory=ApproachEffort)
    note: str = ""

    kind = "approach"
    title = "Systematics-aware training"
    names = APPROACHES
    types = named(Sensitivity, Coverage, Interval)
    workers = 4  # each may take 2 GB; seconds of training are then longer than one's alone

    @property
    def lead(self) -> Sequence[str]:
        return (f", {self.effort.events} events of each process.",)

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"effort": asdict(self.effort)}

    def jobs(
        self, folder: Path, names: Sequence[str], seeds: Sequence[int], progress: Progress
    ) -> list[Job[Sensitivity]]:
        def make(case: Case, name: str, seed: int) -> tuple[Trial[Sensitivity], ...]:
            return (measure_approach(jax.random.key(seed), case, name, seed, self.effort),)

        return [
            Job(f"{case.name} {name} {seed}", (self.effort,), partial(make, case, name, seed))
            for seed in seeds
            for case in self.cases
            for name in names
            # Without systematics there is nothing to augment, or to read.
            if case.problem.systematics or name in ("propagate", "inferno")
        ]

    def sections(self, trials: Sequence[Trial[Sensitivity]]) -> list[Section]:
        return [self._section(case, select(trials, case.name)) for case in self.cases]

    def _section(self, case: Case, trials: Sequence[Trial[Sensitivity]]) -> Section:
        known, style = case.limits(brief=bool(self.note)), Style(text="Simulation")
        tables = [uncertainty_table(trials, case, known), coverage_table(trials, case)]
        if any(t.result.random is not None for t in trials):
            tables.append(random_table(trials, case))
        separation = separation_table(trials, case)
        tables += [separation] if separation.rows else []
        figures: dict[Label, tuple[str, Draw]] = {
            (case.name, "uncertainty"): (
                "Expected uncertainty at each truth, around which the templates are made; points are seeds.",
                partial(uncertainty, trials, case, known, style=style),
            ),
            (case.name, "distributions"): (
                "The summary at nominal and shifted truths, each distribution normalised to one.",
                partial(distributions, trials, case, style=style),
            ),
        }
        for name in rows_of(trials):
            covers = {k: pooled(t.result.coverage[k] for t in select(trials, row=name)) for k in case.truths}
            figures[case.name, f"coverage {name}"] = (
                f"Coverage of {name} where events come from the simulation at each truth.",
                partial(plots.coverage, covers, style=Style(text=name)),
            )
        text, content = (type(case.problem).__doc__ or "").split("\n")[0], {"limits": known, "trials": trials}
        return Section(case.name, text, figures, tables, content, approach_warnings(trials, case))

    def brief(self, sections: Sequence[Section]) -> tuple[Table, ...]:
        found = []
        for uncertain, covers, *more in (section.tables for section in sections):
            found += [brief_table(uncertain, covers)]
            found += [replace(t, columns=t.columns[:7], rows=tuple(r[:7] for r in t.rows)) for t in more]
        return tuple(found)


def on_problem(name: str, *, quick: bool = False) -> ApproachComparison:
    """Make the comparison on a problem, or one of its cases, by name.

    Raises
    ------
    InputError : for an unknown problem, with the nearest name
    """
    chosen, effort = cases(name), EFFORTS[name.partition(" ")[0]]
    if not quick:
        return ApproachComparison(chosen, effort)
    published = {subject for subject, _, _ in PUBLISHED}
    few = tuple(c for c in chosen if name != "mixture" or c.name in published)
    quickly = replace(QUICK, experiments=min(QUICK.experiments, effort.experiments))
    return ApproachComparison(few, quickly, QUICK_NOTE)
