"""Published data sets on generated files of their layouts: none of the full files is at hand."""

import gzip
import http.server
import math
import threading
from dataclasses import replace

import awkward as ak
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import uproot

from verax.cli import main
from verax.data import (
    CATALOGUE,
    _against_published,
    check_file,
    cms_htautau,
    describe_file,
    fair_universe,
    fetch,
    higgsml,
    open_table,
    recognise,
    uci_higgs,
)
from verax.errors import InputError

RNG = np.random.default_rng(3)


def verdicts(path, name=None):
    return {c.what: c.good for c in check_file(path, name)[1]}


@pytest.fixture
def small(monkeypatch):
    """Catalogue entries with the number of rows of a generated file."""

    def shrink(name, **changes):
        monkeypatch.setitem(CATALOGUE, name, replace(CATALOGUE[name], **changes))

    return shrink


def test_the_catalogue_says_what_the_readers_read():
    assert CATALOGUE["higgsml"].columns == open_table(higgsml.path()).columns
    assert CATALOGUE["higgsml"].sums == higgsml.YIELDS
    assert CATALOGUE["higgsml"].doi == higgsml.DOI
    assert len(higgsml.systematics(soft=3.0)) == 5
    assert {*CATALOGUE["fair-universe"].columns} >= {*fair_universe.LAYOUT.measured, "weights", "detailed_labels"}
    assert CATALOGUE["cms-htautau"].rows is None
    assert {f.removesuffix(".root") for f in CATALOGUE["cms-htautau"].files} == {
        *cms_htautau.CROSS_SECTIONS,
        *cms_htautau.DATA,
    }


@pytest.fixture(scope="module")
def full_higgsml(tmp_path_factory):
    """The shipped rows with weights that sum to what the full file's do."""
    path = tmp_path_factory.mktemp("higgsml") / "atlas-higgs-challenge-2014-v2.csv"
    lines = gzip.decompress(higgsml.path().read_bytes()).decode().splitlines()[:2001]
    heads, rows = lines[0].split(","), [line.split(",") for line in lines[1:]]
    weight, label = heads.index("Weight"), heads.index("Label")
    for name, total in higgsml.YIELDS.items():
        mine = [row for row in rows if row[label] == name]
        scale = total / sum(float(row[weight]) for row in mine)
        for row in mine:
            row[weight] = repr(float(row[weight]) * scale)
    path.write_text("\n".join(",".join(row) for row in [heads, *rows]) + "\n")
    return path


def test_a_file_is_held_to_rows_values_and_sums(full_higgsml, small, tmp_path):
    assert recognise(full_higgsml) == "higgsml"
    assert verdicts(full_higgsml)["rows"] is False
    small("higgsml", files={full_higgsml.name: 2000})
    good = verdicts(full_higgsml)
    assert good.pop("sha256") is None
    assert set(good.values()) == {True}
    assert {"rows", "sum of Weight, Label s", "sum of Weight, Label b"} < set(good)
    text = full_higgsml.read_text()
    spoilt = tmp_path / full_higgsml.name
    spoilt.write_text(text.replace(",138.47,", ",nan,").rsplit("\n", 2)[0] + "\n")
    found = verdicts(spoilt)
    assert found["rows"] is found["values not finite"] is False
    spoilt.write_text(text.replace("PRI_met_phi", "PRI_phi", 1))
    assert verdicts(spoilt, "higgsml")["columns"] is False
    with pytest.raises(InputError, match=r"nearest is higgsml, without PRI_met_phi"):
        recognise(spoilt)


def write_uci(path, n, label=None):
    label = RNG.integers(0, 2, n) if label is None else label
    x = RNG.normal(size=(n, 28)).astype(np.float32)
    rows = "".join(",".join(f"{v:.18e}" for v in (y, *r)) + "\n" for y, r in zip(label, x, strict=True))
    path.write_bytes(gzip.compress(rows.encode()) if path.suffix == ".gz" else rows.encode())
    return label, x


@pytest.mark.parametrize("name", ["HIGGS.csv", "HIGGS.csv.gz"])
def test_uci_higgs_without_a_heading_is_read_in_chunks(tmp_path, small, name):
    label, x = write_uci(tmp_path / name, 300)
    chunks = list(uci_higgs.chunks(tmp_path / name, rows=128))
    assert [len(c) for c in chunks] == [128, 128, 44]
    events = uci_higgs.load(tmp_path / name)
    assert np.array_equal(events.x, x)
    assert np.array_equal(events.process, label)
    assert np.array_equal(np.concatenate([c.number for c in chunks]), np.arange(300))
    headed = tmp_path / "headed.csv"
    table = np.column_stack([x, label])
    np.savetxt(headed, table, delimiter=",", header=",".join([*uci_higgs.COLUMNS, "label"]), comments="", fmt="%.18e")
    assert np.array_equal(uci_higgs.load(headed).x, x)
    small("uci-higgs", files={name: 300})
    assert recognise(tmp_path / name) == recognise(headed) == "uci-higgs"
    good = verdicts(tmp_path / name)
    assert (good["columns"], good["rows"], good["values not finite"]) == (True, True, True)
    write_uci(tmp_path / name, 5, np.array([0, 1, 2, 0, 1]))
    with pytest.raises(InputError, match=r"column 'label': got 2; expected 0 \(background\) or 1"):
        uci_higgs.load(tmp_path / name)


def nano(n):
    """Events with some muons, taus and jets, as lists."""
    made = {"HLT_IsoMu17_eta2p1_LooseIsoPFTau20": RNG.random(n) < 0.8, "MET_pt": RNG.exponential(30, n)}
    made |= {"MET_phi": RNG.uniform(-np.pi, np.pi, n), "PV_npvs": RNG.integers(1, 40, n)}
    for kind, names in (("Muon", cms_htautau.MUON), ("Tau", cms_htautau.TAU), ("Jet", cms_htautau.JET)):
        counts = RNG.integers(0, 4, n)
        m = int(counts.sum())
        for v in names:
            values = {
                "pt": 15 + RNG.exponential(25, m),
                "eta": RNG.normal(0, 1.6, m),
                "phi": RNG.uniform(-np.pi, np.pi, m),
                "mass": RNG.uniform(0.1, 2, m),
                "charge": RNG.choice([-1, 1], m),
            }.get(v, RNG.random(m) if ("Iso" in v and not v.startswith("id")) or "relIso" in v else RNG.random(m) < 0.8)
            values = values.astype(np.float32) if values.dtype == np.float64 else values
            made[f"{kind}_{v}"] = ak.unflatten(values, counts)
        made[f"n{kind}"] = counts
    return made


def slow(event):
    """The published selection, one event and pair after another; None without a pair."""
    e = event
    turn = lambda d: math.remainder(d, 2 * math.pi)  # noqa: E731
    if not e["HLT_IsoMu17_eta2p1_LooseIsoPFTau20"]:
        return None
    ids = ("idDecayMode", "idIsoTight", "idAntiEleTight", "idAntiMuTight")
    pairs = [
        (i, j)
        for i in range(len(e["Muon_pt"]))
        for j in range(len(e["Tau_pt"]))
        if abs(e["Muon_eta"][i]) < 2.1 and e["Muon_pt"][i] > 17 and e["Muon_tightId"][i]
        if abs(e["Tau_eta"][j]) < 2.3 and e["Tau_pt"][j] > 20 and all(e[f"Tau_{v}"][j] for v in ids)
        if math.hypot(e["Muon_eta"][i] - e["Tau_eta"][j], turn(e["Muon_phi"][i] - e["Tau_phi"][j])) > 0.5
    ]
    if not pairs:
        return None
    i = max((p[0] for p in pairs), key=lambda i: e["Muon_pt"][i])
    j = min((p[1] for p in pairs if p[0] == i), key=lambda j: e["Tau_relIso_all"][j])
    p = [
        np.array([pt * math.cos(phi), pt * math.sin(phi), pt * math.sinh(eta), math.hypot(pt * math.cosh(eta), m)])
        for pt, eta, phi, m in (
            [e[f"{k}_{v}"][n] for v in ("pt", "eta", "phi", "mass")] for k, n in (("Muon", i), ("Tau", j))
        )
    ]
    whole = sum(p)
    mass = lambda q: math.sqrt(max(q[3] ** 2 - (q[:3] ** 2).sum(), 0))  # noqa: E731
    jets = [
        k for k in range(len(e["Jet_pt"])) if e["Jet_puId"][k] and abs(e["Jet_eta"][k]) < 4.7 and e["Jet_pt"][k] > 30
    ]
    mt = math.sqrt(2 * e["Muon_pt"][i] * e["MET_pt"] * (1 - math.cos(e["Muon_phi"][i] - e["MET_phi"])))
    found = {"pt_1": e["Muon_pt"][i], "pt_2": e["Tau_pt"][j], "iso_2": e["Tau_relIso_all"][j], "m_vis": mass(whole)}
    found |= {"mt_1": mt, "njets": len(jets), "q_1": e["Muon_charge"][i], "q_2": e["Tau_charge"][j]}
    found |= {"jpt_1": e["Jet_pt"][jets[0]] if jets else -999, "npv": e["PV_npvs"]}
    found["jeta_2"] = e["Jet_eta"][jets[1]] if len(jets) > 1 else -999
    if len(jets) < 2:
        return {**found, "mjj": -999}
    q = [
        np.array([pt * math.cos(phi), pt * math.sin(phi), pt * math.sinh(eta), math.hypot(pt * math.cosh(eta), m)])
        for pt, eta, phi, m in ([e[f"Jet_{v}"][k] for v in ("pt", "eta", "phi", "mass")] for k in jets[:2])
    ]
    return {**found, "mjj": mass(q[0] + q[1])}


def test_cms_pairs_are_those_of_the_published_selection(tmp_path, small):
    path, made = tmp_path / "TTbar.root", nano(400)
    with uproot.recreate(path) as file:
        file.mktree("Events", {k: v.type.content if isinstance(v, ak.Array) else v.dtype for k, v in made.items()})
        file["Events"].extend(made)
    lists = {k: ak.to_list(v) for k, v in made.items()}
    known = [slow({k: v[i] for k, v in lists.items()}) for i in range(400)]
    chosen = [i for i, found in enumerate(known) if found]
    chunks = list(cms_htautau.chunks({"TTbar": path, "Run2012B_TauPlusX": path}, rows=150))
    events = cms_htautau.load({"TTbar": path})
    assert sum(map(len, chunks)) == 2 * len(events) == 2 * len(chosen)
    assert 40 < len(chosen) < 360
    assert events.number.tolist() == chosen
    for column in known[chosen[0]]:
        expected = [known[i][column] for i in chosen]
        np.testing.assert_allclose(events.column(column), expected, rtol=2e-4, atol=2e-3, err_msg=column)
    weight = np.asarray(events.weight, np.float64)
    np.testing.assert_allclose(weight, 225.2 * 11467 / 400, rtol=1e-6)
    data = chunks[-1]
    assert set(np.asarray(data.process).tolist()) == {cms_htautau.PROCESSES.index("data")}
    assert set(np.asarray(data.weight).tolist()) == {1.0}
    assert data.number.min() >= 400
    small("cms-htautau", files={"TTbar.root": 400})
    assert recognise(path) == "cms-htautau"
    assert verdicts(path)["rows"] is verdicts(path)["columns"] is True
    found = describe_file(path)
    assert (found["MET_pt"].rows, found["Muon_pt"].rows) == (400, 0)
    with pytest.raises(InputError, match=r"file 'ttbar'.*did you mean 'TTbar'"):
        cms_htautau.load({"ttbar": path})


def test_fair_universe_files_are_counted_by_process(tmp_path, small):
    columns = {c: RNG.normal(size=50).astype(np.float32) for c in CATALOGUE["fair-universe"].columns}
    columns |= {"weights": np.full(50, 2.0), "detailed_labels": np.array(["htautau", "ttbar"])[np.arange(50) % 2]}
    path = tmp_path / "FAIR_Universe_HiggsML_data.parquet"
    pq.write_table(pa.table(columns), path)
    name, checks = check_file(path)
    said = {c.what: (c.found, c.expected, c.good) for c in checks}
    assert name == "fair-universe"
    assert said["rows"] == ("50", "220,099,101", False)
    assert said["sum of weights, detailed_labels ttbar"] == ("50", "unknown", None)


def test_columns_are_summarised_over_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr(_against_published, "ROWS", 7)
    x = RNG.normal(size=40)
    x[3] = np.nan
    pq.write_table(
        pa.table({"x": x, "n": np.arange(40), "name": ["a"] * 40, "list": [[1.0]] * 40}), tmp_path / "t.parquet"
    )
    found = describe_file(tmp_path / "t.parquet")
    assert (found["x"].rows, found["x"].bad) == (40, 1)
    assert (found["x"].low, found["x"].high) == (np.nanmin(x), np.nanmax(x))
    assert found["x"].mean == pytest.approx(np.nanmean(x))
    assert found["n"].mean == 19.5
    assert (found["name"].rows, found["name"].bad) == (40, 40)
    assert math.isnan(found["list"].mean)


class Answer(http.server.BaseHTTPRequestHandler):
    content, promised = b"x" * 5000, 5000

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(self.promised))
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}/"
        running.shutdown()


def test_fetch_downloads_whole_files_once(tmp_path, small, server, monkeypatch):
    small("higgsml", address=server)
    told = []
    (path,) = fetch("higgsml", tmp_path / "data", told=told.append)
    assert path.read_bytes() == Answer.content
    path.write_bytes(b"mine")
    fetch("higgsml", tmp_path / "data", told=told.append)
    assert path.read_bytes() == b"mine"
    assert "left as it is" in told[-1]
    path.unlink()
    monkeypatch.setattr(Answer, "promised", 6000)
    with pytest.raises(InputError, match="5000 of 6000 bytes; expected the whole file"):
        fetch("higgsml", tmp_path / "data", told=told.append)
    assert list((tmp_path / "data").iterdir()) == []


def test_fetch_without_network_or_address_is_one_line(tmp_path, small, capsys):
    small("higgsml", address="http://127.0.0.1:9/")
    for name, told in (
        ("higgsml", "no answer from http://127.0.0.1:9/"),
        ("fair-universe", "no address of its files"),
        ("higgs", "did you mean 'higgsml'"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(["data", "fetch", name, "-o", str(tmp_path)])
        (line,) = [line for line in capsys.readouterr().err.splitlines() if line]
        assert ended.value.code == 2
        assert told in line
        assert name == "higgs" or CATALOGUE[name].doi in line
    assert list(tmp_path.iterdir()) == []


def test_the_commands_print_what_is_known(full_higgsml, small, capsys):
    def said(*words):
        with pytest.raises(SystemExit) as ended:
            main(["data", *words])
        return ended.value.code or 0, capsys.readouterr()

    code, out = said("list")
    assert code == 0
    assert all(name in out.out and known.doi in out.out for name, known in CATALOGUE.items())
    code, out = said("describe", "uci-higgs")
    assert "11,000,000 rows" in out.out
    assert "sha256 unknown" in out.out
    code, out = said("describe", str(full_higgsml))
    assert "DER_mass_vis" in out.out
    small("higgsml", files={full_higgsml.name: 2000})
    code, out = said("check", str(full_higgsml))
    assert code == 0
    assert "differs" not in out.out
    small("higgsml", files={full_higgsml.name: 2001})
    code, out = said("check", str(full_higgsml))
    assert code == 2
    assert "rows: 2,000; expected 2,001" in out.err
