"""A comparison of methods from a folder of data sets to its page."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from verax.compare.methods import analysis as of_analysis
from verax.compare.methods import analysis_page, page
from verax.compare.methods.data import SHIFTS, find, read
from verax.compare.methods.train import Effort
from verax.compare.methods.trials import compare
from verax.errors import InputError, check_known
from verax.report import Table
from verax.run import Progress

QUICK = Effort(epochs=100, patience=15, variational=200, dropout=400, passes=1000, largest=300, chain=100)
QUICK_SETS = ("boston",)
QUICK_SPLITS = 5
QUICK_NOTE = "A quick look: few splits of one set and short trainings. Not to judge by."


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
    shift : what else the methods are judged on: "none", "gap", "tail" or "systematic"
    sets, names, splits : only these sets, these methods, the first splits
    quick : one set, few splits, short trainings: to see how it looks, not to judge

    Raises
    ------
    InputError : for data that are not there, or an unknown shift, set or method (nearest name given)
    """
    check_known([shift], SHIFTS, "--shift", "shift")
    if data.endswith((".yaml", ".yml")):
        if sets or splits:
            raise InputError("--set, --splits", f"an analysis, {data}", "neither", "they are of the UCI sets")
        analysis, found = of_analysis.compare(
            Path(data),
            folder,
            shift_by=shift,
            methods=names,
            seeds=seeds,
            seed=seed,
            quick=quick,
            progress=progress,
        )
        settings = {"shift": shift, "quick": quick, "seed": seed, "learn": analysis.learn.model_dump(mode="json")}
        note = "A quick look: few events, short trainings. Not to judge by." if quick else ""
        return analysis_page.write(folder, analysis, found, settings, note, progress)
    if splits is not None and splits < 1:
        raise InputError("--splits", str(splits), "at least 1")
    if quick:
        sets, splits, names = sets or QUICK_SETS, splits or QUICK_SPLITS, names
    effort = QUICK if quick else Effort()
    tables = read(find(data), sets)
    trials = compare(
        folder,
        tables,
        shift=shift,
        methods=names,
        seeds=seeds,
        seed=seed,
        effort=effort,
        splits=splits,
        progress=progress,
    )
    settings = {"effort": asdict(effort), "shift": shift, "splits": splits, "quick": quick, "seed": seed}
    return page.write(folder, tables, trials, shift, settings, QUICK_NOTE if quick else "", progress)
