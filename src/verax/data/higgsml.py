"""The HiggsML data of ATLAS (doi:10.7483/OPENDATA.ATLAS.ZBP2.M5T8, CC0): H→ττ with a lepton and a hadronic tau.

The first 22,889 of 818,238 events are shipped with this package. Simulation only: there are no collisions in it.
"""

from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import numpy as np

from verax.errors import InputError
from verax.events import Events, concatenate, make_events
from verax.systematics import (
    HIGGSML,
    Systematic,
    derive_compiled,
    jet_energy_scale,
    lepton_energy_scale,
    normalisation,
    soft_met,
    tau_energy_scale,
)

from ._joined import open_table

LAYOUT = HIGGSML
DOI = "10.7483/OPENDATA.ATLAS.ZBP2.M5T8"
LICENCE = "CC0"

PROCESSES = ("htautau", "ztautau", "ttbar", "wjets")
"""H→ττ (the signal), Z→ττ, top pairs, and all the rest: W + jets and other events with a fake tau."""

COLUMNS = (*LAYOUT.recomputed, *LAYOUT.measured, "PRI_met_sumet")
"""Columns of the events; DER_mass_MMC is left out, for it cannot be recomputed."""

YIELDS = {"s": 691.98861, "b": 410999.847}
"""Sum of weights of the full sample by label: the expected events of the 2012 run."""

CODES = {
    "htautau": (57207, 4613, 8145, 4610),
    "ztautau": (
        917703, 5127399, 4435976, 4187604, 2407146, 1307751, 944596, 936590, 1093224, 225326, 217575, 195328, 254338,
    ),
    "ttbar": (2268701,),
}  # fmt: skip
"""Simulated samples by the code int(10⁷·Weight + 0.5) of the published weight; wjets is the rest of label b."""


def path() -> Path:
    """The shipped file, a gzip-compressed CSV."""
    return Path(str(resources.files("verax.data") / "files" / "atlas_higgs2014_first22889.csv.gz"))


def load(file: str | Path | None = None) -> Events:
    """All events of the shipped sample, or of a ``file`` with the published columns.

    Weights are rescaled so that signal and background each sum to the full sample's yield. Derived columns are
    recomputed from the rounded momenta, so that a shifted sample is compared with its like (the published ones come
    from unrounded momenta, and the two-jet mass from massive jets). Columns of missing jets are −999
    (``LAYOUT.missing``).

    Raises
    ------
    InputError : for a file that is missing or damaged, has other columns, or lacks signal or background
    """
    return concatenate(list(chunks(file, rows=1 << 20)))


def chunks(file: str | Path | None = None, *, rows: int) -> Iterator[Events]:
    """The same events as :func:`load` in chunks of ``rows``; the file is read twice, first for the sums of weights."""
    return _events(file, rows, _label_sums(file))


def systematics(*, soft: float = 0.0) -> tuple[Systematic, ...]:
    """The systematics of zenodo 1887847 with their priors: energy scales of tau, jets, leptons, and W + jets ± 50 %.

    ``soft`` adds a soft missing-E_T term of that size in GeV (3 is the source's default).
    """
    known = (
        tau_energy_scale(LAYOUT, 0.03),
        jet_energy_scale(LAYOUT, 0.03),
        lepton_energy_scale(LAYOUT, 0.02),
        normalisation("wjets_norm", 0.5, ("wjets",)),
    )
    return (*known, soft_met(LAYOUT, soft)) if soft > 0 else known


def process_of(weight: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Index into :data:`PROCESSES` from the published weight and the label (``s`` or ``b``)."""
    code = np.floor(1e7 * np.asarray(weight, np.float64) + 0.5).astype(np.int64)
    process = np.full(len(code), PROCESSES.index("wjets"), np.int32)
    for name, codes in CODES.items():
        process[np.isin(code, codes)] = PROCESSES.index(name)
    wrong = (process == 0) != (np.asarray(label) == "s")
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError("HiggsML events", f"label {label[row]} with weight {weight[row]}", "the published weights")
    return process


def _label_sums(file: str | Path | None) -> dict[str, float]:
    sums = dict.fromkeys(YIELDS, 0.0)
    for chunk in open_table(file or path()).chunks(("Weight", "Label"), 1 << 20, text=("Label",)):
        for label in YIELDS:
            sums[label] += float(chunk["Weight"][chunk["Label"] == label].sum())
    for label, total in sums.items():
        if not total > 0:
            raise InputError(str(file), f"label '{label}' with sum of weights {total}", "a sum above zero")
    return sums


def _events(file: str | Path | None, rows: int, sums: dict[str, float]) -> Iterator[Events]:
    names = ("EventId", *COLUMNS, "Weight", "Label")
    table = open_table(file or path())
    for chunk in table.chunks(names, rows, text=("Label",), integer=("EventId",)):
        label, weight = chunk["Label"], chunk["Weight"]
        scale = np.where(label == "s", YIELDS["s"] / sums["s"], YIELDS["b"] / sums["b"])
        events = make_events(
            {name: chunk[name] for name in COLUMNS},
            weight=weight * scale,
            process=process_of(weight, label),
            number=chunk["EventId"],
            processes=PROCESSES,
        )
        yield derive_compiled(events, LAYOUT)
