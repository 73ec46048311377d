"""Sums of weights that files carry beside their events."""

import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import uproot
from uproot.behaviors.TParameter import TParameter_3c_floating_3e_

from verax.data import paths, sum_of_weights
from verax.errors import InputError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two ROOT files and two Parquet files, each with its own Σw in every place; and one of signed weights that cancel."""
    place = tmp_path_factory.mktemp("sums")
    rng = np.random.default_rng(3)
    for name in ("a", "b"):
        w = rng.normal(1.0, 0.5, 1000)
        edges = np.array([0.0, 1.0, 2.0, 3.0])
        with uproot.recreate(place / f"{name}.root") as file:
            file["Runs"] = {"genEventSumw": w[:2] * 1e6, "count": np.array([10, 20]), "mean": np.array([0.5, 0.25])}
            file["Events"] = {"w": w}
            file["cuts/flow"] = np.array([w.sum(), 7.0, -1.0]), edges
            file["sumw"] = repr(float(w.sum()))
        table = pa.table({"w": w}).replace_schema_metadata({"sumw": repr(float(w.sum())), "text": "x"})
        pq.write_table(table, place / f"{name}.parquet")
    with uproot.recreate(place / "zero.root") as file:
        file["Events"] = {"w": np.array([1.0, -1.0])}
    return place


def weights(folder, name):
    return pq.read_table(folder / f"{name}.parquet")["w"].to_numpy()


def test_files_are_added(folder):
    both = [folder / "a.root", folder / "b.root"]
    a, b = weights(folder, "a"), weights(folder, "b")
    total = math.fsum([*a.tolist(), *b.tolist()])
    assert sum_of_weights(both, column="Events:w") == total
    assert sum_of_weights(both, column="Events:w", rows=7) == total
    assert sum_of_weights([folder / "*.parquet"], column="w") == total
    assert sum_of_weights(both, column="Runs:genEventSumw") == math.fsum([*a[:2] * 1e6, *b[:2] * 1e6])
    assert sum_of_weights(both, column="Runs:count * mean") == 20.0
    assert sum_of_weights(both, histogram="cuts/flow", bin=1) == a.sum() + b.sum()
    assert sum_of_weights(both, histogram="cuts/flow") == pytest.approx(total + 12.0, rel=1e-14)
    assert sum_of_weights(both, metadata="sumw") == a.sum() + b.sum()
    assert sum_of_weights([folder / "[ab].parquet"], metadata="sumw") == a.sum() + b.sum()
    assert paths([folder / "[ab].root"]) == both


def test_a_bin_by_its_label(folder, tmp_path):
    from uproot.writing.identify import to_TAxis, to_TH1x, to_THashList, to_TObjString

    names = ["all", "trigger"]
    strings = [to_TObjString(n) for n in names]
    for i, string in enumerate(strings):
        string._bases[0]._members["@fUniqueID"] = i + 1
    axis = to_TAxis("xaxis", "", 2, 0.0, 2.0, fLabels=to_THashList(strings))
    contents = np.array([0.0, 12.0, 5.0, 0.0])
    with uproot.recreate(tmp_path / "c.root") as file:
        file["h"] = to_TH1x("h", "", contents, 17.0, 17.0, 17.0, 0.0, 0.0, contents, axis)
    assert sum_of_weights([tmp_path / "c.root"], histogram="h", bin="all") == 12.0
    with pytest.raises(InputError, match=r"label of a bin 'al'.*did you mean 'all'"):
        sum_of_weights([tmp_path / "c.root"], histogram="h", bin="al")


@pytest.mark.parametrize(
    ("files", "place", "line"),
    [
        (["a.root"], {"histogram": "cuts/flo"}, r"a.root: got histogram 'cuts/flo'; .*did you mean 'cuts/flow'"),
        (["a.root"], {"histogram": "Runs"}, r"got histogram 'Runs'; expected a known histogram"),
        (["a.root"], {"histogram": "cuts/flow", "bin": 4}, r"got bin 4; expected 1 … 3"),
        (["a.root"], {"histogram": "cuts/flow", "bin": 3}, r"sum of weights of -1 in 'cuts/flow'; expected a positive"),
        (["a.root"], {"column": "Run:genEventSumw"}, r"got tree 'Run'; expected a known tree; did you mean 'Runs'"),
        (["a.root"], {"column": "Runs:genEventSum"}, r"got column 'genEventSum'.*did you mean 'genEventSumw'"),
        (["a.root"], {"metadata": "sum"}, r"TParameter or TObjString 'sum'.*did you mean 'sumw'"),
        (["a.parquet"], {"metadata": "sum"}, r"key of the metadata 'sum'.*did you mean 'sumw'"),
        (["a.parquet"], {"metadata": "text"}, r"metadata 'text': got 'x'; expected a number"),
        (["a.parquet"], {"histogram": "h"}, r"a.parquet: got the ending '.parquet'; expected a ROOT file"),
        (["zero.root"], {"column": "w"}, r"sum of weights of 0 in 'w'; expected a positive one"),
        (["a.root", "a.root"], {"column": "Runs:count"}, r"a.root' counted twice; expected each file once"),
        (["a.root"], {}, r"expected one of column, histogram and metadata"),
        (["c.root"], {"column": "w"}, r"no such file"),
    ],
)
def test_what_is_refused(folder, files, place, line):
    with pytest.raises(InputError, match=line) as error:
        sum_of_weights([folder / f for f in files], **place)
    assert "\n" not in str(error.value)


def test_a_copy_counts_as_the_file(folder, tmp_path):
    (tmp_path / "copy.root").write_bytes((folder / "a.root").read_bytes())
    with pytest.raises(InputError, match=r"a.root' and .*copy.root', which are equal, counted twice"):
        sum_of_weights([folder / "a.root", tmp_path / "copy.root"], column="Events:w")


def test_csv_has_no_metadata(tmp_path):
    (tmp_path / "a.csv").write_text("w\n1\n")
    assert sum_of_weights([tmp_path / "a.csv"], column="w") == 1.0
    with pytest.raises(InputError, match="a file without metadata; expected ROOT or Parquet"):
        sum_of_weights([tmp_path / "a.csv"], metadata="sumw")


def test_a_parameter_of_root(folder, monkeypatch):
    """A TParameter<double>, which uproot reads and does not write: the file is told to have one."""

    class Parameter(TParameter_3c_floating_3e_):
        def member(self, name):
            return {"fName": "sumw", "fVal": 12.5}[name]

    class File:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def classnames(self, *, cycle):
            return {"Events": "TTree", "sumw": "TParameter<double>"}

        def __getitem__(self, name):
            return {"sumw": Parameter()}[name]

    monkeypatch.setattr(uproot, "open", lambda path: File())
    assert sum_of_weights([folder / "a.root"], metadata="sumw") == 12.5
