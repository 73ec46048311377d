"""Friend trees, several trees, and `file.root:tree`: rows that stand beside or after each other."""

import awkward as ak
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import uproot

from verax.data import open_table, paths, sum_of_weights
from verax.errors import InputError

N = 500


@pytest.fixture(scope="module")
def truth():
    rng = np.random.default_rng(41)
    return {
        "x": rng.normal(size=2 * N),
        "y": rng.normal(size=2 * N),
        "number": np.arange(2 * N),
        "pt": ak.unflatten(np.arange(2 * N, dtype=float), np.tile([0, 2], N)),
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory, truth):
    """Two files of events, each with two trees; friends with y, in ROOT, Parquet and CSV."""
    place = tmp_path_factory.mktemp("joined")
    for i in range(2):
        here = {k: v[i * N : (i + 1) * N] for k, v in truth.items()}
        main, friend = ({k: here[k] for k in names} for names in (("x", "number", "pt"), ("y", "number")))
        with uproot.recreate(place / f"main{i}.root") as file:
            file["events"] = main
            file["sub/other"] = {k: v[:100] for k, v in main.items()}
        with uproot.recreate(place / f"friend{i}.root") as file:
            file["scores"] = friend
            file["wrong"] = friend | {"number": friend["number"][::-1]}
            file["short"] = {k: v[:-1] for k, v in friend.items()}
        pq.write_table(pa.table(friend), place / f"friend{i}.parquet")
        rows = "\n".join(f"{y!r},{n}" for y, n in zip(friend["y"].tolist(), friend["number"].tolist(), strict=True))
        (place / f"friend{i}.csv").write_text(f"y,number\n{rows}\n")
        (place / f"short{i}.csv").write_text("y,number\n" + rows.rpartition("\n")[0] + "\n")
    return place


def table(folder, friend, tree=None, **options):
    return open_table(folder / "main*.root", tree="events", friends=[open_table(folder / friend, tree=tree)], **options)


def read(table, columns, rows=2 * N):
    chunks = list(table.chunks(columns, rows))
    assert all(list(c) == list(columns) for c in chunks)
    return {name: np.concatenate([c[name] for c in chunks]) for name in columns}


@pytest.mark.parametrize(
    ("friend", "tree"), [("friend*.root", "scores"), ("friend*.parquet", None), ("friend*.csv", None)]
)
@pytest.mark.parametrize("rows", [2 * N, 77])
def test_friends_stand_beside_the_rows(folder, truth, friend, tree, rows):
    joined = table(folder, friend, tree)
    assert set(joined.columns) == {*truth}
    assert joined.columns[-1] == "y"
    assert joined.length() == 2 * N
    assert [f.name for f in joined.files][:2] == ["main0.root", "main1.root"]
    found = read(joined, ["y", "number", "x", "pt[0, -1]"], rows)
    for name in ("x", "y", "number"):
        np.testing.assert_array_equal(found[name], truth[name])
    assert found["pt[0, -1]"].tolist() == [v[0] if len(v) else -1 for v in ak.to_list(truth["pt"])]
    assert read(joined, ["y"], rows)["y"].tolist() == truth["y"].tolist()
    np.testing.assert_array_equal(read(joined.part(1), ["y", "x"])["y"], truth["y"][N:])


def test_a_friend_of_a_friend(folder, truth):
    scores = open_table(folder / "friend*.root", tree="scores", friends=[open_table(folder / "friend*.parquet")])
    joined = open_table(folder / "main*.root", tree="events", friends=[scores])
    np.testing.assert_array_equal(read(joined, ["y"])["y"], truth["y"])


def test_what_is_no_friend(folder):
    with pytest.raises(
        InputError, match=r"column 'number' of .*, different in \d+ rows; expected the same in all trees"
    ):
        read(table(folder, "friend*.root", "wrong"), ["x", "number"])
    with pytest.raises(
        InputError, match=r"friend .*friend0.root: got 499 rows beside 500 of .*main0.root'; expected as"
    ):
        read(table(folder, "friend*.root", "short"), ["x"])
    with pytest.raises(InputError, match=r"friend .*friend0.root: got 1 files or trees beside 2 of .*main0.root'"):
        table(folder, "friend0.root", "scores")
    for columns in (["x"], ["y"], ["x", "y"]):
        with pytest.raises(InputError, match=r"got friends of different lengths, .*short1.csv; expected as many rows"):
            read(table(folder, "short*.csv"), columns, 64)
    with pytest.raises(InputError, match=r"got column 'yy'; expected a known column; did you mean 'y'\?"):
        read(table(folder, "friend*.csv"), ["x", "yy"])
    with pytest.raises(
        InputError, match=r"'sum\(pt \* y\)', made of columns of different trees; expected columns of one"
    ):
        read(table(folder, "friend*.csv"), ["sum(pt * y)"])


def test_several_trees_are_read_from_each_file(folder, truth):
    found = read(open_table(folder / "main*.root", tree=["events", "sub/other"]), ["x"])["x"]
    x = truth["x"]
    np.testing.assert_array_equal(found, np.concatenate([x[:N], x[:100], x[N:], x[N : N + 100]]))
    with pytest.raises(InputError, match=r"got tree 'sub/othr'; expected a known tree; did you mean 'sub/other'"):
        open_table(folder / "main0.root", tree=["events", "sub/othr"])


def test_a_tree_behind_the_file(folder, truth):
    for given in (f"{folder}/main*.root:events", [f"{folder}/main0.root:events", f"{folder}/main1.root:events"]):
        np.testing.assert_array_equal(read(open_table(given), ["x"])["x"], truth["x"])
    mixed = open_table([f"{folder}/main0.root:sub/other", f"{folder}/main1.root:events"])
    np.testing.assert_array_equal(read(mixed, ["x"])["x"], np.r_[truth["x"][:100], truth["x"][N:]])
    with pytest.raises(InputError, match=r"got tree 'event'; expected a known tree; did you mean 'events'"):
        open_table(f"{folder}/main0.root:event")
    with pytest.raises(
        InputError, match=r"main0.root: got 'main0.root:events' beside tree events; expected the tree in one"
    ):
        open_table(f"{folder}/main0.root:events", tree="events")
    with pytest.raises(InputError, match=r"main9.root: got no such file"):
        open_table(f"{folder}/main9.root:events")
    both = [f"{folder}/main0.root:events", f"{folder}/main0.root:sub/other"]
    assert paths(both) == [folder / "main0.root"]
    assert sum_of_weights(both, column="events:1.0 + 0 * x") == N
