"""A table of one's own, whose label says what is compared on it: methods of classification, or of regression.

A label of text, of truth values, or of at most :data:`MOST` distinct whole numbers has classes; another is a target.
"""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from verax.analysis import Ensemble
from verax.data import open_table
from verax.errors import InputError, check_count, check_known
from verax.events import make_events
from verax.results import FloatArray

from ._labelled_comparison import FEW, QUICK, QUICK_NOTE, SMALL, LabelledComparison
from ._regression_comparison import QUICK as SHORT
from ._regression_comparison import QUICK_NOTE as SHORT_NOTE
from ._regression_comparison import RegressionComparison
from ._regression_data import Data
from ._regression_training import RegressionEffort

MOST = 30
"""Distinct whole numbers that are taken for classes."""

LEAST = 50
"""Events of a class, so that each part has some of them, and rows of a regression."""

SPLITS, ROWS = 5, 10_000
"""Random splits of a regression, a tenth of the rows to judge on, and the most rows that it takes."""


def on_table(
    file: str,
    label: str | None,
    *,
    weight: str | None = None,
    features: Sequence[str] | None = None,
    shift: str = "none",
    splits: int | None = None,
    quick: bool = False,
) -> tuple[LabelledComparison | RegressionComparison, str]:
    """Make the comparison on a table in a file, and say what its label was taken for, and why.

    Parameters
    ----------
    file : CSV, Parquet or ROOT
    label : column of the class or the target
    weight : column of the weights; classes are then scaled to equal sums
    features : columns that are learnt from (default: all others)
    shift : classes: "none" or "systematic"; a target: also "gap" and "tail"
    splits : of a regression (default: 5)
    quick : short trainings

    Raises
    ------
    InputError : for a file or column that is not there, values that are not finite, one class, few events of a class,
        weights of a class without a positive sum, weights of a regression, a shift that is not for the table
    """
    names, x, y, w = _read(file, label, weight, features)
    classes, why = _classes(y, f"{file}, column '{label}'")
    if classes is None:
        if w is not None:
            raise InputError(
                "--weight", f"'{weight}' for a target of regression", "none", "methods there take no weights"
            )
        return _regression(file, x, np.asarray(y, np.float64), why, shift=shift, splits=splits, quick=quick), why
    if splits is not None:
        raise InputError("--splits", f"{splits} for a label with classes", "none", "seeds cut the events anew: --seeds")
    if shift not in ("none", "systematic"):
        raise InputError("--shift", f"'{shift}'", "none or systematic for a table with classes")
    known, process = classes
    if w is not None:
        for k, name in enumerate(known):
            if not (total := float(w[process == k].sum())) > 0:
                raise InputError(
                    f"{file}, column '{weight}'", f"a sum of {total:g} over class '{name}'", "a positive sum"
                )
    events = make_events(dict(zip(names, x.T, strict=True)), weight=w, process=process, processes=known)
    learn = SMALL if len(events) < FEW else Ensemble()
    if quick:
        learn = learn.model_copy(update=QUICK)
    note = QUICK_NOTE if quick else ""
    return LabelledComparison(Path(file).name, events, shift, w is not None, learn=learn, told=why, note=note), why


def _read(
    file: str, label: str | None, weight: str | None, features: Sequence[str] | None
) -> tuple[tuple[str, ...], FloatArray, np.ndarray, FloatArray | None]:
    """Names and values of the features, the label's values (numbers where all are), and the weights, all finite."""
    table = open_table(file)
    if label is None:
        shown = ", ".join(table.columns[:20]) + (", …" if len(table.columns) > 20 else "")
        raise InputError("--label", "none", "the column of the class or target", f"columns: {shown}")
    used = (label,) if weight is None else (label, weight)
    check_known(used, table.columns, file, "column")
    names = tuple(n for n in table.columns if n not in used) if features is None else tuple(features)
    if twice := [n for n in dict.fromkeys((*names, *used)) if (*names, *used).count(n) > 1]:
        raise InputError("--features, --label, --weight", f"column '{twice[0]}' twice", "each column once")
    if not names:
        raise InputError(file, "no features", "a column beside label and weight")
    columns = (*names, *used)
    try:
        parts = list(table.chunks(columns, 1 << 18, text=(label,)))
    except InputError as error:
        if "conver" in error.got or "no numbers" in error.got:
            raise InputError(
                error.where, error.got, "numbers in all features", "choose columns by --features"
            ) from error
        raise
    whole = {name: np.concatenate([part[name] for part in parts]) for name in columns}
    y = _plain(whole[label])
    for name in columns:
        values = y if name == label else whole[name]
        wrong = values == "" if values.dtype.kind in "OU" else ~np.isfinite(values)
        if count := int(np.sum(wrong)):
            seen = f"{count} of {len(values)} rows without a finite value"
            raise InputError(
                f"{file}, column '{name}'", seen, "a value in each row", "leave out those rows, or the column"
            )
    x = np.stack([np.asarray(whole[n], np.float64) for n in names], axis=1)
    return names, x, y, None if weight is None else np.asarray(whole[weight], np.float64)


def _plain(values: np.ndarray) -> np.ndarray:
    """Values of a label as numbers where all are, else as text."""
    if values.dtype.kind in "biuf":
        return values
    text = np.array(["" if v is None else str(v).strip() for v in values])
    try:
        return text.astype(np.float64)
    except ValueError:
        return text


def _classes(y: np.ndarray, where: str) -> tuple[tuple[tuple[str, ...], np.ndarray] | None, str]:
    """The classes and the number of each event's, or None for a target; and why.

    Raises
    ------
    InputError : for one class, or few events of one
    """
    known, number = np.unique(y, return_inverse=True)
    text = y.dtype.kind == "U"
    whole = text or y.dtype.kind == "b" or bool(np.all(y == np.floor(y)))
    if not text and (not whole or len(known) > MOST):
        reason = f"more than {MOST}" if whole else "not whole numbers"
        return None, f"{where}: {len(known)} distinct values, {reason}; taken as the target of a regression."
    names = tuple(str(v) if text else f"{v:g}" for v in known)
    if len(names) == 1:
        raise InputError(where, f"one class, '{names[0]}'", "two or more")
    counts = Counter(number.tolist())
    few = min(range(len(names)), key=counts.__getitem__)
    if counts[few] < LEAST:
        action = "leave it out, or merge it with another"
        more = f"; of {sum(n < LEAST for n in counts.values())} classes too few" if len(names) > MOST else ""
        raise InputError(
            where, f"{counts[few]} events of class '{names[few]}'{more}", f"at least {LEAST} of each", action
        )
    kind = "texts" if text else "whole numbers"
    signal = f" ('{names[1]}' is the signal)" if len(names) == 2 else ""
    return (names, number), f"{where}: {len(names)} distinct {kind}; taken as classes{signal}."


def _regression(
    file: str, x: FloatArray, y: FloatArray, why: str, *, shift: str, splits: int | None, quick: bool
) -> RegressionComparison:
    """The comparison on random splits of the rows."""
    if len(y) < LEAST:
        raise InputError(file, f"{len(y)} rows", f"at least {LEAST}")
    rng, many = np.random.default_rng(1), SPLITS if splits is None else splits
    check_count(many, 1, "--splits")
    chosen = np.sort(rng.permutation(len(y))[:ROWS])
    taken = f" {ROWS} of {len(y)} rows, at random." if len(y) > ROWS else ""
    rows = np.stack([rng.permutation(len(chosen)) for _ in range(many)])
    cut = math.ceil(0.9 * len(chosen))
    data = Data(Path(file).name, x[chosen], y[chosen], rows[:, :cut], rows[:, cut:], "random")
    effort = SHORT if quick else RegressionEffort()
    return RegressionComparison([data], shift, splits, effort, SHORT_NOTE if quick else "", why + taken)
