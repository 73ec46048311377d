"""Comparisons from a name or a file to their page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from verax.analysis import load
from verax.choices import SHIFTS
from verax.data import ENDINGS
from verax.errors import InputError, check_known, check_least
from verax.report import Table
from verax.run import Progress

from ._approach_comparison import on_problem
from ._classification_comparison import on_events
from ._comparison import Comparison
from ._labelled_comparison import on_digits
from ._own_table import on_table
from ._pipeline_comparison import on_pipeline
from ._regression_comparison import QUICK, QUICK_NOTE, RegressionComparison
from ._regression_data import find_sets, read_sets


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
    made: Comparison[Any]
    made = on_pipeline(load(problem), quick=quick) if _is_file(problem) else on_problem(problem, quick=quick)
    trials: Any = made.run(folder, names, seeds=1 if quick else seeds, seed=seed, progress=progress)
    return made.write(folder, trials, progress=progress)


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
    label: str | None = None,
    weight: str | None = None,
    features: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> tuple[Table, ...]:
    """Compare methods of uncertainty; writes the page to ``folder``.

    Parameters
    ----------
    data : "uci" or a folder of UCI sets with their splits; "digits", which are shipped: several classes; an analysis
        file: its learn stage, classification; or a table (CSV, Parquet or ROOT) with a ``label``: see :func:`on_table`
    folder : keeps finished trials, so that a stopped comparison continues
    shift : what else the methods are judged on: "none", "gap", "tail", "systematic" or "corruption"
    sets : only these sets
    names : only these methods
    seeds : repetitions, with other networks
    seed : the first of them
    quick : one set, few splits, short trainings: to see how it looks, not to judge
    splits : only the first splits
    label : of a table: the column of the class, or the target
    weight : of a table: the column of the weights
    features : of a table: columns that are learnt from (default: all others)
    progress : notified of each trial

    Raises
    ------
    InputError : for data that are not there, an unknown shift, set or method (nearest name given), or no seed
    """
    check_known([shift], SHIFTS, "--shift", "shift")
    made: Comparison[Any]
    is_table = Path(data).name.lower().endswith(ENDINGS)
    if ((_is_file(data) or data == "digits") and (sets or splits)) or (is_table and sets):
        raise InputError("--set, --splits", f"data of another kind, {data}", "neither", "they are of the UCI sets")
    if not is_table and not label is weight is features is None:
        raise InputError("--label, --weight, --features", f"data of another kind, {data}", "a table", "name its file")
    if is_table:
        options: dict[str, Any] = {"weight": weight, "features": features, "splits": splits}
        made, why = on_table(data, label, shift=shift, quick=quick, **options)
        (progress or Progress()).note(why)
    elif _is_file(data):
        made = on_events(load(data), data, shift=shift, quick=quick)
    elif data == "digits":
        made = on_digits(shift=shift, quick=quick)
    else:
        if splits is not None:
            check_least(splits, 1, "--splits")
        chosen = read_sets(find_sets(data), sets or (("boston",) if quick else None))
        made = RegressionComparison(chosen, shift, splits)
        if quick:
            made = RegressionComparison(chosen, shift, splits or 5, QUICK, QUICK_NOTE)
    trials: Any = made.run(folder, names, seeds=seeds, seed=seed, progress=progress)
    return made.write(folder, trials, progress=progress)


def _is_file(name: str) -> bool:
    return name.endswith((".yaml", ".yml"))
