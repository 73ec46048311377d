"""Channels whose templates are histograms in ROOT files: alone, and beside channels of events."""

import json
import math

import numpy as np
import pytest
import uproot
from scipy.optimize import brentq
from scipy.stats import chi2
from uproot.writing.identify import to_TAxis, to_TH1x

import verax
from verax.analysis import load, parse, plan, stored, written
from verax.errors import InputError
from verax.pipeline import _measure, measure, write_folds
from verax.pipeline._summarise import summarise

EDGES = np.array([0.0, 1.0, 2.0, 4.0])
SIGNAL, BACKGROUND = np.array([2.0, 5.0, 8.0]), np.array([100.0, 60.0, 30.0])
UP, DOWN = BACKGROUND * [1.1, 1.0, 0.9], BACKGROUND * [0.92, 1.0, 1.05]
DATA = np.array([104.0, 63.0, 41.0])


def th1(values, variances=None, edges=EDGES, outside=(0.0, 0.0)):
    """A TH1D, with Σw² or without."""
    contents = np.array([outside[0], *values, outside[1]])
    squares = np.zeros(0) if variances is None else np.array([0.0, *variances, 0.0])
    axis = to_TAxis("xaxis", "", len(values), edges[0], edges[-1], fXbins=np.asarray(edges, float))
    return to_TH1x("h", "", contents, len(values), contents.sum(), contents.sum(), 0.0, 0.0, squares, axis)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("stored")
    with uproot.recreate(place / "h.root") as file:
        for name, values in {"signal": SIGNAL, "background": BACKGROUND}.items():
            file[f"SR/{name}"] = th1(values, values * 0.1)
            file[f"CR/{name}"] = th1(
                values[:2] * 10, None, EDGES[:3], (3.0, 4.0) if name == "background" else (0.0, 0.0)
            )
        file["SR/background_jesUp"], file["SR/background_jesDown"] = th1(UP, UP), th1(DOWN, DOWN)
        file["CR/background_modelUp"] = th1(BACKGROUND[:2] * 11, None, EDGES[:3])
        file["SR/data"], file["CR/data"] = th1(DATA), th1([1025.0, 640.0], None, EDGES[:3])
        file["other/signal"] = th1(SIGNAL, SIGNAL, EDGES * 1.01)
        file["other/background"] = th1(BACKGROUND, BACKGROUND)
        file["other/nan"] = th1([np.nan, 1.0, 1.0])
        file["other/negative"] = th1([-1.0, 1.0, 1.0])
    rng = np.random.default_rng(61)
    for name, mean in (("signal", 1.0), ("background", 0.0)):
        with uproot.recreate(place / f"{name}.root") as file:
            file["events"] = {"x": rng.normal(mean, 1.0, 500)}
    return place


def region(name="SR", **changes):
    """A channel of the histograms above."""
    given = {"name": name, "processes": ["signal", "background"], "nominal": f"h.root:{name}/{{process}}"}
    given |= {"observed": f"h.root:{name}/data"}
    if name == "SR":
        sides = {s.lower(): f"h.root:SR/{{process}}_{{systematic}}{s}" for s in ("Up", "Down")}
        given |= {"varied": {"jes": ["background"]}, **sides}
    return {k: v for k, v in {**given, **changes}.items() if v is not None}


def content(*regions, **changes):
    return {
        "name": "stored",
        "title": "Stored",
        "blind": False,
        "histograms": list(regions or (region(),)),
        "poi": {"name": "mu", "processes": ["signal"]},
        "systematics": [
            {"name": "jes", "effect": "histograms", "group": "jets"},
            {"name": "lumi", "effect": "normalisation", "width": 0.02, "group": "luminosity"},
        ],
        "check": {"toys": 0},
        **changes,
    }


CONTROL = region("CR", varied={"model": ["background"]}, up="h.root:CR/{process}_{systematic}Up")
MODEL = {"name": "model", "effect": "histograms"}


def test_templates_are_those_of_the_files(folder):
    found = stored(plan(parse(content(), "test", folder)).reading)
    t = found.templates
    np.testing.assert_array_equal(t.nominal, [SIGNAL, BACKGROUND])
    np.testing.assert_allclose(t.variance, np.array([SIGNAL, BACKGROUND]) * 0.1, rtol=1e-15)
    assert t.edges == (tuple(EDGES),)
    assert [p.name for p in t.systematics] == ["jes", "lumi"]
    np.testing.assert_array_equal(t.up[0], [SIGNAL, UP])
    np.testing.assert_array_equal(t.down[0], [SIGNAL, DOWN])
    np.testing.assert_array_equal(t.up[1], [SIGNAL * 1.02, BACKGROUND * 1.02])
    np.testing.assert_array_equal(t.down[1], [SIGNAL / 1.02, BACKGROUND / 1.02])
    np.testing.assert_array_equal(found.observed, DATA)
    assert found.notes == ()


def test_two_channels_and_what_is_told(folder):
    given = content(region(), CONTROL)
    given["systematics"].append(MODEL)
    found = stored(plan(parse(given, "test", folder)).reading)
    t = found.templates
    assert t.channels == ("SR", "CR")
    k = [p.name for p in t.systematics].index("model")
    np.testing.assert_array_equal(t.up[k][1], [*BACKGROUND, *BACKGROUND[:2] * 11])
    np.testing.assert_array_equal(t.down[k][1], [*BACKGROUND, *BACKGROUND[:2] * 9])  # mirrored
    np.testing.assert_array_equal(t.variance[1][3:], BACKGROUND[:2] * 10)
    assert found.notes == (
        "channel 'CR': no Σw² (Sumw2) of signal, background; its errors are those of counts",
        "channel 'CR': 7 of 1607 background events are under- or overflow, left out",
    )


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """One bin: s = 10, b = 100, n = 117."""
    place = tmp_path_factory.mktemp("one")
    with uproot.recreate(place / "one.root") as file:
        file["s"], file["b"], file["d"] = (th1([v], [0.0], [0.0, 1.0]) for v in (10.0, 100.0, 117.0))
    given = {"name": "SR", "processes": ["s", "b"], "nominal": "one.root:{process}", "observed": "one.root:d"}
    options = {"systematics": [], "poi": {"name": "mu", "processes": ["s"]}, "infer": {"simulation_statistics": False}}
    return parse(content(given, **options), "test", place)


def test_a_measurement_from_histograms_alone(one, tmp_path):
    """μ̂ = (n − b)/s, and t(μ) = 2 (μs + b − n + n ln(n/(μs + b))) is 1 at its ends."""
    found = measure(one, tmp_path / "run", until="infer").intervals["observed"]

    def t(mu):
        rate = 10 * mu + 100
        return 2 * (rate - 117 + 117 * math.log(117 / rate)) - chi2.ppf(0.6827, 1)

    assert float(found.value) == pytest.approx(1.7, abs=1e-3)  # of σ = 1.08, as fits end
    assert float(found.low) == pytest.approx(brentq(t, -1, 1.7), abs=2e-3)
    assert float(found.high) == pytest.approx(brentq(t, 1.7, 5), abs=2e-3)
    with pytest.raises(InputError, match="got a run of histograms, without events; expected a run with samples"):
        verax.load(tmp_path / "run").events()
    with pytest.raises(InputError, match="got a run of histograms, without events; expected a run with samples"):
        write_folds(tmp_path / "run", 2, tmp_path / "folds.parquet")
    blind = measure(one.model_copy(update={"blind": True}), until="infer")
    assert list(blind.intervals) == ["expected"]


@pytest.mark.thorough
def test_the_report_of_histograms(one, tmp_path):
    measure(one, tmp_path / "run")
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["templates"]["nominal"] == [[10.0], [100.0]]
    assert "stored" not in results["events"]
    page = (tmp_path / "run" / "report.html").read_text()
    assert "the summary is a given histogram" in page
    assert "Bins are those of the histograms in files" in page
    assert "Simulated events" not in page


def test_beside_channels_of_events(folder, tmp_path, monkeypatch):
    given = content(
        region(varied={"jes": ["background"], "scale": ["background"]}, up="h.root:SR/background_jesUp", down=None),
        samples=[{"process": p, "files": [f"{p}.root"], "total": 50} for p in ("signal", "background")],
        observed={"files": ["signal.root"]},
        features=["x"],
        summary={"kind": "column", "column": "x", "range": [-3.0, 3.0]},
        channels=[{"name": "events", "edges": [-3.0, 0.0, 3.0]}],
    )
    given["histograms"][0] |= {"up": "h.root:SR/{process}_jesUp", "varied": {"jes": ["background"]}}
    scale = {"name": "scale", "effect": "scale", "columns": ["x"], "width": 0.1}
    given["systematics"].append(scale)
    made, tables = [], []
    monkeypatch.setattr(
        _measure, "summarise", lambda *parts: tables.append(parts[6]) or made.append(summarise(*parts)) or made[0]
    )
    measure(parse(given, "test", folder), tmp_path / "run", until="summarise")
    t = made[0].templates
    assert t.channels == ("events", "SR")
    assert t.processes == ("signal", "background")
    by_name = {p.name: (t.up[k], p) for k, p in enumerate(t.systematics)}
    assert list(by_name) == ["lumi", "scale", "jes"]
    np.testing.assert_array_equal(t.nominal[:, 2:], [SIGNAL, BACKGROUND])
    assert t.nominal[:, :2].sum(axis=1) == pytest.approx([50, 50], rel=1e-6)
    np.testing.assert_array_equal(by_name["jes"][0][1], [*t.nominal[1, :2], *UP])
    np.testing.assert_array_equal(by_name["scale"][0][:, 2:], t.nominal[:, 2:])
    np.testing.assert_allclose(by_name["lumi"][0], t.nominal * 1.02, rtol=1e-12)
    assert (by_name["jes"][1].group, by_name["lumi"][1].group) == ("jets", "luminosity")
    np.testing.assert_array_equal(made[0].observed[2:], DATA)
    assert made[0].observed[:2].sum() == 500
    assert "channel 'SR': 'scale' has no histograms there, and does not act" in tables[0].notes


def test_roles_and_blind_bins(folder, tmp_path, monkeypatch):
    control = {**CONTROL, "role": "control"}
    given = content(region(blind=[1]), control, blind=True)
    given["systematics"].append(MODEL)
    made = []
    monkeypatch.setattr(_measure, "summarise", lambda *parts: made.append(summarise(*parts)) or made[-1])
    measure(parse(given, "test", folder), tmp_path / "run", until="summarise")
    np.testing.assert_array_equal(made[-1].observed, [DATA[0], np.nan, DATA[2], 1025.0, 640.0])
    given["histograms"][0].pop("blind")
    measure(parse(given, "test", folder), tmp_path / "run", until="summarise")
    np.testing.assert_array_equal(made[-1].observed, [np.nan, np.nan, np.nan, 1025.0, 640.0])
    samples = {"samples": [{"process": "signal", "files": ["signal.root"]}], "observed": {"files": ["signal.root"]}}
    summary = {"summary": {"kind": "column", "column": "x", "range": [-3.0, 3.0]}, "features": ["x"]}
    events = {"channels": [{"name": "events", "edges": [-3.0, 0.0, 3.0]}]}
    measure(parse(given | samples | summary | events, "test", folder), tmp_path / "more", until="summarise")
    np.testing.assert_array_equal(made[-1].observed, [np.nan] * 5 + [1025.0, 640.0])  # events, SR, CR
    given["histograms"] = [{**c, "role": "validation"} for c in given["histograms"]]
    with pytest.raises(InputError, match="channels: got validation only"):
        parse(given, "test", folder)


def test_a_process_may_have_histograms_only(folder, tmp_path, monkeypatch):
    """Signal in the region of histograms, events of the background alone; free factors and widths act where they can."""
    given = content(
        region(observed=None),
        samples=[{"process": "background", "files": ["background.root"], "total": 50}],
        features=["x"],
        summary={"kind": "column", "column": "x", "range": [-3.0, 3.0]},
        channels=[{"name": "events", "edges": [-3.0, 0.0, 3.0]}],
    )
    given["systematics"].append({"name": "only", "effect": "normalisation", "width": 0.1, "processes": ["signal"]})
    made = []
    monkeypatch.setattr(_measure, "summarise", lambda *parts: made.append(summarise(*parts)) or made[0])
    measure(parse(given, "test", folder), tmp_path / "run", until="summarise")
    t = made[0].templates
    assert t.processes == ("background", "signal")
    by_name = {p.name: t.up[k] for k, p in enumerate(t.systematics)}
    np.testing.assert_allclose(by_name["only"][1], [0, 0, *SIGNAL * 1.1], rtol=1e-15)
    np.testing.assert_array_equal(by_name["only"][0], t.nominal[0])
    given["channels"][0].pop("edges")
    with pytest.raises(InputError, match="channel 'events': got no events of the signal, to choose bins for; expected"):
        measure(parse(given, "test", folder), tmp_path / "run", until="summarise")
    with pytest.raises(InputError, match="poi: got no events of its processes; expected samples of one, to learn from"):
        plan(parse(given | {"summary": {}}, "test", folder))


def test_factors_and_rates_of_histograms(folder):
    """A factor may act in a channel of histograms alone; a rate may be all that the parameter of interest does."""
    given = content(region(), CONTROL, normalisations=[{"name": "k", "processes": ["background"], "channels": ["CR"]}])
    given["systematics"].append(MODEL)
    assert [f.name for f in plan(parse(given, "test", folder)).modelling.factors] == ["mu", "k"]
    rates = {"poi": {"name": "c", "processes": []}, "rates": {"signal": "c**2"}, "features": ["x"]}
    samples = [{"process": p, "files": [f"{p}.root"]} for p in ("signal", "background")]
    learning = {"summary": {}, "histograms": [], "systematics": [], "channels": [{"name": "all"}]}
    made = plan(parse(content() | rates | learning | {"samples": samples}, "test", folder))
    assert made.learning.signal == ("signal",)


def test_the_file_is_written_again_as_it_was_read(folder, tmp_path):
    path = tmp_path / "again.yaml"
    path.write_text(written(parse(content(), "test", folder)))
    again, first = plan(load(path)), plan(parse(content(), "test", folder))
    assert again.files == first.files == {str(folder / "h.root"): again.files[str(folder / "h.root")]}


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"nominal": "h.root:SR"}, r"histograms.SR.nominal: got 'h.root:SR' for several; expected {process} in it"),
        ({"nominal": "SR/{process}"}, r"histograms.SR.nominal: got 'SR/{process}'; expected file.root:folder/name"),
        ({"nominal": "h.root:{proces}"}, r"with {proces}; expected {process}"),
        ({"observed": "h.root:{process}"}, r"with {process}; expected no { }"),
        ({"up": None}, "got varied without up; expected both or neither"),
        ({"varied": {}}, "got up without varied; expected both or neither"),
        ({"varied": {"jess": ["background"]}}, r"systematic 'jess'; .*did you mean 'jes'"),
        ({"varied": {"jes": ["backgrund"]}}, r"process 'backgrund'; .*did you mean 'background'"),
        (
            {"varied": {"jes": ["signal", "background"]}, "up": "h.root:x"},
            r"'h.root:x' for several; expected {process} in",
        ),
        ({"varied": {"lumi": ["signal"]}}, "got 'lumi', a normalisation, which acts on histograms as it is"),
        ({"nominl": "x"}, r"unknown key 'nominl'; .*did you mean 'nominal'"),
        ({"processes": []}, "processes: got \\[\\]; expected 1 or more"),
        (
            {"processes": ["sgnal", "background"], "nominal": "h.root:{process}"},
            r"process 'signal'; .*did you mean 'sgnal'",
        ),
    ],
)
def test_what_is_refused_in_the_file(folder, changes, line):
    with pytest.raises(InputError, match=line) as error:
        parse(content(region(**changes)), "test", folder)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"histograms": [region(), region()]}, "channels: got a name twice"),
        ({"systematics": [MODEL]}, "systematic 'jes'; expected a known systematic"),
        ({"channels": [{"name": "low"}]}, "channels: got channels of events, and no samples"),
        (
            {"observed": {"files": ["x.root"]}, "histograms": [region(observed=None)]},
            "observed: got data of some channels only",
        ),
        ({"histograms": [region(), region("CR", observed=None)]}, "observed: got data of some channels only"),
        ({"samples": [{"process": "signal", "files": ["x.root"]}]}, "features: got nothing; expected a value"),
        ({"histograms": []}, "samples: got neither or both of dataset and samples"),
    ],
)
def test_what_does_not_fit_together(folder, changes, line):
    with pytest.raises(InputError, match=line):
        parse(content(**changes), "test", folder)
    extra = {"name": "w", "effect": "weight", "up": "1.1"}
    with pytest.raises(
        InputError, match="systematic 'w': got effect weight without events; expected effect histograms"
    ):
        parse(content(systematics=[*content()["systematics"], extra]), "test", folder)
    with pytest.raises(InputError, match="systematic 'model': got effect histograms, of no channel"):
        parse(content(systematics=[*content()["systematics"], MODEL]), "test", folder)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"nominal": "h.root:SS/{process}"}, r"h.root: got histogram 'SS/signal'; .*did you mean 'SR/signal'"),
        ({"nominal": "g.root:SR/{process}"}, r"g.root: got no such file"),
        (
            {"nominal": "h.root:other/{process}"},
            r"histograms.SR: got 3 bins 0 … 4 of 'h.root:other/background' beside 3 bins",
        ),
        ({"observed": "h.root:CR/data"}, r"histograms.SR: got 2 bins 0 … 2 of 'h.root:CR/data' beside 3 bins 0 … 4 of"),
        ({"observed": "h.root:other/nan"}, r"histogram 'other/nan': got bins that are NaN or infinite"),
        ({"observed": "h.root:other/negative"}, r"histograms.SR.observed: got 1 bins below zero; expected counts"),
        (
            {"up": "h.root:SR/{process}_jesUpp"},
            r"histogram 'SR/background_jesUpp'; .*did you mean 'SR/background_jesUp'",
        ),
    ],
)
def test_what_files_do_not_hold(folder, changes, line):
    with pytest.raises(InputError, match=line) as error:
        stored(plan(parse(content(region(**changes)), "test", folder)).reading)
    assert "\n" not in str(error.value)
