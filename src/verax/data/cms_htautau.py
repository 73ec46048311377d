"""CMS open data of 2012, H→ττ with a muon and a hadronic tau, from local files in reduced NanoAOD format.

The selection of the published outreach analysis (S. Wunsch, doi:10.7483/OPENDATA.CMS.GV20.PR5T): a trigger, an isolated pair
of the hardest muon and, for it, the best isolated tau. Each file is a process; weights of simulation are cross section ×
luminosity / rows of the file. Files are not shipped.

>>> "m_vis" in COLUMNS
True
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot

from verax.errors import InputError, check_known
from verax.events import Events, concatenate, make_events

from ._joined import open_table

LUMINOSITY = 11_467.0
"""Of both parts of the data, in pb⁻¹."""

CROSS_SECTIONS = {
    "GluGluToHToTauTau": 19.6,
    "VBF_HToTauTau": 1.55,
    "DYJetsToLL": 3503.7,
    "TTbar": 225.2,
    "W1JetsToLNu": 6381.2,
    "W2JetsToLNu": 2039.8,
    "W3JetsToLNu": 612.5,
}
"""Of simulated processes, in pb."""

DATA = ("Run2012B_TauPlusX", "Run2012C_TauPlusX")
PROCESSES = (*CROSS_SECTIONS, "data")
SIGNAL = ("GluGluToHToTauTau", "VBF_HToTauTau")

TRIGGER = "HLT_IsoMu17_eta2p1_LooseIsoPFTau20"
MUON = ("pt", "eta", "phi", "mass", "charge", "pfRelIso03_all", "tightId")
TAU = (
    "pt",
    "eta",
    "phi",
    "mass",
    "charge",
    "relIso_all",
    "idDecayMode",
    "idIsoTight",
    "idAntiEleTight",
    "idAntiMuTight",
)
JET = ("pt", "eta", "phi", "mass", "puId")
BRANCHES = (
    *(TRIGGER, "MET_pt", "MET_phi", "PV_npvs"),
    *(f"{kind}_{v}" for kind, names in (("Muon", MUON), ("Tau", TAU), ("Jet", JET)) for v in names),
)

MISSING = -999.0
"""Value of what needs more jets than there are."""

COLUMNS = (
    *("pt_1", "eta_1", "phi_1", "iso_1", "q_1", "mt_1", "pt_2", "eta_2", "phi_2", "iso_2", "q_2", "mt_2"),
    *("met", "met_phi", "m_vis", "pt_vis", "npv", "njets", "jpt_1", "jeta_1", "jpt_2", "jeta_2", "mjj"),
)
"""Muon (1), tau (2), missing E_T, both visible ones together, and jets in order of p_T as stored, in GeV and rad."""


def load(files: Mapping[str, str | Path]) -> Events:
    """All selected events of some files, see :func:`chunks`."""
    return concatenate(list(chunks(files, rows=1 << 18)))


def chunks(files: Mapping[str, str | Path], *, rows: int) -> Iterator[Events]:
    """Read selected events, file by file, of ``rows`` stored events at a time.

    Event numbers count stored events through all files in the order given. Same-sign pairs are kept (``q_1 * q_2``): the
    outreach analysis estimates QCD multijets from those in data.

    Parameters
    ----------
    files : name of the published file, such as "TTbar" → path; :data:`DATA` are collisions, of weight one
    rows : stored events that are read at once

    Raises
    ------
    InputError : for an unknown name, a file that is missing or damaged, lacks a branch, or has no events
    """
    known = (*CROSS_SECTIONS, *DATA)
    check_known(files, known, "CMS open data", "file")
    start = 0
    for name, path in files.items():
        table = open_table(path, tree="Events")
        check_known(BRANCHES, table.columns, str(path), "branch")
        stored = table.length()
        if not stored:
            raise InputError(str(path), "no events", "some")
        weight = CROSS_SECTIONS[name] * LUMINOSITY / stored if name in CROSS_SECTIONS else 1.0
        process = PROCESSES.index(name if name in CROSS_SECTIONS else "data")
        for read, columns in _batches(Path(path), rows):
            n = len(read)
            yield make_events(
                columns,
                weight=np.full(n, weight),
                process=np.full(n, process, np.int32),
                number=start + read,
                processes=PROCESSES,
            )
        start += stored


def _batches(path: Path, rows: int) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
    """Numbers of the selected events within a file, and their columns."""
    first = 0
    try:
        with uproot.open(path) as file:
            for batch in file["Events"].iterate(list(BRANCHES), step_size=rows, library="ak"):
                chosen, columns = select(batch)
                yield first + chosen, columns
                first += len(batch)
    except (OSError, ValueError, KeyError, EOFError) as error:
        message = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(str(path), message, "a complete NanoAOD file", "was it copied to the end?") from error


def select(batch: Any) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Select pairs among stored events.

    Parameters
    ----------
    batch : record array of :data:`BRANCHES`

    Returns
    -------
    Positions of the selected events, and their :data:`COLUMNS`
    """
    muon, tau = _objects(batch, "Muon", MUON), _objects(batch, "Tau", TAU)
    muon = muon[(abs(muon.eta) < 2.1) & (muon.pt > 17) & (muon.tightId != 0)]
    good = (tau.charge != 0) & (abs(tau.eta) < 2.3) & (tau.pt > 20)
    for name in ("idDecayMode", "idIsoTight", "idAntiEleTight", "idAntiMuTight"):
        good = good & (tau[name] != 0)
    tau = tau[good]
    muon = ak.with_field(muon, ak.local_index(muon.pt), "place")
    pair = ak.cartesian({"muon": muon, "tau": tau})
    apart = np.hypot(pair.muon.eta - pair.tau.eta, _turn(pair.muon.phi - pair.tau.phi)) > 0.5
    pair = pair[apart & (batch[TRIGGER] != 0)]
    position = np.flatnonzero(ak.to_numpy(ak.num(pair) > 0))
    pair = pair[position]
    hardest = pair.muon.place[ak.argmax(pair.muon.pt, axis=1, keepdims=True)]
    pair = pair[pair.muon.place == ak.flatten(hardest)]
    pair = ak.flatten(pair[ak.argmin(pair.tau.relIso_all, axis=1, keepdims=True)])
    one, two = _momentum(pair.muon), _momentum(pair.tau)
    met, met_phi = (_flat(batch[f"MET_{v}"][position]) for v in ("pt", "phi"))
    columns: dict[str, np.ndarray] = {}
    for i, (particle, isolation) in enumerate(((pair.muon, "pfRelIso03_all"), (pair.tau, "relIso_all")), 1):
        pt, phi = _flat(particle.pt), _flat(particle.phi)
        mt = np.sqrt(np.maximum(2 * pt * met * (1 - np.cos(phi - met_phi)), 0))
        own = {"pt": pt, "eta": _flat(particle.eta), "phi": phi, "iso": _flat(particle[isolation])}
        columns |= {f"{k}_{i}": v for k, v in {**own, "q": _flat(particle.charge), "mt": mt}.items()}
    jets = _objects(batch, "Jet", JET)[position]
    jets = jets[(jets.puId != 0) & (abs(jets.eta) < 4.7) & (jets.pt > 30)]
    padded = ak.pad_none(jets, 2, clip=True)
    both = np.asarray(ak.to_numpy(ak.num(jets) >= 2))
    leading, second = ({v: _flat(ak.fill_none(padded[v][:, i], MISSING)) for v in JET[:4]} for i in (0, 1))
    mjj = np.where(both, _mass(_momentum(leading) + _momentum(second)), MISSING)
    whole = one + two
    rest = {
        **{"met": met, "met_phi": met_phi, "m_vis": _mass(whole), "pt_vis": np.hypot(whole[0], whole[1])},
        **{"npv": _flat(batch["PV_npvs"][position]), "njets": _flat(ak.num(jets))},
        **{
            "jpt_1": leading["pt"],
            "jeta_1": leading["eta"],
            "jpt_2": second["pt"],
            "jeta_2": second["eta"],
            "mjj": mjj,
        },
    }
    return position, {name: (columns | rest)[name] for name in COLUMNS}


def _objects(batch: Any, kind: str, names: tuple[str, ...]) -> Any:
    return ak.zip({v: batch[f"{kind}_{v}"] for v in names})


def _flat(values: Any) -> np.ndarray:
    return np.asarray(ak.to_numpy(values), np.float64)


def _turn(phi: Any) -> Any:
    """An angle within ±π."""
    return (phi + np.pi) % (2 * np.pi) - np.pi


def _momentum(particle: Any) -> np.ndarray:
    """Four-momenta (x, y, z, E) of particles with pt, eta, phi and mass."""
    pt, eta, phi, mass = (_flat(particle[v]) for v in ("pt", "eta", "phi", "mass"))
    with np.errstate(over="ignore"):  # of a missing jet, which is not used
        p = np.stack([pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(np.clip(eta, -10, 10))])
    return np.stack([*p, np.sqrt((p**2).sum(axis=0) + mass**2)])


def _mass(p: np.ndarray) -> np.ndarray:
    """Invariant masses of four-momenta."""
    return np.sqrt(np.maximum(p[3] ** 2 - (p[:3] ** 2).sum(axis=0), 0))
