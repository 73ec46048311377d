"""Lists of numbers in ROOT and Parquet files: elements, numbers over all elements, and what is refused."""

import math

import awkward as ak
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import uproot

from verax.data import expression, made_of, open_table
from verax.errors import InputError

N = 1000
KINDS = ["root", "rntuple", "parquet", "large", "sliced"]


@pytest.fixture(scope="module")
def jets():
    """Lists of 0 to 4 jets, and what stands beside them."""
    rng = np.random.default_rng(31)
    counts = rng.integers(0, 5, N)
    total = counts.sum()

    def lists(values):
        return ak.unflatten(values, counts)

    return {
        "pt": lists(rng.exponential(40, total).astype(np.float32)),
        "eta": lists(rng.normal(0, 1.5, total)),
        "phi": lists(rng.uniform(-math.pi, math.pi, total)),
        "flavour": lists(rng.choice([0, 4, 5], total)),
        "tag": lists(rng.random(total) < 0.3),
        "w": ak.from_regular(rng.uniform(0.9, 1.1, (N, 3))),
        "eta0": rng.normal(0, 1, N),
        "phi0": rng.uniform(-math.pi, math.pi, N),
        "muon": ak.unflatten(np.ones(N), np.ones(N, int)),
    }


@pytest.fixture(scope="module")
def files(tmp_path_factory, jets):
    folder = tmp_path_factory.mktemp("lists")
    with uproot.recreate(folder / "a.root") as file:
        file["events"] = jets
    with uproot.recreate(folder / "b.root") as file:
        file.mkrntuple("events", jets)
    plain = {k: ak.to_list(v) if isinstance(v, ak.Array) else v for k, v in jets.items()}
    plain["pt"] = pa.array(plain["pt"], pa.list_(pa.float32()))
    table = pa.table(plain)
    pq.write_table(table, folder / "a.parquet", row_group_size=300)
    large = table.set_column(0, "pt", table["pt"].cast(pa.large_list(pa.float32())))
    large = large.set_column(5, "w", table["w"].cast(pa.list_(pa.float64(), 3)))
    pq.write_table(large, folder / "large.parquet")
    pq.write_table(
        pa.concat_tables([table.slice(0, 417), table.slice(417)]), folder / "sliced.parquet", row_group_size=70
    )
    names = {"root": "a.root", "rntuple": "b.root", "parquet": "a.parquet", "large": "large.parquet"}
    return {kind: folder / names.get(kind, "sliced.parquet") for kind in KINDS}


def first(values, k, default=math.nan):
    return [v[k] if len(v) > k else default for v in ak.to_list(values)]


def over(function, values, empty=math.nan):
    return [function(v) if len(v) else empty for v in ak.to_list(values)]


def expected(j):
    """Columns, and their values by awkward or row by row."""
    dphi = np.arctan2(np.sin(j["phi"] - j["phi0"]), np.cos(j["phi"] - j["phi0"]))
    near = np.hypot(j["eta"] - j["eta0"], dphi)
    return {
        "pt[0]": first(j["pt"], 0),
        "pt[3]": first(j["pt"], 3),
        "pt[1, -999]": first(j["pt"], 1, -999),
        "eta[0, 0.5]": first(j["eta"], 0, 0.5),
        "flavour[0, -1]": first(j["flavour"], 0, -1),
        "w[2]": ak.to_list(j["w"][:, 2]),
        "len(pt)": ak.to_list(ak.num(j["pt"])),
        "sum(pt)": [math.fsum(v) for v in ak.to_list(j["pt"])],
        "sum(pt > 30)": ak.to_list(ak.sum(j["pt"] > 30, axis=1)),
        "sum(tag)": ak.to_list(ak.sum(j["tag"], axis=1)),
        "sum((pt > 30) & (abs(eta) < 2.5) & (flavour == 5))": ak.to_list(
            ak.sum((j["pt"] > 30) & (abs(j["eta"]) < 2.5) & (j["flavour"] == 5), axis=1)
        ),
        "sum(pt * (abs(eta) < 1))": ak.to_list(ak.sum(j["pt"] * (abs(j["eta"]) < 1), axis=1)),
        "max(pt)": over(max, j["pt"]),
        "min(eta, -9)": over(min, j["eta"], -9),
        "max(flavour, -1)": over(max, j["flavour"], -1),
        "max(tag, 0)": over(max, j["tag"], 0),
        "min(deltaR(eta, phi, eta0, phi0), 99)": over(min, near, 99),
        "max(deltaR(eta, phi, eta[0], phi[0]), 0)": over(
            max,
            np.hypot(
                j["eta"] - first(j["eta"], 0), np.abs(np.pi - np.abs(np.pi - np.abs(j["phi"] - first(j["phi"], 0))))
            ),
            0,
        ),
    }


@pytest.mark.parametrize("kind", KINDS)
def test_values(files, jets, kind):
    given, table = expected(jets), open_table(files[kind])
    for rows in (N, 64):
        chunks = list(table.chunks(list(given), rows))
        for name, values in given.items():
            found = np.concatenate([c[name] for c in chunks])
            np.testing.assert_allclose(found, np.array(values, float), rtol=2e-6, atol=1e-6, err_msg=name)
    assert chunks[0]["pt[1, -999]"].dtype == np.float32
    assert chunks[0]["flavour[0, -1]"].dtype.kind == "i"
    assert chunks[0]["sum(pt > 30)"].dtype.kind == "i"


def test_a_sum_has_the_same_bits_in_any_chunk(files):
    one, other = (
        np.concatenate([c["sum(pt * eta)"] for c in open_table(files["root"]).chunks(["sum(pt * eta)"], rows)])
        for rows in (N, 7)
    )
    np.testing.assert_array_equal(one, other)


def test_parts_of_expressions_are_columns_of_the_table(files, jets):
    e = expression("(len(pt) >= 2) & (sum( pt>30 ) > 0) & (pt[0,-1] > 20)")
    assert e.names == ("len(pt)", "sum(pt > 30)", "pt[0, -1]")
    (chunk,) = open_table(files["root"]).chunks(e.names, N)
    counts = np.array(ak.num(jets["pt"]))
    some = (counts >= 2) & np.array(ak.sum(jets["pt"] > 30, axis=1) > 0) & (np.array(first(jets["pt"], 0, -1)) > 20)
    np.testing.assert_array_equal(e.passed(chunk), some)
    assert made_of("min(deltaR(eta, phi, eta[0], phi0))") == ("eta", "phi", "phi0")


def test_a_column_of_that_name_comes_first(tmp_path):
    pq.write_table(pa.table({"len(pt)": [7.0], "pt": [[1.0, 2.0]], "pt[0]": [9.0]}), tmp_path / "a.parquet")
    (chunk,) = open_table(tmp_path / "a.parquet").chunks(["len(pt)", "pt[0]", "pt[1]"], 1)
    assert [float(chunk[n][0]) for n in ("len(pt)", "pt[0]", "pt[1]")] == [7.0, 9.0, 2.0]


def test_missing_lists_are_empty(tmp_path):
    pq.write_table(pa.table({"pt": pa.array([[1.0], None, []])}), tmp_path / "a.parquet")
    (chunk,) = open_table(tmp_path / "a.parquet").chunks(["len(pt)", "pt[0, -1]", "sum(pt)"], 9)
    assert [chunk[n].tolist() for n in chunk] == [[1, 0, 0], [1.0, -1.0, -1.0], [1.0, 0.0, 0.0]]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("sum()", r"got 'sum\(\)'; expected one argument of sum"),
        ("sum(pt, 3)", r"got 'sum\(pt, 3\)'; expected one argument of sum"),
        ("max(pt, eta)", r"expected a number for empty lists as second argument of max; maximum\(a, b\) takes two"),
        ("len(pt > 30)", r"expected len of a list; sum\(jets_pt > 30\) counts elements"),
        ("sum(1)", r"got 'sum\(1\)'; expected sum of lists"),
        ("sum(pt > )", "invalid syntax"),
        ("summ(pt)", r"function 'summ'; .*did you mean 'sum'"),
        ("deltaR(eta, phi, eta0)", "expected 4 arguments of deltaR"),
        ("deltar(eta, phi, eta0, phi0)", r"function 'deltar'.*did you mean 'deltaR'"),
        ("pt[-1]", "expected the name of a column, or one element of a list such as"),
        ("pt[0, x]", "expected the name of a column, or one element of a list such as"),
        ("sum(open(pt))", "expected a known function"),
    ],
)
def test_texts_that_are_refused(text, line):
    with pytest.raises(InputError, match=line) as error:
        expression(text)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", ["root", "parquet"])
@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("max(eta0, 0)", r"'max\(eta0\)': got no list in eta0; expected a list in each row; maximum\(a, b\)"),
        (
            "sum(pt * muon)",
            r"'sum\(pt \* muon\)': got \d elements of 'pt' beside 1 of 'muon'; expected lists of one length",
        ),
        ("eta0[0]", r"column 'eta0': got 'eta0\[0\]' of one number per event; expected a list; write 'eta0'"),
        ("sum(ptt)", r"got column 'ptt'; expected a known column; did you mean 'pt'"),
        ("max(pt, eta)", r"expected a number for empty lists as second argument of max"),
        ("sum()", r"got 'sum\(\)'; expected one argument of sum"),
        ("len(jets)", r"got column 'jets'; expected a known column"),
        ("pt", r"column 'pt': got a list per event; expected one number per event"),
    ],
)
def test_what_files_do_not_hold(files, kind, name, line):
    with pytest.raises(InputError, match=line) as error:
        list(open_table(files[kind]).chunks([name], N))
    assert "\n" not in str(error.value)
