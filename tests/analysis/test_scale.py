"""Luminosity × cross-section × k-factor × filter efficiency / Σw: yields with a known answer, and what is refused."""

import json
import math

import numpy as np
import pytest
import uproot
import yaml

from verax.analysis import Read, load, parse, plan, simulated, written
from verax.errors import InputError
from verax.events import concatenate
from verax.pipeline import measure

LUMI, XSEC, K, FILTER = 36.1, 0.5, 1.5, 0.25
EVENTS = LUMI * 1000 * XSEC * K * FILTER
"""Expected events before any selection."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Skimmed files: of 5,000 simulated events with weights of both signs those with x > 0 are kept; Σw is of all."""
    place = tmp_path_factory.mktemp("scale")
    rng = np.random.default_rng(11)
    for name, mean in (("sig1", 0.5), ("sig2", 0.5), ("bkg", 0.0)):
        x, w = rng.normal(mean, 1.0, 5000), rng.choice([3.0, -1.0], 5000, p=[0.8, 0.2])
        kept = x > 0
        with uproot.recreate(place / f"{name}.root") as file:
            file["Events"] = {"x": x[kept], "w": w[kept]}
            file["Runs"] = {"sumw": np.array([w[:2000].sum(), w[2000:].sum()])}
            file["flow"] = np.array([w.sum(), w[kept].sum()]), np.array([0.0, 1.0, 2.0])
        np.save(place / f"{name}.npy", [w.sum(), w[kept].sum(), w[x > 1].sum()])
    return place


def sums(folder, *names):
    """Σw of all, of the kept, and of those with x > 1."""
    return np.sum([np.load(folder / f"{name}.npy") for name in names], axis=0)


def content(**sample):
    """An analysis of a signal with a cross-section and a background of a given total."""
    events = {"tree": "Events", "weight": "w"}
    scale = {
        "cross_section": XSEC,
        "k_factor": K,
        "filter_efficiency": FILTER,
        "sum_of_weights": {"column": "Runs:sumw"},
    }
    signal = {"process": "signal", "files": ["sig1.root", "sig2.root"], **events, **scale, **sample}
    return {
        "name": "scaled",
        "title": "Scaled",
        "lumi": LUMI,
        "samples": [
            {k: v for k, v in signal.items() if v is not None},
            {"process": "background", "files": ["bkg.root"], **events, "total": 500},
        ],
        "poi": {"name": "mu", "processes": ["signal"]},
        "features": ["x"],
        "summary": {"kind": "column", "column": "x", "range": [0.0, 4.0]},
        "channels": [{"name": "SR", "edges": [0.0, 1.0, 4.0]}],
        "check": {"toys": 0},
    }


def total(folder, given):
    """Σw of the signal as an analysis reads it, and the factors on its samples."""
    reading, count = plan(parse(given, "test", folder)).reading, Read()
    events = concatenate(list(simulated(reading, reading.samples, count)))
    return math.fsum(events.weight[events.process == 0].tolist()), count


@pytest.mark.parametrize(
    "where",
    [
        {"column": "Runs:sumw"},
        {"histogram": "flow", "bin": 1},
        {"files": ["sig?.root"], "column": "Runs:sumw"},
        "number",
    ],
)
def test_the_yield_is_that_of_all_simulated_events_times_the_share_selected(folder, where):
    everything, kept, _ = sums(folder, "sig1", "sig2")
    given = float(everything) if where == "number" else where
    found, count = total(folder, content(sum_of_weights=given))
    assert found == pytest.approx(EVENTS * kept / everything, rel=2e-7)
    signal, background = count.scales
    assert (signal.process, signal.lumi, signal.cross_section) == ("signal", LUMI, XSEC)
    assert (signal.events, signal.sum_of_weights) == (pytest.approx(EVENTS, rel=1e-15), everything)
    assert signal.factor == signal.events / everything
    assert background.cross_section is None
    assert background.factor == pytest.approx(500 / sums(folder, "bkg")[1], rel=1e-12)


def test_a_selection_comes_after_the_scale(folder):
    everything, _, tight = sums(folder, "sig1", "sig2")
    found, _ = total(folder, content(select="x > 1"))
    assert found == pytest.approx(EVENTS * tight / everything, rel=2e-7)


@pytest.mark.parametrize(
    ("lumi", "section"),
    [
        ("36.1 fb^-1", "0.5 pb"),
        ("36.1 fb-1", "500 fb"),
        ("36100/pb", "0.5pb"),
        ("0.0361 ab⁻¹", "5e-4 nb"),
        ("36.1", "5e5 ab"),
        ("3.61e4 pb^{-1}", "5e-7 µb"),
    ],
)
def test_units(folder, lumi, section):
    a = parse(content(cross_section=section) | {"lumi": lumi}, "test", folder)
    assert a.lumi == pytest.approx(LUMI, rel=1e-14)
    assert a.samples[0].cross_section == pytest.approx(XSEC, rel=1e-14)


def test_periods_with_a_luminosity_of_their_own(folder):
    given = content(files=["sig1.root"], lumi="3.2 fb^-1")
    given["samples"].insert(1, {**given["samples"][0], "files": ["sig2.root"], "lumi": 32.9})
    del given["lumi"]
    found, count = total(folder, given)
    one, two = (sums(folder, name)[:2] for name in ("sig1", "sig2"))
    assert found == pytest.approx(EVENTS / LUMI * (3.2 * one[1] / one[0] + 32.9 * two[1] / two[0]), rel=2e-7)
    assert count.notes("events") == []


def test_one_simulation_in_two_samples_is_told(folder):
    given = content(files=["sig1.root"])
    given["samples"].insert(1, {**given["samples"][0], "files": ["sig2.root"]})
    (note,) = total(folder, given)[1].notes("events")
    assert note.startswith("process 'signal': two samples, each scaled to 0.5 pb, from sig1.root and sig2.root")
    given["samples"][1]["select"], given["samples"][0]["select"] = "x > 1", "x <= 1"
    given["samples"][1]["files"] = ["sig1.root"]
    assert total(folder, given)[1].notes("events") == []  # parts of one file


def test_varied_samples_have_their_own(folder):
    given = content()
    varied = {**given["samples"][0], "files": ["sig2.root"]}
    given["systematics"] = [{"name": "model", "effect": "samples", "up": [varied]}]
    parts, count = plan(parse(given, "test", folder)).reading, Read()
    up = concatenate(list(simulated(parts, parts.varied[0].samples, count, varied=True)))
    everything, kept, _ = sums(folder, "sig2")
    assert up.weight.sum(dtype=np.float64) == pytest.approx(EVENTS * kept / everything, rel=2e-7)
    assert [s.varied for s in count.scales] == [True]


def test_the_result_and_the_report_say_the_factor(folder, tmp_path):
    measure(parse(content(), "test", folder), tmp_path / "run")
    everything, kept, tight = sums(folder, "sig1", "sig2")
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    nominal = results["templates"]["nominal"][0]
    assert nominal == pytest.approx([EVENTS * (kept - tight) / everything, EVENTS * tight / everything], rel=1e-6)
    assert results["events"]["scales"][0]["factor"] == EVENTS / everything
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Scale of the samples" in page
    assert f"{EVENTS / everything:.6g}" in page


def test_the_file_is_written_again_as_it_was_read(folder, tmp_path):
    given = content(sum_of_weights={"files": ["sig?.root"], "column": "Runs:sumw"}) | {"lumi": "36.1/fb"}
    path = tmp_path / "again.yaml"
    path.write_text(written(parse(given, "test", folder)))
    assert path.read_text().count(str(folder)) >= 3
    again, first = load(path), parse(given, "test", folder)
    assert again.lumi == first.lumi
    assert again.samples[0].k_factor == K
    assert plan(again).files == plan(first).files


def test_files_that_say_the_sum_are_inputs(folder, tmp_path):
    (tmp_path / "sums.csv").write_text("sumw\n100\n")
    given = content(sum_of_weights={"files": [str(tmp_path / "sums.csv")], "column": "sumw"})
    assert str(tmp_path / "sums.csv") in plan(parse(given, "test", folder)).files
    assert total(folder, given)[1].scales[0].sum_of_weights == 100


@pytest.mark.parametrize(
    ("sample", "line"),
    [
        ({"cross_section": "0.5 pbb"}, 'cross_section: got "0.5 pbb"; expected pb as a number, or text such as'),
        ({"cross_section": True}, "cross_section: got true; expected pb as a number"),
        ({"cross_section": -1}, "cross_section: got -1; expected a number greater than 0"),
        ({"cross_section": None}, "process 'signal': got k_factor without cross_section"),
        ({"sum_of_weights": None}, "process 'signal': got cross_section without sum_of_weights; expected Σw"),
        ({"sum_of_weights": 0}, "sum_of_weights: got 0; expected a number greater than 0 or keys with values"),
        ({"sum_of_weights": "Runs:sumw"}, 'sum_of_weights: got "Runs:sumw"; expected a number or keys'),
        ({"sum_of_weights": {"columns": "sumw"}}, r"unknown key 'columns'; .*did you mean 'column'\?"),
        ({"sum_of_weights": {"bin": 1}}, "got neither column, histogram nor metadata; expected one of"),
        ({"sum_of_weights": {"column": "w", "bin": 1}}, "got bin 1 of no histogram"),
        ({"sum_of_weights": {"column": "w", "metadata": "w"}}, "got column and metadata; expected one of"),
        ({"total": 3}, "process 'signal': got both total and cross_section; expected one of them"),
        ({"filter_efficiency": 1.2}, "filter_efficiency: got 1.2; expected a number of at most 1"),
        ({"crosssection": 1}, r"unknown key 'crosssection'; .*did you mean 'cross_section'\?"),
    ],
)
def test_what_is_refused_in_the_file(folder, sample, line):
    with pytest.raises(InputError, match=line) as error:
        parse(yaml.safe_load(yaml.safe_dump(content(**sample))), "test", folder)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("lumi", "line"),
    [
        (None, "process 'signal': got cross_section without lumi; expected the luminosity"),
        ("36 fb", "lumi: got \"36 fb\"; expected fb⁻¹ as a number, or text such as '139 fb.-1'"),
        (0, "lumi: got 0; expected a number greater than 0"),
    ],
)
def test_luminosities_that_are_refused(folder, lumi, line):
    with pytest.raises(InputError, match=line):
        parse(content() | {"lumi": lumi}, "test", folder)


def test_a_luminosity_that_scales_nothing(folder):
    given = content(**dict.fromkeys(("cross_section", "k_factor", "filter_efficiency", "sum_of_weights")), total=10)
    with pytest.raises(
        InputError, match=r"lumi: got 36\.1 fb⁻¹; expected a sample with a cross_section that it scales"
    ):
        parse(given, "test", folder)


@pytest.mark.parametrize(
    ("where", "line"),
    [
        ({"histogram": "flo"}, r"process 'signal', sum_of_weights: .*histogram 'flo'.*did you mean 'flow'"),
        ({"column": "Runs:sum"}, r"process 'signal', sum_of_weights: .*column 'sum'.*did you mean 'sumw'"),
        ({"column": "Runs:sumw - sumw"}, r"process 'signal', sum_of_weights: .*got a sum of weights of 0"),
        ({"column": "Runs:sumw", "files": ["sig1.root", "sig*.root"]}, r"sig1.root' counted twice; expected each file"),
    ],
)
def test_what_files_do_not_say(folder, where, line):
    with pytest.raises(InputError, match=line) as error:
        total(folder, content(sum_of_weights=where))
    assert "\n" not in str(error.value)
