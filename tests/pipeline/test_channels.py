"""Roles of channels: control regions of a blind analysis, blind bins, and channels for validation, by closed forms."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from scipy.optimize import brentq

from verax import questions
from verax.analysis import load
from verax.errors import InputError
from verax.infer import limit
from verax.pipeline import measure
from verax.workspace import from_pyhf

YIELDS = {"signal": {"SR": 20.0, "CR": 0.0, "VR": 2.0}, "background": {"SR": 100.0, "CR": 400.0, "VR": 50.0}}
OBSERVED = {"SR": 130, "CR": 480, "VR": 75}
PLACE = {"SR": 0.5, "CR": 1.5, "VR": 2.5}


@pytest.fixture(scope="module")
def files(tmp_path_factory, without_figures):
    """Simulation and data of counting experiments in one bin each."""
    folder = tmp_path_factory.mktemp("regions")
    for process, yields in YIELDS.items():
        x = np.repeat([PLACE[c] for c in yields], 1000)
        w = np.repeat([n / 1000 for n in yields.values()], 1000)
        pq.write_table(pa.table({"x": x, "w": w}), folder / f"{process}.parquet")
    x = np.repeat([PLACE[c] for c in OBSERVED], list(OBSERVED.values()))
    pq.write_table(pa.table({"x": x}), folder / "data.parquet")
    return folder


def analysis(folder, **changes):
    """The two processes with a free background, in signal, control and validation regions of one bin."""
    roles = {"SR": "signal", "CR": "control", "VR": "validation"}
    content = {
        "name": "regions",
        "title": "Regions",
        "samples": [{"process": p, "files": [f"{p}.parquet"], "weight": "w"} for p in YIELDS],
        "observed": {"files": ["data.parquet"]},
        "poi": {"name": "mu", "processes": ["signal"]},
        "normalisations": [{"name": "norm", "processes": ["background"]}],
        "features": ["x"],
        "unaffected": [],
        "summary": {"kind": "column", "column": "x", "range": [0, 3]},
        "channels": [
            {"name": c, "select": f"abs(x - {PLACE[c]}) < 0.4", "edges": [0, 3], "role": role}
            for c, role in roles.items()
        ],
        "infer": {"simulation_statistics": False},
        "check": {"toys": 0},
        **changes,
    }
    path = folder / f"{len(list(folder.glob('*.yaml')))}.yaml"
    path.write_text(yaml.safe_dump(content))
    return load(path)


def run(files, folder, **changes):
    measure(analysis(files, **changes), folder)
    return json.loads((folder / "results.json").read_text())


def test_a_blind_analysis_expects_what_its_control_region_says(files, tmp_path):
    """norm = 480/400; then Asimov data of the signal region are 20 + 120, and σ(mu)² = (140 + (120/√480)²)/20²."""
    found = run(files, tmp_path / "run")
    assert set(found["results"]) == {"expected"}
    assert found["blind"] is True
    control = found["control"]
    assert control["held"] == {"mu": 1.0}
    assert control["fit"]["parameters"]["norm"] == pytest.approx(1.2, abs=1e-4 * np.sqrt(480) / 400)
    assert control["fit"]["errors"]["norm"] == pytest.approx(np.sqrt(480) / 400, rel=1e-3)
    interval = found["results"]["expected"]["interval"]
    sigma = np.sqrt(140 + 120**2 / 480) / 20
    assert interval["value"] == pytest.approx(1.0, abs=1e-4 * sigma)
    assert (interval["high"] - interval["low"]) / 2 == pytest.approx(sigma, rel=0.01)
    channels = found["channels"]
    assert channels["SR"]["observed"] == channels["VR"]["observed"] == [None]
    assert channels["SR"]["postfit"] == pytest.approx([140.0], rel=1e-5)
    assert channels["SR"]["postfit_error"] == pytest.approx([120 / np.sqrt(480)], rel=1e-3)
    assert found["events"]["observed"] is None
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "only those of bins that may be looked at were fitted" in page
    audited = questions.answer("audit", str(tmp_path / "run"), toys=0)  # the expected data are those at norm = 1.2
    assert audited.content["about"] == "run 'regions', blind, expected (Asimov) data"
    assert {v.name: v.severity.word for v in audited.content["verdicts"]}["result of the run"] == "ok"
    nominal = questions.answer("audit", str(tmp_path / "run"), toys=0, data="asimov")
    assert nominal.content["about"] == audited.content["about"]


def test_validation_is_compared_and_not_fitted(files, tmp_path):
    """Two bins, two parameters: norm = 1.2, mu = (130 − 120)/20; then 2 mu + 50 norm are expected."""
    found = run(files, tmp_path / "run", blind=False)
    assert found["results"]["observed"]["interval"]["value"] == pytest.approx(0.5, abs=1e-5)
    validation = found["channels"]["VR"]
    assert validation["postfit"] == pytest.approx([61.0], rel=1e-5)
    norm, mu = np.sqrt(480) / 400, np.array([np.sqrt(130) / 20, -100 * np.sqrt(480) / 400 / 20])  # by the two counts
    error = np.hypot(2 * mu[0], 2 * mu[1] + 50 * norm)
    assert validation["postfit_error"] == pytest.approx([error], rel=1e-3)
    assert (validation["observed"], validation["fitted"]) == ([75.0], [False])
    fitted = json.loads((tmp_path / "run" / "workspace.json").read_text())["channels"]
    assert [c["name"] for c in fitted] == ["SR", "CR"]
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert f"{(75 - 61) / np.sqrt(61 + error**2):+.1f}" in page


def test_validation_is_looked_at_while_all_that_is_fitted_is_blind(files, tmp_path):
    """2 + 50 are expected in the validation region before any fit, with no error; the pull is (75 − 52)/√52."""
    roles = {"SR": {}, "CR": {"role": "control", "blind": True}, "VR": {"role": "validation", "blind": False}}
    regions = [{"name": c, "select": f"abs(x - {PLACE[c]}) < 0.4", "edges": [0, 3], **r} for c, r in roles.items()]
    found = run(files, tmp_path / "run", channels=regions, pseudo_experiment={"truth": {"mu": 2.0}})
    assert set(found["results"]) == {"expected", "pseudo-experiment"}
    assert "control" not in found
    assert {c: v["observed"] for c, v in found["channels"].items()} == {"SR": [None], "CR": [None], "VR": [75.0]}
    assert found["channels"]["VR"]["prefit"] == pytest.approx([52.0], rel=1e-5)
    assert "postfit" not in found["channels"]["VR"]
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert f"{23 / np.sqrt(52):+.1f}" in page
    assert "only those of channels for validation that may be looked at were histogrammed" in page


def test_all_bins_of_all_channels_may_be_blind(files, tmp_path):
    channel = {"name": "all", "edges": [0, 1, 2, 3], "blind": [0, 1, 2]}
    found = run(files, tmp_path / "run", channels=[channel], blind=False)
    assert set(found["results"]) == {"expected"}
    assert "channels" not in found


def test_single_bins_may_be_blind(files, tmp_path):
    """Bins 1 and 2 are fitted with mu held at 1: 480/norm-derivative of 400 norm and 2 + 50 norm."""
    channel = {"name": "all", "edges": [0, 1, 2, 3], "blind": [0]}
    found = run(files, tmp_path / "run", channels=[channel])
    norm = brentq(lambda n: 480 / n + 75 * 50 / (2 + 50 * n) - 450, 0.5, 2)
    assert found["control"]["fit"]["parameters"]["norm"] == pytest.approx(norm, abs=1e-4 * 0.05)
    assert found["channels"]["all"]["observed"] == [None, 480.0, 75.0]
    assert found["channels"]["all"]["fitted"] == [False, True, True]
    assert found["channels"]["all"]["postfit"] == pytest.approx([20 + 100 * norm, 400 * norm, 2 + 50 * norm], rel=1e-5)


def test_a_limit_and_a_significance_are_given_where_asked_for(files, tmp_path):
    """A count of 130 on a known background of 100: Z = √(2(n ln(n/b) − (n − b))), and the limit of the workspace itself."""
    asked = {"infer": {"simulation_statistics": False, "limit": 0.9, "significance": True}, "normalisations": []}
    region = {"name": "SR", "select": "x < 1", "edges": [0, 1]}
    found = run(files, tmp_path / "run", channels=[region], blind=False, **asked)
    z = {n: np.sqrt(2 * (n * np.log(n / 100) - (n - 100))) for n in (120, 130)}
    assert found["tests"]["observed"]["significance"]["z"] == pytest.approx(z[130], rel=1e-5)
    assert found["tests"]["expected"]["significance"]["z"] == pytest.approx(z[120], rel=1e-5)
    model, data, poi = from_pyhf(tmp_path / "run" / "workspace.json")
    same = limit(model, data, poi, level=0.9)
    assert found["tests"]["observed"]["limit"]["observed"] == pytest.approx(float(same.observed), rel=1e-6)
    assert found["tests"]["expected"]["limit"]["expected"] == pytest.approx(same.expected.tolist(), rel=1e-6)
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "Observed: CLs upper limits at 90%" in page
    assert page.count(">observed<") == 1  # Asimov data have none


def test_further_parameters_are_answered_beside_the_first(files, tmp_path):
    """norm = 480/400 ± √480/400 by the control region alone; with mu, whose σ holds 100 σ(norm)/20, an ellipse."""
    asked = {"simulation_statistics": False, "further": ["norm"]}
    toys = {"toys": 200, "truths": [1.0], "shifts": False}
    found = run(files, tmp_path / "run", blind=False, infer=asked, check=toys)
    norm = found["further"]["observed"]["norm"]
    sigma = np.sqrt(480) / 400
    assert norm["interval"]["value"] == pytest.approx(1.2, abs=1e-4 * sigma)
    assert (norm["interval"]["high"] - norm["interval"]["low"]) / 2 == pytest.approx(sigma, rel=1e-3)
    total, *_ = norm["breakdown"]["shifted-observables"]
    assert (total["name"], total["impact"]) == ("total", pytest.approx(sigma, rel=1e-3))
    assert set(found["coverage"]) == {"mu = 1", "norm = 1, mu = 1"}
    covered = found["coverage"]["norm = 1, mu = 1"]
    assert abs(covered["fraction"] - 0.6827) < 4 * np.sqrt(0.6827 * 0.3173 / 200)
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "Observed: profile likelihood ratio of μ and norm." in page
    assert "Further parameters of interest" in page


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["nrom"], "infer.further: got parameter 'nrom'.*'norm'"),
        (["mu"], "without mu"),
        (["norm", "norm"], "each once"),
    ],
)
def test_further_parameters_that_are_none_are_one_line(tmp_path, names, message):
    with pytest.raises(InputError, match=message):
        analysis(tmp_path, infer={"further": names})


def test_a_normalisation_may_have_a_gaussian_or_a_gamma_prior(files, tmp_path):
    """Of 100 events: ± 10 % adds (10/20)² to σ², and 25 counted ones make Li and Ma's significance, τ = 1/4."""
    region = {"name": "SR", "select": "x < 1", "edges": [0, 1]}
    asked = {"channels": [region], "blind": False, "infer": {"simulation_statistics": False, "significance": True}}
    known = [{"name": "norm", "processes": ["background"], "width": 0.1, "group": "theory"}]
    gaussian = run(files, tmp_path / "gaussian", normalisations=known, **asked)
    total, *rows = gaussian["results"]["expected"]["breakdown"]["shifted-observables"]
    assert total["impact"] == pytest.approx(np.sqrt(120 + 10**2) / 20, rel=1e-4)
    assert next(r["impact"] for r in rows if r["name"] == "theory") == pytest.approx(10 / 20, rel=1e-4)
    counted = [{"name": "norm", "processes": ["background"], "events": 25}]
    gamma = run(files, tmp_path / "gamma", normalisations=counted, **asked)
    on, off, tau = 130, 25, 25 / 100
    share = (on + off) / (1 + tau)
    z = np.sqrt(2 * (on * np.log(on / share) + off * np.log(off / (tau * share))))
    assert gamma["tests"]["observed"]["significance"]["z"] == pytest.approx(z, rel=1e-4)
    assert any(
        "no workspace.json: to_pyhf, parameter 'norm': got a normalisation factor" in line for line in gamma["warnings"]
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 0.1, "events": 3}, "width and events"),
        ({"group": "theory"}, "group 'theory' without a prior"),
        ({"events": 3, "nominal": 0.0}, "above 0"),
        ({"width": -0.1}, "width"),
    ],
)
def test_priors_that_make_no_sense_are_one_line(tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        analysis(tmp_path, normalisations=[{"name": "norm", "processes": ["background"], **change}])


def test_nothing_of_a_blind_channel_is_kept(files, tmp_path):
    """What may be looked at is the same whatever the blind data are."""
    kept = []
    for i, n in enumerate((130, 260)):
        data = {**OBSERVED, "SR": n}
        folder = tmp_path / str(i)
        folder.mkdir()
        x = np.repeat([PLACE[c] for c in data], list(data.values()))
        pq.write_table(pa.table({"x": x}), folder / "data.parquet")
        for process in YIELDS:
            (folder / f"{process}.parquet").symlink_to(files / f"{process}.parquet")
        measure(analysis(folder), folder / "run")
        stages = ("summarise", "infer", "check")
        kept.append([(folder / "run" / "stages" / s / "arrays.npz").read_bytes() for s in stages])
        kept[-1].append((folder / "run" / "results.json").read_bytes())
    assert kept[0] == kept[1]


@pytest.mark.parametrize(
    ("key", "value", "name"),
    [
        ("poi", {"name": "mu", "processes": ["signal"], "channels": ["VR"]}, "mu"),
        ("normalisations", [{"name": "norm", "processes": ["background"], "channels": ["VR"]}], "norm"),
    ],
)
def test_a_factor_of_validation_channels_alone_is_refused(tmp_path, key, value, name):
    with pytest.raises(InputError, match=f"normalisation '{name}': got no yield that it moves in SR, CR"):
        analysis(tmp_path, **{key: value})


BAD = {
    "only validation": (["validation"] * 3, {}, "channels: got validation only"),
    "an unknown role": (["signal", "contrl", "signal"], {}, "role.*'control'"),
    "bins without edges": (["signal"] * 3, {"blind": [0], "edges": None}, "edges that are yet to be chosen"),
    "a bin that is not there": (["signal"] * 3, {"blind": [1]}, "bins from 0 to 0"),
    "no bin": (["signal"] * 3, {"blind": []}, "blind"),
}


@pytest.mark.parametrize(("roles", "change", "message"), BAD.values(), ids=BAD)
def test_roles_that_make_no_sense_are_one_line(tmp_path, roles, change, message):
    channels = [{"name": c, "edges": [0, 3], "role": r, **change} for c, r in zip(PLACE, roles, strict=True)]
    with pytest.raises(InputError, match=message) as caught:
        analysis(tmp_path, channels=channels)
    assert "\n" not in str(caught.value)
