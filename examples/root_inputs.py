"""From skimmed ROOT files to a measurement: cross-sections over Σw, jets in lists, a friend tree, PDF and scale weights."""

import tempfile
from pathlib import Path

import awkward as ak
import numpy as np
import uproot

from verax.analysis import parse
from verax.pipeline import measure

rng = np.random.default_rng(1)


def write(folder, name, n, mass, width):
    """Two jets from a decay at rest in the transverse plane; skimmed to events with two jets, Σw of all beside them."""
    m = rng.normal(mass, width, n) if width else 60 + rng.exponential(60, n)
    phi, counts = rng.uniform(-np.pi, np.pi, n), rng.choice([1, 2], n, p=[0.2, 0.8])
    weight = rng.choice([1.0, -0.2], n, p=[0.9, 0.1]) * 30.0  # as generators beyond leading order give them
    pt = np.stack([m / 2, m / 2], axis=1)
    pdf = 1 + 0.01 * rng.normal(size=20) * ((m - 100) / 50)[:, None]  # replicas, as factors on the nominal weight
    scale = np.array([0.94, 0.97, 0.98, 1.0, 1.02, 1.03, 1.06])[None] + np.zeros((n, 1))
    kept, count = counts == 2, counts[counts == 2]
    with uproot.recreate(folder / f"{name}.root") as file:
        file["Runs"] = {"genEventSumw": [weight.sum()]}
        jets = {"pt": pt, "phi": np.stack([phi, phi + np.pi], axis=1), "eta": 0 * pt, "m": 0 * pt}
        jets = {f"jet_{k}": ak.unflatten(v[kept].ravel(), count) for k, v in jets.items()}
        file["Events"] = {**jets, "genWeight": weight[kept], "pdf": pdf[kept], "scale": scale[kept]}
    with uproot.recreate(folder / f"{name}_sf.root") as file:  # scale factors, derived later
        file["Friends"] = {"sf": np.full(kept.sum(), 0.98)}
    return weight[kept].sum() / weight.sum()


PAIR = ", ".join(f"jet_{k}[{i}]" for i in (0, 1) for k in ("pt", "eta", "phi", "m"))
SECTIONS = {"signal": 0.02, "background": 1.5}  # pb


def sample(process):
    return {
        "process": process,
        "files": [f"{process}.root:Events"],
        "friends": [{"files": [f"{process}_sf.root"]}],
        "weight": "genWeight * sf",
        "select": "len(jet_pt) == 2",
        "cross_section": SECTIONS[process],
        "k_factor": 1.2,
        "sum_of_weights": {"column": "Runs:genEventSumw"},
    }


with tempfile.TemporaryDirectory() as place:
    folder = Path(place)
    shares = {
        "signal": write(folder, "signal", 20_000, 125, 5),
        "background": write(folder, "background", 50_000, 0, 0),
    }
    analysis = {
        "name": "root_inputs",
        "title": "Two jets",
        "lumi": "5 fb^-1",
        "samples": [sample("signal"), sample("background")],
        "poi": {"name": "mu", "processes": ["signal"]},
        "derived": {"m_jj": f"mass({PAIR})"},
        "features": ["m_jj"],
        "systematics": [
            {"name": "jes", "effect": "scale", "columns": ["jet_pt[0]", "jet_pt[1]"], "width": 0.01, "group": "jets"},
            {"name": "pdf", "effect": "replicas", "weights": "pdf[0:20]", "group": "theory"},
            {"name": "scales", "effect": "envelope", "weights": "scale[0:7]", "group": "theory"},
        ],
        "summary": {"kind": "column", "column": "m_jj", "range": [60.0, 260.0]},
    }
    result = measure(parse(analysis, "example", folder), folder / "run", until="infer")

expected = {p: 5000 * SECTIONS[p] * 1.2 * 0.98 * share for p, share in shares.items()}
print("expected events: " + ", ".join(f"{p} {n:.1f}" for p, n in expected.items()))
print(result.intervals["expected"])
for row, depth in zip(result.tables[1].rows, result.tables[1].depth, strict=True):
    print("  " * depth + f"{row[0]}: {row[1]}")
