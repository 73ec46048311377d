"""Published data sets by name: whose they are, and what a file of theirs must hold."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from verax.errors import check_known

from . import cms_htautau, uci_higgs

UNKNOWN = "unknown"


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
