"""A shape parameter of interest: the position of a smeared resonance, with the scale of energies as a nuisance."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from scipy.stats import norm

from verax.analysis import load
from verax.pipeline import measure

MASS, WIDTH, STEP, SCALE = 91.0, 2.5, 0.2, 0.0015
"""Position and width of the peak, change of the position at θ = ±1, and prior width of the relative scale."""
EDGES = np.linspace(81, 101, 41)
SIGNAL, BACKGROUND = 4000.0, 2000.0


def sample(path, positions, weights):
    """Events at the centres of fine cells, whose weights are the exact probabilities: no simulation error."""
    pq.write_table(pa.table({"m": positions, "w": weights}), path)


def peak(position):
    """Fine cells of the peak: their centres, and expected events."""
    fine = np.linspace(81, 101, 100_001)
    return (fine[1:] + fine[:-1]) / 2, SIGNAL * np.diff(norm.cdf(fine, position, WIDTH))


def test_its_error_is_that_of_the_fisher_information(tmp_path):
    for name, position in (("nominal", MASS), ("up", MASS + STEP), ("down", MASS - STEP)):
        sample(tmp_path / f"{name}.parquet", *peak(position))
    fine, _ = peak(MASS)
    sample(tmp_path / "flat.parquet", fine, np.full(len(fine), BACKGROUND / len(fine)))

    def varied(side):
        return [{"process": "Z", "files": [f"{side}.parquet"], "weight": "w"}]

    content = {
        "name": "mass",
        "title": "Mass",
        "samples": [
            {"process": "Z", "files": ["nominal.parquet"], "weight": "w"},
            {"process": "flat", "files": ["flat.parquet"], "weight": "w"},
        ],
        "poi": {"name": "mu", "processes": ["Z"]},
        "normalisations": [{"name": "norm_flat", "processes": ["flat"]}],
        "features": ["m"],
        "unaffected": [],
        "summary": {"kind": "column", "column": "m", "range": [81, 101]},
        "channels": [{"name": "all", "edges": EDGES.tolist()}],
        "systematics": [
            {"name": "mass", "effect": "samples", "prior": "none", "up": varied("up"), "down": varied("down")},
            {"name": "scale", "effect": "scale", "columns": ["m"], "width": SCALE, "processes": ["Z"]},
        ],
        "infer": {"simulation_statistics": False, "further": ["mass"]},
        "check": {"toys": 400, "truths": [1.0], "shifts": False},
    }
    (tmp_path / "mass.yaml").write_text(yaml.safe_dump(content))
    measure(load(tmp_path / "mass.yaml"), tmp_path / "run")
    found = json.loads((tmp_path / "run" / "results.json").read_text())
    result = found["further"]["expected"]["mass"]
    interval, (total, *_) = result["interval"], result["breakdown"]["shifted-observables"]

    density = np.diff(norm.cdf(EDGES, MASS, WIDTH))
    moved = -np.diff(norm.pdf(EDGES, MASS, WIDTH)) * SIGNAL  # in the position
    scaled = -np.diff(EDGES * norm.pdf(EDGES, MASS, WIDTH)) * SIGNAL  # in the relative scale
    slopes = np.stack([density * SIGNAL, np.full(40, BACKGROUND / 40), moved, scaled])
    nu = slopes[0] + slopes[1]
    information = (slopes / nu) @ slopes.T + np.diag([0, 0, 0, SCALE**-2])
    exact = np.sqrt(np.linalg.inv(information)[2, 2])
    assert abs(total["impact"] * STEP / exact - 1) < 2e-3  # finite steps of both variations
    assert abs((interval["high"] - interval["low"]) / 2 * STEP / exact - 1) < 0.02  # at θ = 0.7 of both, they bend
    covered = found["coverage"]["mass = 0, mu = 1"]
    assert abs(covered["fraction"] - 0.6827) < 4 * np.sqrt(0.6827 * 0.3173 / 400)
    assert any(
        "no workspace.json: to_pyhf, parameter 'mass': got constraint None" in line for line in found["warnings"]
    )
