"""Jagged branches in an analysis: features, selections and masses of jets, from ROOT and from Parquet."""

import awkward as ak
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import uproot

from verax.analysis import Read, observed, parse, plan, simulated
from verax.errors import InputError
from verax.events import concatenate
from verax.pipeline import _measure, measure
from verax.pipeline._summarise import summarise

N = 3000


def jets(rng, n):
    """Lists of 0 to 4 massless jets."""
    counts = rng.integers(0, 5, n)
    flat = {"pt": rng.exponential(40, counts.sum()) + 15, "eta": rng.normal(0, 1.5, counts.sum())}
    flat |= {"phi": rng.uniform(-np.pi, np.pi, counts.sum()), "m": np.zeros(counts.sum())}
    return {f"jets_{k}": ak.unflatten(v, counts) for k, v in flat.items()} | {"met": rng.exponential(30, n)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("jets")
    rng = np.random.default_rng(17)
    for name in ("signal", "background"):
        given = jets(rng, N)
        with uproot.recreate(place / f"{name}.root") as file:
            file["events"] = given
        pq.write_table(
            pa.table({k: ak.to_list(v) if isinstance(v, ak.Array) else v for k, v in given.items()}),
            place / f"{name}.parquet",
        )
    return place


PAIR = ", ".join(f"jets_{k}[{i}, 0]" for i in (0, 1) for k in ("pt", "eta", "phi", "m"))
HT = "sum(jets_pt * (jets_pt > 30))"


def content(kind="root", **changes):
    return {
        "name": "jets",
        "title": "Jets",
        "samples": [
            {"process": p, "files": [f"{p}.{kind}"], "select": "len(jets_pt) > 0"} for p in ("signal", "background")
        ],
        "observed": {"files": ["signal.parquet"], "select": "len(jets_pt) > 0"},
        "blind": False,
        "poi": {"name": "mu", "processes": ["signal"]},
        "derived": {"m_jj": f"where(len(jets_pt) >= 2, mass({PAIR}), -999)", "ht": HT},
        "features": ["m_jj", "ht", "jets_pt[0]", "len(jets_pt)", "max(abs(jets_eta), 0)"],
        "channels": [
            {"name": "two", "select": "sum(jets_pt > 30) >= 2 and m_jj > 0", "edges": [0, 100, 400]},
            {"name": "rest", "edges": [-1000, 400]},
        ],
        "summary": {"kind": "column", "column": "m_jj", "range": [-1000.0, 400.0]},
        "check": {"toys": 0},
        **changes,
    }


SCALE = {"name": "jes", "effect": "scale", "width": 0.02, "columns": ["jets_pt[0, 0]", "jets_pt[1, 0]"]}
LEFT = {"jes": ["jets_pt[0]", "len(jets_pt)", "max(abs(jets_eta), 0)", HT, "sum(jets_pt > 30)"]}


def read(given, folder):
    reading = plan(parse(given, "test", folder)).reading
    return concatenate(list(simulated(reading, reading.samples, Read()))), reading


@pytest.mark.parametrize("kind", ["root", "parquet"])
def test_columns_are_those_of_the_lists(folder, kind):
    events, reading = read(content(kind), folder)
    with uproot.open(folder / "signal.root") as file:
        given = file["events"].arrays()
    given = given[ak.num(given["jets_pt"]) > 0]
    first = np.asarray(events.process) == 0
    assert first.sum() == len(given)
    column = {c: np.asarray(events.column(c))[first] for c in events.columns}
    pt, eta, phi = given["jets_pt"], given["jets_eta"], given["jets_phi"]
    assert column["len(jets_pt)"].tolist() == ak.num(pt).tolist()
    np.testing.assert_allclose(column["ht"], ak.sum(pt[pt > 30], axis=1), rtol=1e-6)
    np.testing.assert_allclose(column["jets_pt[0]"], pt[:, 0], rtol=1e-6)
    np.testing.assert_allclose(column["max(abs(jets_eta), 0)"], ak.max(abs(eta), axis=1), rtol=1e-6)
    two = ak.num(pt) >= 2
    (p1, p2), (e1, e2), (f1, f2) = ((v[two][:, 0], v[two][:, 1]) for v in (pt, eta, phi))
    m = np.sqrt(2 * p1 * p2 * (np.cosh(e1 - e2) - np.cos(f1 - f2)))
    np.testing.assert_allclose(column["m_jj"][np.asarray(two)], m, rtol=2e-5)
    assert (column["m_jj"][~np.asarray(two)] == -999).all()
    seen = concatenate(list(observed(reading, Read())))
    np.testing.assert_allclose(np.asarray(seen.column("m_jj")), column["m_jj"], rtol=2e-5)


def test_a_scale_moves_the_mass_and_the_counts_are_the_truth(folder, tmp_path, monkeypatch):
    given = content(systematics=[SCALE], unaffected=LEFT)
    made = []
    monkeypatch.setattr(_measure, "summarise", lambda *parts: made.append(summarise(*parts)) or made[0])
    measure(parse(given, "test", folder), tmp_path / "run", until="summarise")
    found = made[0].templates
    for p, name in enumerate(("signal", "background")):
        with uproot.open(folder / f"{name}.root") as file:
            a = file["events"].arrays()
        a = a[ak.num(a["jets_pt"]) > 0]
        pt, eta, phi = (ak.fill_none(ak.pad_none(a[f"jets_{k}"], 2), 0) for k in ("pt", "eta", "phi"))
        m = np.sqrt(2 * pt[:, 0] * pt[:, 1] * (np.cosh(eta[:, 0] - eta[:, 1]) - np.cos(phi[:, 0] - phi[:, 1])))
        two = np.asarray((ak.sum(a["jets_pt"] > 30, axis=1) >= 2) & (m > 0))
        for sums, scale in ((found.nominal[p], 1.0), (found.up[0][p], 1.02), (found.down[0][p], 0.98)):
            low = int((two & np.asarray(m * scale < 100)).sum())
            assert sums.tolist() == [low, int(two.sum()) - low, int((~two).sum())]
    assert made[0].observed.tolist() == found.nominal[0].tolist()


def test_a_sum_over_a_list_does_not_follow_one_element(folder):
    for kept, line in ((LEFT["jes"][:4], "sum(jets_pt > 30)"), ([*LEFT["jes"][:3], LEFT["jes"][4]], HT)):
        with pytest.raises(InputError) as error:
            plan(parse(content(systematics=[SCALE], unaffected={"jes": kept}), "test", folder))
        assert f"a change of jets_pt[0, 0], jets_pt[1, 0] beside '{line}'; expected all that changes" in str(
            error.value
        )
        assert f"unaffected: {{jes: ['{line}']}}" in str(error.value)


SHORT = r"NaN in \d+ of .*'jets_pt\[1\]'.*; give a value for shorter lists, jets_pt\[1, -999\], or set nonfinite: drop"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"features": ["jets_pt[1]"]}, f"process 'signal': got {SHORT}"),
        ({"features": ["jets_pt[7]"]}, r"process 'signal': got no entry 'jets_pt\[7\]' in any of .* check the index"),
        (
            {"features": ["jets_pt"]},
            r"column 'jets_pt': got a list per event; .*choose an element, such as 'jets_pt\[0\]'",
        ),
        ({"features": ["jetspt[0]"]}, r"got column 'jetspt'; expected a known column; did you mean 'jets_pt'"),
        ({"features": ["met[0]"]}, r"'met\[0\]' of one number per event; expected a list; write 'met'"),
        ({"derived": {"m_jj": "sum(jets_pt, 1)"}}, r"'sum\(jets_pt, 1\)'; expected one argument of sum"),
    ],
)
def test_what_is_refused(folder, changes, line):
    with pytest.raises(InputError, match=line) as error:
        read(content(**{"derived": {"m_jj": "met"}, "channels": [{"name": "all"}], **changes}), folder)
    assert "\n" not in str(error.value)
