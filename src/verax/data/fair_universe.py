"""The data of the FAIR Universe HiggsML Uncertainty Challenge (arXiv:2410.02867), from a local Parquet file.

H→ττ, Z→ττ, top pairs and dibosons with a lepton and a hadronic tau, 10 fb⁻¹ at 13 TeV. The file is not shipped.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from verax.data.table import open_table
from verax.errors import check_known
from verax.events import Events, concatenate, make_events
from verax.systematics.detector import jet_energy_scale, soft_met, tau_energy_scale
from verax.systematics.effect import Systematic
from verax.systematics.kinematics import FAIR_UNIVERSE, derive_compiled
from verax.systematics.normalisation import normalisation

LAYOUT = FAIR_UNIVERSE

PROCESSES = ("htautau", "ztautau", "ttbar", "diboson")

COLUMNS = (*LAYOUT.measured, *LAYOUT.recomputed)


def load(file: str | Path) -> Events:
    """All events of a file, see :func:`chunks`; for samples that fit into memory."""
    return concatenate(list(chunks(file, rows=1 << 20)))


def chunks(file: str | Path, *, rows: int) -> Iterator[Events]:
    """The events in chunks of ``rows``, with the file's weights (expected events) and the row as event number.

    Derived columns are recomputed; columns of missing jets are −25 (``LAYOUT.missing``).

    Raises
    ------
    InputError : for a file that is missing or damaged, has other columns, or names an unknown process
    """
    start = 0
    table = open_table(file)
    for chunk in table.chunks((*COLUMNS, "weights", "detailed_labels"), rows, text=("detailed_labels",)):
        names, inverse = np.unique(chunk["detailed_labels"].astype(str), return_inverse=True)
        check_known(names.tolist(), PROCESSES, str(file), "process")
        index = np.array([PROCESSES.index(name) for name in names.tolist()], np.int32)
        events = make_events(
            {name: chunk[name] for name in COLUMNS},
            weight=chunk["weights"],
            process=index[inverse],
            number=np.arange(start, start + len(inverse)),
            processes=PROCESSES,
        )
        start += len(inverse)
        yield derive_compiled(events, LAYOUT)


def systematics() -> tuple[Systematic, ...]:
    """The challenge's six nuisance parameters with their priors, in the approximation of one Gaussian θ each.

    The challenge draws all scales from Gaussians, clipped far out; normalisations are log-normal here. Its soft term is
    σ ~ LogNormal(0, 1) GeV: here θ·1 GeV, so that |θ| stands for σ and θ = 1 is the median.
    """
    backgrounds = PROCESSES[1:]
    return (
        tau_energy_scale(LAYOUT, 0.01),
        jet_energy_scale(LAYOUT, 0.01),
        soft_met(LAYOUT, 1.0),
        normalisation("ttbar_scale", 0.02, ("ttbar",)),
        normalisation("diboson_scale", 0.25, ("diboson",)),
        normalisation("bkg_scale", 0.001, backgrounds),
    )
