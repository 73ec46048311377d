"""The shipped HiggsML sample, and the FAIR Universe sample where it is present."""

import hashlib

import numpy as np
import pytest

from verax.data import expression, fair_universe, higgsml, open_table
from verax.errors import InputError
from verax.events import concatenate
from verax.systematics import HIGGSML, derive, not_recomputed


@pytest.fixture(scope="module")
def events():
    return higgsml.load()


def yields(events):
    return {
        p: float(np.asarray(events.weight, np.float64)[events.process == i].sum())
        for i, p in enumerate(events.processes)
    }


def test_the_shipped_file_is_the_published_one(shared):
    name = "atlas_higgs2014_first22889.csv.gz"
    original = (shared / "higgsml2014" / name).read_bytes()
    assert hashlib.sha256(higgsml.path().read_bytes()).digest() == hashlib.sha256(original).digest()
    assert "10.7483/OPENDATA.ATLAS.ZBP2.M5T8" in (higgsml.path().parent / "README.md").read_text()


def test_higgsml_rows_and_yields(events):
    assert len(events) == 22889
    counts = np.bincount(events.process)
    assert counts[0] == 7817
    assert counts[1:].sum() == 15072
    assert counts.min() > 500
    found = yields(events)
    assert found["htautau"] == pytest.approx(691.98861, rel=1e-6)
    assert sum(found.values()) - found["htautau"] == pytest.approx(410999.847, rel=1e-6)
    assert events.number[0] == 100000
    assert len(np.unique(events.number)) == 22889


def test_processes_follow_the_weight_code(events):
    (chunk,) = open_table(higgsml.path()).chunks(["Weight", "Label"], 30000, text=("Label",))
    codes = expression("floor(1e7 * Weight + 0.5)")(chunk)
    for process, known in higgsml.CODES.items():
        np.testing.assert_array_equal(np.isin(codes, known), events.is_process([process]))
    assert np.all(chunk["Label"][np.asarray(events.is_process(["wjets"]))] == "b")
    with pytest.raises(InputError, match="label b with weight"):
        higgsml.process_of(np.array([57207e-7]), np.array(["b"], object))


def test_nothing_but_what_can_be_recomputed_is_there(events):
    assert not_recomputed(events.columns, HIGGSML, higgsml.systematics()) == ()
    assert np.isfinite(events.x).all()
    again = derive(events, HIGGSML)
    np.testing.assert_allclose(again.x, events.x, rtol=3e-6, atol=3e-4)


def test_chunks_join_to_the_whole(events):
    chunks = list(higgsml.chunks(rows=7000))
    assert [len(c) for c in chunks] == [7000, 7000, 7000, 1889]
    joined = concatenate(chunks)
    np.testing.assert_array_equal(joined.weight, events.weight)
    np.testing.assert_array_equal(joined.number, events.number)
    np.testing.assert_array_equal(joined.x, events.x)  # the same bits whatever the chunks


def test_systematics_have_their_priors():
    names = [s.name for s in higgsml.systematics(soft=3.0)]
    assert names == ["tes", "jes", "les", "wjets_norm", "soft_met"]
    assert [s.name for s in higgsml.systematics()] == names[:-1]


def test_fair_universe(shared):
    events = fair_universe.load(shared / "fair_universe" / "FAIR_Universe_HiggsML_data.parquet")
    assert len(events) == 1000
    found = yields(events)
    assert found == pytest.approx({"htautau": 1038.6, "ztautau": 1003219, "ttbar": 40906, "diboson": 6269}, rel=1e-4)
    assert [s.name for s in fair_universe.systematics()] == [
        "tes", "jes", "soft_met", "ttbar_scale", "diboson_scale", "bkg_scale",
    ]  # fmt: skip


def test_other_files_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text("EventId,Weight,Label\n1,1.0,s\n2,2.0,b\n")
    with pytest.raises(InputError, match="column 'DER_mass_transverse_met_lep'"):
        higgsml.load(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_text("EventId,Weight,Label\n1,1.0,s\n")
    with pytest.raises(InputError, match="label 'b' with sum of weights 0"):
        higgsml.load(tmp_path / "b.csv")
    with pytest.raises(InputError, match="column"):
        fair_universe.load(higgsml.path())
