"""Reading CSV, Parquet and ROOT in chunks, and what is said about damaged or wrong files."""

import gzip

import awkward as ak
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import uproot

from verax.data import open_table
from verax.data._table import rechunk
from verax.errors import InputError

N = 2500
FORMATS = ["csv", "csv.gz", "csv.bz2", "parquet", "root", "rntuple"]


@pytest.fixture(scope="module")
def truth():
    rng = np.random.default_rng(7)
    return {
        "x": rng.normal(size=N),
        "n": rng.integers(0, 5, N),
        "number": np.arange(2**53, 2**53 + N),
        "label": rng.choice(["s", "b"], N).astype(object),
    }


@pytest.fixture(scope="module")
def files(tmp_path_factory, truth):
    folder = tmp_path_factory.mktemp("tables")
    table = pa.table(truth)
    pyarrow.csv.write_csv(table, folder / "t.csv")
    for ending in ("csv.gz", "csv.bz2"):
        with pa.CompressedOutputStream(
            str(folder / f"t.{ending}"), {"csv.gz": "gzip", "csv.bz2": "bz2"}[ending]
        ) as out:
            pyarrow.csv.write_csv(table, out)
    pq.write_table(table, folder / "t.parquet", row_group_size=700)
    strings = ak.Array(list(truth["label"]))
    jets = ak.Array([[float(i)] * (i % 3) for i in range(N)])
    with uproot.recreate(folder / "t.root") as file:
        file.mktree("events", {**{k: v.dtype for k, v in truth.items() if k != "label"}, "jet_pt": "var * float64"})
        for start in range(0, N, 700):
            part = {k: v[start : start + 700] for k, v in truth.items() if k != "label"}
            file["events"].extend({**part, "jet_pt": jets[start : start + 700]})
    with uproot.recreate(folder / "t2.root") as file:
        file["one"] = {"x": truth["x"]}
        file["other"] = {"x": truth["x"]}
    with uproot.recreate(folder / "rntuple.root") as file:
        numbers = {k: v for k, v in truth.items() if k != "label"}
        file.mkrntuple("events", {**numbers, "label": strings, "jet_pt": jets})
    return folder


def path_of(files, kind):
    return files / ("rntuple.root" if kind == "rntuple" else f"t.{kind}")


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("rows", [700, 1000, 10**6])
def test_all_formats_give_the_same_rows(files, truth, kind, rows):
    table = open_table(path_of(files, kind))
    names = ["number", "x", "n"] + (["label"] if kind != "root" else [])
    chunks = list(table.chunks(names, rows, text=("label",), integer=("number",)))
    assert [len(c["x"]) for c in chunks] == [min(rows, N - start) for start in range(0, N, rows)]
    assert table.length() == (None if "csv" in kind else N)
    for name in names:
        np.testing.assert_array_equal(np.concatenate([c[name] for c in chunks]), truth[name])
    assert list(chunks[0]) == names


def test_csv_is_float64_whatever_its_first_block_looks_like(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n" + "1,2\n" * 400_000 + "1.5,\n")  # integers for more than one block, then not
    chunks = list(open_table(path).chunks(["a", "b"], 250_000))
    assert chunks[0]["a"].dtype == np.float64
    assert chunks[-1]["a"][-1] == 1.5
    assert np.isnan(chunks[-1]["b"][-1])


def test_patterns_and_lists(files, truth, tmp_path):
    for i in range(3):
        pq.write_table(pa.table({"x": truth["x"][i * 100 : (i + 1) * 100]}), tmp_path / f"run{i}.parquet")
    (all_rows,) = open_table(str(tmp_path / "run*.parquet")).chunks(["x"], 1000)
    np.testing.assert_array_equal(all_rows["x"], truth["x"][:300])
    two = open_table([tmp_path / "run2.parquet", tmp_path / "run0.parquet"])
    assert two.length() == 200
    chunks = list(two.chunks(["x"], 150))
    assert [len(c["x"]) for c in chunks] == [150, 50]
    np.testing.assert_array_equal(chunks[0]["x"][:100], truth["x"][200:300])


def test_elements_of_lists(files):
    for kind in ("root", "rntuple"):
        table = open_table(path_of(files, kind))
        (chunk,) = table.chunks(["jet_pt[0]", "jet_pt[1]"], N)
        i = np.arange(N)
        np.testing.assert_array_equal(chunk["jet_pt[0]"], np.where(i % 3 > 0, i, np.nan))
        np.testing.assert_array_equal(chunk["jet_pt[1]"], np.where(i % 3 > 1, i, np.nan))
        with pytest.raises(InputError, match=r"column 'jet_pt': got a list.*choose an element, such as 'jet_pt\[0\]'"):
            list(table.chunks(["jet_pt"], N))
        with pytest.raises(
            InputError, match=r"column 'x': got 'x\[0\]' of one number per event; expected a list; write 'x'"
        ):
            list(table.chunks(["x[0]"], N))


def test_a_list_is_no_number(tmp_path):
    pq.write_table(
        pa.table({"jets": [[1.0], [2.0, 3.0]], "deep": [[[1.0]], []], "words": [["a"], []]}), tmp_path / "a.parquet"
    )
    table = open_table(tmp_path / "a.parquet")
    with pytest.raises(
        InputError, match=r"column 'jets': got a list per event; .*choose an element, such as 'jets\[0\]'"
    ):
        list(table.chunks(["jets"], 10))
    for name in ("deep", "words"):
        with pytest.raises(InputError, match=f"column '{name}': got values that are no numbers"):
            list(table.chunks([name], 10))


def test_memory_does_not_grow_with_the_file(tmp_path):
    path = tmp_path / "big.parquet"
    with pq.ParquetWriter(path, pa.schema([("x", pa.float64())])) as writer:
        for i in range(40):
            writer.write_table(pa.table({"x": np.random.default_rng(i).normal(size=50_000)}))  # 16 MB in all
    pool = pa.default_memory_pool()
    before, most = pool.bytes_allocated(), 0
    for _ in open_table(path).chunks(["x"], 10_000):
        most = max(most, pool.bytes_allocated() - before)
    assert 0 < most < 4_000_000


def test_chunks_of_any_batches():
    batches = [{"a": np.arange(i * 10, i * 10 + n)} for i, n in enumerate([10, 3, 10, 1])]
    chunks = list(rechunk(batches, 4))
    assert [len(c["a"]) for c in chunks] == [4] * 6
    np.testing.assert_array_equal(np.concatenate([c["a"] for c in chunks]), np.concatenate([b["a"] for b in batches]))


# ------------------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize("kind", FORMATS)
def test_unknown_columns_name_their_neighbour(files, kind):
    with pytest.raises(InputError, match=r"got column 'numbr'; expected a known column; did you mean 'number'\?"):
        open_table(path_of(files, kind)).chunks(["numbr"], 10)


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "parquet", "rntuple"])
def test_text_where_numbers_are_expected(files, kind):
    with pytest.raises(InputError, match=r"numbers"):
        list(open_table(path_of(files, kind)).chunks(["x", "label"], 10**6))


@pytest.mark.parametrize("kind", FORMATS)
def test_truncated_files(files, tmp_path, kind):
    content = path_of(files, kind).read_bytes()
    path = tmp_path / path_of(files, kind).name
    for fraction in (0.01, 0.4, 0.7, 0.9) if kind != "csv" else (0.4051,):
        path.write_bytes(content[: int(len(content) * fraction)])
        with pytest.raises(InputError, match=path.name) as caught:
            list(open_table(path).chunks(["x", "n", "number"], 1000))
        assert "\n" not in str(caught.value)


def test_gzip_cut_in_its_last_bytes(files, tmp_path):
    content = gzip.compress((files / "t.csv").read_bytes())
    (tmp_path / "a.csv.gz").write_bytes(content[:-6])  # all rows are there, the checksum is not
    with pytest.raises(InputError, match=r"a\.csv\.gz: got .*; expected a complete"):
        list(open_table(tmp_path / "a.csv.gz").chunks(["x"], 1000))


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet", "root"])
def test_damaged_and_empty_files(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    path.write_bytes(b"")
    with pytest.raises(InputError, match="an empty file"):
        open_table(path)
    path.write_bytes(bytes(range(256)) * 20)
    with pytest.raises(InputError, match=str(path)):
        list(open_table(path).chunks(["x"], 10))


def test_files_without_rows(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n")
    pq.write_table(pa.table({"x": np.zeros(0)}), tmp_path / "a.parquet")
    with uproot.recreate(tmp_path / "a.root") as file:
        file.mktree("t", {"x": "f8"})
    for name in ("a.csv", "a.parquet", "a.root"):
        with pytest.raises(InputError, match="got no rows; expected at least one event"):
            list(open_table(tmp_path / name).chunks(["x"], 10))


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_two_columns_of_one_name_are_refused_where_it_is_read(name, tmp_path):
    """Which of them would count is nobody's to guess."""
    table = pa.Table.from_arrays([pa.array([1.0]), pa.array([2.0]), pa.array([3.0])], names=["x", "y", "x"])
    (pyarrow.csv.write_csv if name == "a.csv" else pq.write_table)(table, tmp_path / name)
    with pytest.raises(InputError, match="column 'x' twice; expected one of a name"):
        open_table(tmp_path / name).chunks(["y", "x"], 10)
    if name == "a.csv":
        assert [c["y"].tolist() for c in open_table(tmp_path / name).chunks(["y"], 10)] == [[2.0]]


def test_missing_files(tmp_path):
    with pytest.raises(InputError, match=r"nothing\.csv: got no such file"):
        open_table(tmp_path / "nothing.csv")
    with pytest.raises(InputError, match="got no file that matches"):
        open_table(str(tmp_path / "*.root"))
    with pytest.raises(InputError, match="got a folder"):
        open_table(tmp_path)
    with pytest.raises(InputError, match="an empty list"):
        open_table([])
    with pytest.raises(InputError, match="a file on another machine"):
        open_table("root://host//store/a.root")
    (tmp_path / "b.root").write_text("x")
    with pytest.raises(InputError, match=r"b\.root: got .*; expected a complete ROOT file"):
        open_table(f"{tmp_path / 'b.root'}:events")
    with pytest.raises(InputError, match=r"c\.root: got no such file"):
        open_table(f"{tmp_path / 'c.root'}:events")
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(InputError, match=r"the ending '\.txt'; expected one of \.csv, \.csv\.gz"):
        open_table(tmp_path / "a.txt")


def test_trees(files):
    assert open_table(files / "t.root").parts == ((files / "t.root", "events"),)
    with pytest.raises(InputError, match="got trees one, other; expected one tree; name it with 'tree'"):
        open_table(files / "t2.root")
    (chunk,) = open_table(files / "t2.root", tree="other").chunks(["x"], N)
    assert len(chunk["x"]) == N
    with pytest.raises(InputError, match=r"got tree 'othr'; expected a known tree; did you mean 'other'\?"):
        open_table(files / "t2.root", tree="othr")


def test_chunks_need_rows(files):
    with pytest.raises(InputError, match="rows in a chunk: got 0"):
        open_table(files / "t.csv").chunks(["x"], 0)


def test_integers_that_are_none(tmp_path):
    (tmp_path / "a.csv").write_text("x\n1\n1.5\n")
    with pytest.raises(InputError, match=r"1\.5"):
        list(open_table(tmp_path / "a.csv").chunks(["x"], 10, integer=("x",)))
