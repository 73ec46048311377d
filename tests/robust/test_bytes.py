"""Files of events and workspaces whose bytes are damaged: refused in one line, or read; never another way out."""

import bz2
import gzip
import json
import zlib

import awkward as ak
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import uproot

from mutations import damaged, limited, one_line
from verax.data import open_table
from verax.errors import InputError
from verax.workspace import from_pyhf, read_json
from workspaces import MU, sample, workspace

N = 300
SEALED = ("t.csv.gz", "t.csv.bz2")
"""Formats with checksums of their own: what is read of them is what was written."""
FILES = ("t.csv", *SEALED, "t.parquet", "plain.parquet", "t.root", "plain.root", "rntuple.root")
FEW, MANY = range(1), range(1, 25)
PARTS = [*FEW, *(pytest.param(k, marks=pytest.mark.thorough) for k in MANY)]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The same rows in each format, compressed and not."""
    folder, rng = tmp_path_factory.mktemp("tables"), np.random.default_rng(7)
    rows = {"x": rng.normal(size=N), "n": rng.integers(0, 5, N), "number": np.arange(N)}
    table = pa.table(rows)
    pyarrow.csv.write_csv(table, folder / "t.csv")
    (folder / "t.csv.gz").write_bytes(gzip.compress((folder / "t.csv").read_bytes()))
    (folder / "t.csv.bz2").write_bytes(bz2.compress((folder / "t.csv").read_bytes()))
    pq.write_table(table, folder / "t.parquet", row_group_size=100)
    pq.write_table(table, folder / "plain.parquet", compression="none", use_dictionary=False)
    for name, compression in (("t.root", uproot.ZLIB(1)), ("plain.root", None)):
        with uproot.recreate(folder / name, compression=compression) as file:
            file.mktree("events", {k: v.dtype for k, v in rows.items()})
            file["events"].extend(rows)
    with uproot.recreate(folder / "rntuple.root") as file:
        file.mkrntuple("events", {**rows, "jet": ak.Array([[1.0] * (i % 3) for i in range(N)])})
    return {name: (folder / name).read_bytes() for name in FILES}, rows


def read(path):
    return list(open_table(path).chunks(["x", "n", "number"], 128, integer=("number",)))


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", FILES)
def test_a_table(name, part, files, tmp_path):
    content, rows = files[0][name], files[1]
    path = tmp_path / name
    outcomes = []
    for case in range(20):
        changed, kind = damaged(content, np.random.default_rng([zlib.crc32(name.encode()), part, case]))
        path.write_bytes(changed)
        try:
            with limited(10.0):
                chunks = read(path)
        except InputError as error:
            one_line(error)
            outcomes.append("refused")
            continue
        found = {k: np.concatenate([c[k] for c in chunks]) for k in rows}
        assert {v.dtype.kind for v in found.values()} <= set("biuf")
        assert len({len(v) for v in found.values()}) == 1
        outcomes.append("read")
        if name in SEALED or (kind == "cut" and not name.endswith("csv")):
            assert all(np.array_equal(found[k], rows[k]) for k in rows), kind
    assert "refused" in outcomes


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", ["w.json", "w.json.gz"])
def test_a_workspace_file(name, part, tmp_path):
    text = json.dumps(workspace({"a": [sample("s", [20.0, 30.0], MU), sample("b", [100.0, 60.0])]})).encode()
    path = tmp_path / name
    for case in range(40):
        content = gzip.compress(text, mtime=0) if name.endswith("gz") else text
        path.write_bytes(damaged(content, np.random.default_rng([part, case]))[0])
        try:
            with limited(10.0):
                content = read_json(path)
                if name.endswith("gz"):
                    assert content == json.loads(text)  # it has a checksum of its own
                from_pyhf(content)
        except InputError as error:
            one_line(error)
