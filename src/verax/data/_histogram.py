"""Histograms in ROOT files: TH1 of any type."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import uproot

from verax.arrays import Float
from verax.errors import InputError, check_known

from ._root import readable


@dataclass(frozen=True)
class Histogram:
    """A histogram of one dimension.

    Parameters
    ----------
    edges : n_bins + 1
    values, variances : Σw and Σw² of each bin; variances are the values where ``has_squares`` is false
    has_squares : the file has Σw² of its own (Sumw2)
    outside : Σw in under- and overflow
    labels : of the bins, if there are any
    """

    edges: Float[np.ndarray, " edge"]
    values: Float[np.ndarray, " bin"]
    variances: Float[np.ndarray, " bin"]
    has_squares: bool
    outside: float
    labels: tuple[str, ...] = ()


def read_histogram(path: Path, name: str) -> Histogram:
    """Read a TH1 of a ROOT file.

    Parameters
    ----------
    path : of the file
    name : of the histogram, folders before it

    Raises
    ------
    InputError : for a file that is none of ROOT's, damaged or missing, a name that it does not have (with the nearest),
        and contents or variances that are not finite
    """
    if path.suffix != ".root":
        raise InputError(str(path), f"the ending '{path.suffix}'", "a ROOT file for a histogram")
    if not path.is_file():
        raise InputError(str(path), "no such file", "a file", "check the path")
    with readable(path), uproot.open(path) as file:
        known = [n for n, kind in file.classnames(cycle=False).items() if kind.startswith("TH1")]
        check_known([name], known, str(path), "histogram")
        found = file[name]
        values, all_values = (np.asarray(found.values(flow=flow), np.float64) for flow in (False, True))
        has_squares = len(found.member("fSumw2")) > 0
        variances = np.asarray(found.variances(), np.float64) if has_squares else values
        edges, labels = np.asarray(found.axis().edges(), np.float64), tuple(found.axis().labels() or ())
    if not (np.isfinite(all_values).all() and np.isfinite(variances).all()):
        raise InputError(f"{path}, histogram '{name}'", "bins that are NaN or infinite", "finite ones")
    return Histogram(edges, values, variances, has_squares, float(all_values[0] + all_values[-1]), labels)
