"""Published data sets by name: whose they are, what a file of theirs must hold, and whether one does."""

import hashlib
import math
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np

from verax.errors import InputError, check_known

from . import cms_htautau, uci_higgs
from ._table import Chunk, Table, open_table

ROWS = 1 << 17
"""Rows that are read at once."""

UNKNOWN = "unknown"
LISTS = ("Muon_", "Tau_", "Jet_")
"""Beginnings of names of branches that have a list a row."""


@dataclass(frozen=True)
class Published:
    """A published data set; what is not known is None or empty, and is said to be unknown.

    Parameters
    ----------
    title : in words
    doi, licence : of the record
    files : name → number of rows, None where it is not known
    columns : that a file must have
    sums : sum of ``weight`` by value of ``label``, as published
    weight, label : columns of these sums
    address : where its files can be downloaded from, followed by their names
    steps : how to get the files otherwise
    reader : module that reads a file as events
    about : systematics, layout, caveats
    """

    title: str
    doi: str
    licence: str
    files: Mapping[str, int | None]
    columns: tuple[str, ...]
    sums: Mapping[str, float] = field(default_factory=dict)
    weight: str = ""
    label: str = ""
    address: str = ""
    steps: str = ""
    reader: str = ""
    about: str = ""

    @property
    def rows(self) -> int | None:
        """Rows of all files; None where that of one is not known."""
        known = [n for n in self.files.values() if n is not None]
        return sum(known) if len(known) == len(self.files) else None


_OBJECT = ("pt", "eta", "phi")
_HIGGSML = (
    *("EventId", "DER_mass_MMC", "DER_mass_transverse_met_lep", "DER_mass_vis", "DER_pt_h", "DER_deltaeta_jet_jet"),
    *("DER_mass_jet_jet", "DER_prodeta_jet_jet", "DER_deltar_tau_lep", "DER_pt_tot", "DER_sum_pt"),
    *("DER_pt_ratio_lep_tau", "DER_met_phi_centrality", "DER_lep_eta_centrality"),
    *(f"PRI_{o}_{v}" for o in ("tau", "lep") for v in _OBJECT),
    *("PRI_met", "PRI_met_phi", "PRI_met_sumet", "PRI_jet_num"),
    *(f"PRI_jet_{o}_{v}" for o in ("leading", "subleading") for v in _OBJECT),
    *("PRI_jet_all_pt", "Weight", "Label", "KaggleSet", "KaggleWeight"),
)
_FAIR = (
    *(f"PRI_{o}_{v}" for o in ("lep", "had", "jet_leading", "jet_subleading") for v in _OBJECT),
    *("PRI_n_jets", "PRI_jet_all_pt", "PRI_met", "PRI_met_phi", "weights", "detailed_labels"),
)
CATALOGUE = {
    "higgsml": Published(
        "ATLAS Higgs challenge 2014: H→ττ with a lepton and a hadronic tau, simulation at 8 TeV",
        "10.7483/OPENDATA.ATLAS.ZBP2.M5T8",
        "CC0",
        {"atlas-higgs-challenge-2014-v2.csv.gz": 818_238},
        _HIGGSML,
        {"s": 691.98861, "b": 410_999.847},
        "Weight",
        "Label",
        "http://opendata.cern.ch/record/328/files/",
        reader="verax.data.higgsml",
        about="Five systematics (zenodo 1887847), higgsml.systematics(soft=3.0): energy scales of tau (±3 %), jets (±3 %) "
        "and leptons (±2 %), W + jets ± 50 %, soft missing E_T (3 GeV). Its first 22,889 rows are shipped, for which sums "
        "of weights are smaller.",
    ),
    "uci-higgs": Published(
        "HIGGS of UCI (arXiv:1402.4735): a heavy Higgs boson against top pairs, simulation, 28 features",
        "10.24432/C5V312",
        "CC BY 4.0",
        {"HIGGS.csv.gz": 11_000_000},
        ("label", *uci_higgs.COLUMNS),
        address="https://archive.ics.uci.edu/ml/machine-learning-databases/00280/",
        reader="verax.data.uci_higgs",
        about="A file without a heading, the label first; features are in units of their spread. The last 500,000 rows are "
        "the published test part. It has no weights and no four-vectors' units, so no systematics of its own.",
    ),
    "cms-htautau": Published(
        "CMS open data 2012, reduced NanoAOD: H→ττ with a muon and a hadronic tau, simulation and 11.467 fb⁻¹ at 8 TeV",
        "10.7483/OPENDATA.CMS.GV20.PR5T",
        "CC0",
        {
            **{"GluGluToHToTauTau.root": 476_963, "VBF_HToTauTau.root": 491_653, "DYJetsToLL.root": 30_458_871},
            **{"TTbar.root": 6_423_106, "W1JetsToLNu.root": 29_784_800, "W2JetsToLNu.root": 30_693_853},
            **{"W3JetsToLNu.root": 15_241_144, "Run2012B_TauPlusX.root": None, "Run2012C_TauPlusX.root": None},
        },
        cms_htautau.BRANCHES,
        steps="xrdcp root://eospublic.cern.ch//eos/opendata/cms/derived-data/AOD2NanoAODOutreachTool/NAME.root .",
        reader="verax.data.cms_htautau",
        about="Tree “Events”. The reader selects the pair of muon and tau of the published outreach analysis, and weights "
        "simulation by cross section × luminosity / rows of its file.",
    ),
    "fair-universe": Published(
        "FAIR Universe HiggsML Uncertainty Challenge (arXiv:2410.02867): H→ττ, simulation at 13 TeV, 10 fb⁻¹",
        "10.5281/zenodo.15131565",
        UNKNOWN,
        {"FAIR_Universe_HiggsML_data.parquet": 220_099_101},
        _FAIR,
        weight="weights",
        label="detailed_labels",
        steps="download the archive of the record, and unpack its Parquet file",
        reader="verax.data.fair_universe",
        about="Six systematics: fair_universe.systematics(). Rows are those that the record says were generated (April "
        "2025); the paper says 280 million.",
    ),
}
"""By name."""


@dataclass(frozen=True)
class Check:
    """One thing that was checked: what was found and expected; ``good`` is None where nothing is known."""

    what: str
    found: str
    expected: str
    good: bool | None


def named(name: str) -> Published:
    """Find a published set.

    Parameters
    ----------
    name : of :data:`CATALOGUE`

    Raises
    ------
    InputError : for an unknown name, with the nearest
    """
    check_known([name], CATALOGUE, "data", "data set")
    return CATALOGUE[name]


def recognise(path: str | Path) -> str:
    """Find the published set whose columns a file has.

    Parameters
    ----------
    path : of the file

    Raises
    ------
    InputError : for a file that is missing, damaged, or has the columns of none
    """
    if uci_higgs.is_bare(path):
        return "uci-higgs"
    columns = set(open_table(path).columns)
    missing = {name: [c for c in known.columns if c not in columns] for name, known in CATALOGUE.items()}
    nearest = min(missing, key=lambda name: len(missing[name]) / len(CATALOGUE[name].columns))
    if missing[nearest]:
        lacking = ", ".join(missing[nearest][:5])
        raise InputError(
            str(path), f"columns of no known set; nearest is {nearest}, without {lacking}", ", ".join(CATALOGUE)
        )
    return nearest


def check_file(path: str | Path, name: str | None = None) -> tuple[str, tuple[Check, ...]]:
    """Check a local file against what is published: columns, rows, values, sums, and its checksum; streamed.

    Parameters
    ----------
    path : of the file
    name : of the published set (default: the one whose columns it has)

    Raises
    ------
    InputError : for an unknown name, or a file that is missing, damaged or of no known set
    """
    name = recognise(path) if name is None else name
    known = named(name)
    columns, chunks = _opened(path, known)
    checks = [_columns(known, columns)]
    if checks[0].good:
        checks += _content(known, Path(path), chunks)
    return name, (*checks, Check("sha256", _sha256(path), UNKNOWN, None))


@dataclass
class Summary:
    """Of one column: rows, those that are not finite, smallest, largest and mean of the others; text has none of these."""

    rows: int = 0
    bad: int = 0
    low: float = math.inf
    high: float = -math.inf
    total: float = 0.0

    def add(self, values: np.ndarray) -> None:
        """Count some rows more.

        Parameters
        ----------
        values : of the column in these rows
        """
        self.rows += len(values)
        if values.dtype.kind not in "biuf":
            self.bad = self.rows
            return
        finite = values[np.isfinite(values)].astype(np.float64)
        self.bad += len(values) - len(finite)
        if len(finite):
            self.low, self.high = min(self.low, float(finite.min())), max(self.high, float(finite.max()))
            self.total += float(finite.sum())

    @property
    def mean(self) -> float:
        """NaN where no value is finite."""
        return self.total / (self.rows - self.bad) if self.rows > self.bad else math.nan


def describe_file(path: str | Path, *, tree: str | None = None) -> dict[str, Summary]:
    """Summarise each column of numbers of a table, chunk by chunk; columns of text or lists are counted only.

    Parameters
    ----------
    path : of the file
    tree : of a ROOT file with several

    Raises
    ------
    InputError : for a file that is missing or damaged
    """
    if uci_higgs.is_bare(path):
        columns, chunks = ("label", *uci_higgs.COLUMNS), uci_higgs.tables(path, rows=ROWS)
    else:
        table = open_table(path, tree=tree)
        columns = table.columns
        readable = [c for c in columns if _is_plain(table, c)]
        chunks = table.chunks(readable, ROWS, text=readable) if readable else iter(())
    found = {name: Summary() for name in columns}
    for chunk in chunks:
        for name, values in chunk.items():
            found[name].add(_numbers(values))
    return found


def fetch(name: str, folder: Path, *, told: Callable[[str], None] = print) -> list[Path]:
    """Download the files of a published set; a file that is there is left as it is.

    Parameters
    ----------
    name : of the set
    folder : for its files
    told : is called with a line for each file

    Raises
    ------
    InputError : for an unknown name, a set without an address of its own, no network, or an answer that is no file
    """
    known, where = named(name), f"fetch {name}"
    by_hand = f"get it from https://doi.org/{known.doi}, then: verax data check FILE"
    if not known.address:
        raise InputError(where, "no address of its files", "one to download from", f"{known.steps}; or {by_hand}")
    paths = []
    for file in known.files:
        path, part = folder / file, folder / f".{file}.partial"
        paths.append(path)
        if path.exists():
            told(f"{path}: is there, left as it is")
            continue
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with urllib.request.urlopen(known.address + file, timeout=30) as answer, part.open("wb") as out:
                shutil.copyfileobj(answer, out, 1 << 20)
                size = int(answer.headers.get("Content-Length") or part.stat().st_size)
            if part.stat().st_size != size or not size:
                raise InputError(where, f"{part.stat().st_size} of {size} bytes", "the whole file", by_hand)
            part.replace(path)
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            reason = getattr(error, "reason", error)
            raise InputError(where, f"no answer from {known.address} ({reason})", "a network", by_hand) from error
        finally:
            part.unlink(missing_ok=True)
        told(f"{path}: {path.stat().st_size} bytes; verax data check {path}")
    return paths


def _opened(path: str | Path, known: Published) -> tuple[tuple[str, ...], Iterable[Chunk]]:
    if known is CATALOGUE["uci-higgs"] and uci_higgs.is_bare(path):
        return known.columns, uci_higgs.tables(path, rows=ROWS)
    tree = "Events" if known is CATALOGUE["cms-htautau"] else None
    table = open_table(path, tree=tree)
    text = [c for c in (known.label, "KaggleSet") if c in table.columns]
    wanted = [c for c in known.columns if c in table.columns and not (tree and c.startswith(LISTS))]
    return table.columns, table.chunks(wanted, ROWS, text=text)


def _columns(known: Published, columns: tuple[str, ...]) -> Check:
    missing = [c for c in known.columns if c not in columns]
    found = f"{len(columns)} columns" + (f", without {', '.join(missing[:5])}" if missing else "")
    return Check("columns", found, f"the {len(known.columns)} of the set", not missing)


def _content(known: Published, path: Path, chunks: Iterable[Chunk]) -> list[Check]:
    """Rows, values that are not finite, and sums of weights by label, in one pass."""
    rows, bad, sums = 0, 0, dict[str, float]()
    first = next(iter(chunks := iter(chunks)))
    for chunk in chain([first], chunks):
        rows += len(next(iter(chunk.values())))
        bad += sum(int((~np.isfinite(v)).sum()) for v in chunk.values() if v.dtype.kind == "f")
        if known.weight:
            names, number = np.unique(chunk[known.label].astype(str), return_inverse=True)
            totals = np.bincount(number, chunk[known.weight].astype(np.float64), len(names))
            for label, total in zip(names.tolist(), totals.tolist(), strict=True):
                sums[label] = sums.get(label, 0.0) + total
    expected = known.files.get(path.name, known.rows if len(known.files) == 1 else None)
    said = UNKNOWN if expected is None else f"{expected:,}"
    checks = [
        Check("rows", f"{rows:,}", said, None if expected is None else rows == expected),
        Check("values not finite", str(bad), "0", bad == 0),
    ]
    for label in sorted({*sums, *known.sums}):
        wanted, total = known.sums.get(label), sums.get(label, 0.0)
        good = None if wanted is None and not known.sums else wanted is not None and abs(total - wanted) < 1e-4 * wanted
        said = f"{wanted:.8g}" if wanted is not None else "no such label" if known.sums else UNKNOWN
        checks.append(Check(f"sum of {known.weight}, {known.label} {label}", f"{total:.8g}", said, good))
    return checks


def _is_plain(table: Table, column: str) -> bool:
    """Whether a column has one number or text a row."""
    try:
        next(iter(table.chunks([column], 1, text=[column])))
    except (InputError, StopIteration):
        return False
    return True


def _numbers(values: np.ndarray) -> np.ndarray:
    """Text that is numbers, as CSV has them, as numbers."""
    if values.dtype.kind in "biuf":
        return values
    try:
        return values.astype(np.float64)
    except (TypeError, ValueError):
        return values


def _sha256(path: str | Path) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
