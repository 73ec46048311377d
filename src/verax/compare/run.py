"""A comparison from a problem's name, or an analysis file, to its page."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from verax.compare import analysis, page
from verax.compare.approaches import QUICK, Effort, compare
from verax.compare.cases import cases
from verax.compare.published import PUBLISHED
from verax.report import Table
from verax.run import Progress

EFFORTS = {
    "mixture": Effort(events=200_000, evaluation=500_000, epochs=30, rate=5e-4),
    "pivot": Effort(),
    "rotating": Effort(),
    "collider": Effort(evaluation=60_000, keep=100_000, epochs=30, experiments=500, inferno=(10_000, 3e-3)),
}
"""Work on each problem, such that its table of five seeds takes less than half an hour on two cores."""

QUICK_NOTE = "A quick look: one seed, few events, of the mixtures those with published figures. Not to judge by."


def compare_approaches(
    problem: str,
    folder: Path,
    *,
    seeds: int = 5,
    seed: int = 1,
    names: Sequence[str] | None = None,
    quick: bool = False,
    progress: Progress | None = None,
) -> tuple[Table, ...]:
    """Compare approaches on a problem of :mod:`verax.problems`, or on an analysis file; writes the page to ``folder``.

    Parameters
    ----------
    names : of the approaches (default: all)
    quick : one seed and few events: to see how it looks, not to judge

    Raises
    ------
    InputError : for an unknown problem or approach (nearest name given)
    """
    if quick:
        seeds = 1
    if problem.endswith((".yaml", ".yml")):
        return analysis.compare(
            Path(problem), folder, seeds=seeds, seed=seed, names=names, quick=quick, progress=progress
        )
    chosen = list(cases(problem))
    effort = EFFORTS[problem.partition(" ")[0]]
    if quick:
        effort = replace(QUICK, experiments=min(QUICK.experiments, effort.experiments))
        chosen = [c for c in chosen if problem != "mixture" or c.name in PUBLISHED]
    options = {"approaches": names} if names else {}
    trials = compare(folder, chosen, seeds=seeds, seed=seed, effort=effort, progress=progress, **options)
    return page.write(folder, chosen, trials, effort, QUICK_NOTE if quick else "", progress=progress)
