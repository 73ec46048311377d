"""Comparisons from a name or a file to their page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from verax.analysis import load
from verax.choices import SHIFTS
from verax.compare._approach_comparison import on_problem
from verax.compare._classification_comparison import on_events
from verax.compare._comparison import Comparison
from verax.compare._pipeline_comparison import on_pipeline
from verax.compare._regression_comparison import QUICK, QUICK_NOTE, RegressionComparison
from verax.compare._regression_data import find_sets, read_sets
from verax.errors import InputError, check_known, check_least
from verax.report import Table
from verax.run import Progress


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
    problem : its name, or an analysis file
    folder : keeps finished trials, so that a stopped comparison continues
    seeds : repetitions, with other events and networks
    seed : the first of them
    names : of the approaches (default: all)
    quick : one seed and few events: to see how it looks, not to judge
    progress : notified of each trial

    Raises
    ------
    InputError : for an unknown problem or approach (nearest name given), or no seed
    """
    made: Comparison[Any] = (
        on_problem(problem, quick=quick) if not _is_file(problem) else on_pipeline(load(problem), quick=quick)
    )
    return _compare(made, folder, names, 1 if quick else seeds, seed, progress)


def compare_methods(
    data: str,
    folder: Path,
    *,
    shift: str = "none",
    sets: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    seeds: int = 1,
    seed: int = 1,
    quick: bool = False,
    splits: int | None = None,
    progress: Progress | None = None,
) -> tuple[Table, ...]:
    """Compare methods of uncertainty; writes the page to ``folder``.

    Parameters
    ----------
    data : "uci", a folder of UCI sets with their splits, or an analysis file: its learn stage, classification
    folder : keeps finished trials, so that a stopped comparison continues
    shift : what else the methods are judged on: "none", "gap", "tail" or "systematic"
    sets : only these sets
    names : only these methods
    seeds : repetitions, with other networks
    seed : the first of them
    quick : one set, few splits, short trainings: to see how it looks, not to judge
    splits : only the first splits
    progress : notified of each trial

    Raises
    ------
    InputError : for data that are not there, an unknown shift, set or method (nearest name given), or no seed
    """
    check_known([shift], SHIFTS, "--shift", "shift")
    if _is_file(data):
        if sets or splits:
            raise InputError("--set, --splits", f"an analysis, {data}", "neither", "they are of the UCI sets")
        on = on_events(load(data), data, shift=shift, quick=quick)
        return _compare(on, folder, names, seeds, seed, progress)
    if splits is not None:
        check_least(splits, 1, "--splits")
    chosen = read_sets(find_sets(data), sets or (("boston",) if quick else None))
    made = RegressionComparison(chosen, shift, splits)
    if quick:
        made = RegressionComparison(chosen, shift, splits or 5, QUICK, QUICK_NOTE)
    return _compare(made, folder, names, seeds, seed, progress)


def _is_file(name: str) -> bool:
    return name.endswith((".yaml", ".yml"))


def _compare(
    comparison: Comparison[Any],
    folder: Path,
    names: Sequence[str] | None,
    seeds: int,
    seed: int,
    progress: Progress | None,
) -> tuple[Table, ...]:
    trials = comparison.run(folder, names, seeds=seeds, seed=seed, progress=progress)
    return comparison.write(folder, trials, progress=progress)
