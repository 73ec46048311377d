"""Variables beside the fit: their bands are those of the fit's covariance, and what is blind is in none of them."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from scipy.stats import norm

from verax.analysis import load
from verax.errors import InputError
from verax.model import binned_likelihood
from verax.parameters import nuisance
from verax.pipeline import load as load_run
from verax.pipeline import measure
from verax.templates import Templates

N, MEAN, WIDTH, YIELD = (
    4000,
    {"signal": 125.0, "background": 90.0},
    {"signal": 10.0, "background": 40.0},
    (150.0, 600.0),
)
EDGES = [0.0, 70.0, 100.0, 120.0, 140.0, 250.0]


def mass(process):
    """Quantiles of a Gaussian in place of draws."""
    return norm.ppf((np.arange(N) + 0.5) / N) * WIDTH[process] + MEAN[process]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Two Gaussian masses m, and u, which shuffles what is fitted: x = m + u."""
    folder, rng = tmp_path_factory.mktemp("mass"), np.random.default_rng(3)
    for process, total in zip(MEAN, YIELD, strict=True):
        columns = {"m": mass(process), "u": rng.normal(0, 15, N), "hit": np.where(np.arange(N) % 4, 1.0, -999.0)}
        pq.write_table(pa.table({**columns, "w": np.full(N, total / N)}), folder / f"{process}.parquet")
    data = {"m": np.concatenate([mass("signal")[::20], mass("background")[::6] * 1.02])}
    data |= {"u": rng.normal(0, 15, len(data["m"])), "hit": np.ones(len(data["m"]))}
    pq.write_table(pa.table(data), folder / "data.parquet")
    return folder


def analysis(folder, **changes):
    content = {
        "name": "mass",
        "title": "Mass",
        "samples": [{"process": p, "files": [f"{p}.parquet"], "weight": "w"} for p in MEAN],
        "observed": {"files": ["data.parquet"]},
        "blind": False,
        "missing": -999.0,
        "poi": {"name": "mu", "processes": ["signal"]},
        "derived": {"x": "m + u"},
        "features": ["x"],
        "summary": {"kind": "column", "column": "x", "range": [0, 250]},
        "channels": [{"name": "all", "edges": [0, 80, 110, 140, 250]}],
        "systematics": [
            {"name": "rate", "effect": "normalisation", "width": 0.2, "processes": ["background"]},
            {"name": "scale", "effect": "scale", "columns": ["m"], "width": 0.03},
        ],
        "figures": [{"variable": "m", "edges": EDGES, "label": "m [GeV]"}],
        "check": {"toys": 0},
        **changes,
    }
    path = folder / f"{len(list(folder.glob('*.yaml')))}.yaml"
    path.write_text(yaml.safe_dump(content))
    return load(path)


def run(files, folder, **changes):
    with pytest.MonkeyPatch.context() as patch:
        (files / "figure.txt").write_text("")
        patch.setattr("verax.report._html.save", lambda *_: (files / "figure.txt", files / "figure.txt"))
        measure(analysis(files, **changes), folder)
    return json.loads((folder / "results.json").read_text())


def by_hand():
    """The likelihood of m, from histograms of its own."""
    inside = [np.clip(e, EDGES[0], EDGES[-1] - 1e-9) for e in map(mass, MEAN)]
    shifted = {k: [np.clip(np.float32(mass(p)) * np.float32(k), 0, 249.9) for p in MEAN] for k in (1.03, 0.97)}
    each = np.array(YIELD)[:, None] / N
    nominal, up, down = (each * [np.histogram(v, EDGES)[0] for v in some] for some in (inside, *shifted.values()))
    rate = np.array([[1.0], [1.2]])
    sides = np.stack([nominal * rate, up]), np.stack([nominal / rate, down])
    systematics = (nuisance("rate", ""), nuisance("scale", ""))
    made = Templates(nominal, nominal * each, *sides, ("all",), (tuple(EDGES),), tuple(MEAN), systematics)
    return binned_likelihood(made, free={"mu": ("signal",)}, bounds={"mu": (-20.0, 20.0)})


def test_bands_are_those_of_the_likelihood_of_the_variable_at_the_fit(files, tmp_path):
    found = run(files, tmp_path / "run")["figures"]["m"]["all"]
    best, model = load_run(tmp_path / "run").results["observed"].fit, by_hand()
    assert model.names == best.names
    assert np.abs([best.params["rate"], best.params["scale"]]).min() > 0.05  # the fit is elsewhere than nominal
    centre, relative = model.expected(best.params), np.asarray(model.width)
    assert found["expected"]["observed"]["events"] == pytest.approx(centre.tolist(), rel=1e-5)
    assert found["expected"]["prefit"]["events"] == pytest.approx(model.expected({}).tolist(), rel=1e-5)
    slopes = []
    for name in best.names:
        ends = [model.expected({**best.params, name: best.params[name] + step}) for step in (1e-4, -1e-4)]
        slopes.append((ends[0] - ends[1]) / 2e-4)
    spread = np.einsum("ib,ij,jb->b", slopes, best.covariance, slopes) + (centre * relative) ** 2
    assert found["expected"]["observed"]["error"] == pytest.approx(np.sqrt(spread).tolist(), rel=1e-3)
    counts = np.histogram(pq.read_table(files / "data.parquet")["m"].to_numpy(), EDGES)[0]
    assert found["observed"][1:-1] == counts[1:-1].tolist()


def test_a_band_before_the_fit_by_hand(files, tmp_path):
    """Without the scale: the background's 20 % (ln 1.2 of its yield) and the simulation's √Σw², in quadrature."""
    rate = {"name": "rate", "effect": "normalisation", "width": 0.2, "processes": ["background"]}
    found = run(files, tmp_path / "run", systematics=[rate])["figures"]["m"]["all"]["expected"]["prefit"]
    inside = [((mass(p) >= 100) & (mass(p) < 120)).sum() * total / N for p, total in zip(MEAN, YIELD, strict=True)]
    error = np.sqrt((np.log(1.2) * inside[1]) ** 2 + sum(n * t / N for n, t in zip(inside, YIELD, strict=True)))
    assert (found["events"][2], found["error"][2]) == (
        pytest.approx(sum(inside), rel=1e-6),
        pytest.approx(error, rel=1e-4),
    )


REGIONS = [
    {"name": "SR", "select": "m > 110", "edges": [0, 125, 250]},
    {"name": "CR", "select": "m <= 110", "edges": [0, 80, 250], "role": "control"},
]


def test_what_is_blind_is_in_no_figure(files, tmp_path):
    """Blind: the control region alone has data; with one blind bin, no other variable shows that channel's."""
    m = [{"variable": "m", "edges": EDGES}]
    blind = run(files, tmp_path / "blind", channels=REGIONS, blind=True, figures=m)["figures"]["m"]
    assert blind["SR"]["observed"] is None
    assert sum(blind["CR"]["observed"]) > 0
    assert set(blind["CR"]["expected"]) == {"prefit", "control"}
    one_bin = [{**REGIONS[0], "blind": [1]}, REGIONS[1]]
    one = run(files, tmp_path / "bin", channels=one_bin, figures=m)["figures"]["m"]
    assert one["SR"]["observed"] is None
    assert one["CR"]["observed"] == blind["CR"]["observed"]
    assert all(np.isnan(d.observed[:5]).all() for d in load_run(tmp_path / "bin").stored.result("summarise").displayed)


def test_events_outside_and_without_a_value_are_said(files, tmp_path):
    shown = [
        {"variable": "m", "range": [60, 130], "bins": 7},
        {"variable": "hit", "edges": [0, 2, 3], "channels": ["all"]},
    ]
    drawn = {"truth": {"mu": 3.0}}
    found = run(files, tmp_path / "run", figures=shown, unaffected=["hit"], pseudo_experiment=drawn)["figures"]
    below = sum((mass(p) < 60).sum() for p in MEAN)
    assert found["m"]["notes"][0].startswith(f"{below} of {2 * N} simulated events")
    assert "lie below the bins, 60 … 130, and count in the first one" in found["m"]["notes"][0]
    assert found["hit"]["notes"] == ["2000 of 8000 simulated events (25.00% by weight) have no value, and are left out"]
    expected = found["hit"]["all"]["expected"]["prefit"]
    assert expected["events"] == pytest.approx([562.5, 0.0], rel=1e-6)  # an empty bin is shown as such
    assert expected["error"][1] == 0
    fits = found["m"]["all"]["expected"]
    assert sum(fits["prefit"]["events"]) == pytest.approx(750, rel=1e-6)
    assert set(fits) == {"prefit", "pseudo-experiment", "observed"}
    assert sum(fits["pseudo-experiment"]["events"]) == pytest.approx(1050, abs=4 * np.sqrt(1050))


def test_pruned_and_decorrelated_parameters_are_those_of_the_fit(files, tmp_path):
    """The summary u does not feel the scale, which is pruned; rows of channels where a variable has none are nominal."""
    changes = {"features": ["u"], "unaffected": ["u"], "summary": {"kind": "column", "column": "u", "range": [-90, 90]}}
    rate = {"name": "rate", "effect": "normalisation", "width": 0.2, "correlate": {"by": ["channel"]}}
    scale = {"name": "scale", "effect": "scale", "columns": ["m"], "width": 0.03}
    regions = [{"name": n, "select": f"u {s} 0", "edges": [-90, 90]} for n, s in (("A", ">"), ("B", "<="))]
    pruned = {"prune": {"shape": 1e-4, "normalisation": 1e-4}}
    found = run(files, tmp_path / "run", channels=regions, systematics=[rate, scale], templates=pruned, **changes)
    kept = load_run(tmp_path / "run")
    (shown,) = kept.stored.result("summarise").displayed
    assert [p.name for p in shown.templates.systematics] == ["rate_A", "rate_B"]
    assert shown.templates.systematics == kept.templates.systematics
    m, fitted = found["figures"]["m"], kept.results["observed"].postfit
    totals = [sum(m[c]["expected"]["observed"]["events"]) for c in ("A", "B")]
    assert totals == pytest.approx(fitted.by_process.sum(0).tolist(), rel=2e-3)  # γ of the fit are not those of m


BAD = {
    "unknown column": ({"variable": "mm", "edges": [0, 1]}, "'mm'.*did you mean 'm'"),
    "edges that do not increase": ({"variable": "m", "edges": [0, 2, 1]}, r"figures.m.edges: got \[0.0, 2.0, 1.0\]"),
    "range reversed": (
        {"variable": "m", "range": [9, 1]},
        r"figures.m.range: got \[9.0, 1.0\]; expected two increasing",
    ),
    "no bins": ({"variable": "m"}, "figures.m: got neither edges nor a range"),
    "bins twice": ({"variable": "m", "edges": [0, 1], "range": [0, 1]}, "figures.m: got edges beside bins or a range"),
    "unknown channel": ({"variable": "m", "edges": [0, 1], "channels": ["alll"]}, "figures.m.channels.*'alll'.*'all'"),
    "misspelt key": ({"variable": "m", "edgse": [0, 1]}, "unknown key 'edgse'.*'edges'"),
    "formula of a label": ({"variable": "m", "edges": [0, 1], "label": r"$\frac{1$"}, "figures.m.label"),
    "text": ({"variable": "word", "edges": [0, 1]}, "word"),
    "no event": ({"variable": "m", "edges": [900, 901]}, "figures.m: got none of 8000 simulated events in 900 … 901"),
    "goes stale": ({"variable": "hit", "edges": [0, 1]}, "figure of 'hit'.*nothing recomputes.*'scale'.*unaffected"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_figures_are_refused_in_one_line(files, tmp_path, case):
    figure, expected = BAD[case]
    pq.write_table(
        pq.read_table(files / "signal.parquet").append_column("word", [["a"] * N]), tmp_path / "text.parquet"
    )
    more = (
        {
            "samples": [
                {"process": p, "files": [str(tmp_path / "text.parquet")], "weight": "w", "allow_duplicates": True}
                for p in MEAN
            ],
            "unaffected": ["word"],
        }
        if case == "text"
        else {}
    )
    with pytest.raises(InputError, match=expected) as error:
        measure(analysis(files, figures=[figure], **more), tmp_path / "run", until="summarise")
    assert "\n" not in str(error.value)


def test_a_variable_is_shown_once_in_a_channel(files):
    both = [{"variable": "m", "edges": EDGES}, {"variable": "m", "range": [0, 1]}]
    with pytest.raises(InputError, match=r"figures\.m: got channel 'all' twice"):
        analysis(files, figures=both)
