"""Friend trees, several trees and file.root:tree in an analysis: counts with a known answer, and what is refused."""

import numpy as np
import pytest
import uproot

from verax.analysis import Read, check_duplicates, load, observed, parse, plan, simulated, written
from verax.errors import InputError
from verax.events import concatenate

N = 400


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two years of simulation, electrons and muons in trees of their own; scores and true labels in friends."""
    place = tmp_path_factory.mktemp("friends")
    rng = np.random.default_rng(51)
    for year in (2016, 2017):
        with uproot.recreate(place / f"mc{year}.root") as file, uproot.recreate(place / f"sf{year}.root") as friend:
            for i, tree in enumerate(("ee", "mm")):
                number = np.arange(N) + N * i + 2 * N * (year - 2016)
                label = rng.integers(0, 2, N)
                file[tree] = {"x": rng.normal(label, 1.0), "number": number}
                friend[tree] = {"sf": np.full(N, 0.5 + i), "label": label, "number": number}
    return place


def truth(folder, tree):
    """Columns of both years."""
    both = [uproot.open(folder / f"{name}.root")[tree].arrays(library="np") for name in ("mc2016", "sf2016")]
    more = [uproot.open(folder / f"{name}.root")[tree].arrays(library="np") for name in ("mc2017", "sf2017")]
    return {k: np.concatenate([a[k], b[k]]) for a, b in zip(both, more, strict=True) for k in a}


def content(**changes):
    sample = {
        "files": ["mc*.root"],
        "tree": ["ee", "mm"],
        "friends": [{"files": ["sf*.root"], "tree": ["ee", "mm"]}],
        "weight": "sf",
        **changes,
    }
    return {
        "name": "friends",
        "title": "Friends",
        "samples": [
            {**sample, "process": "signal", "select": "label == 1"},
            {**sample, "process": "background", "select": "label == 0"},
        ],
        "observed": {"files": ["mc2017.root:mm"]},
        "poi": {"name": "mu", "processes": ["signal"]},
        "number": "number",
        "features": ["x"],
        "summary": {"kind": "column", "column": "x", "range": [-4.0, 4.0]},
    }


def read(given, folder):
    reading = plan(parse(given, "test", folder)).reading
    check_duplicates(reading)
    return concatenate(list(simulated(reading, reading.samples, Read()))), reading


def test_friends_say_weights_and_processes(folder):
    events, reading = read(content(), folder)
    ee, mm = truth(folder, "ee"), truth(folder, "mm")
    for i, label in enumerate((1, 0)):
        expected = (ee["sf"] * (ee["label"] == label)).sum() + (mm["sf"] * (mm["label"] == label)).sum()
        assert events.weight[events.process == i].sum(dtype=np.float64) == expected
    assert np.array_equal(np.sort(events.number), np.arange(4 * N))
    by_number = np.concatenate([ee["x"], mm["x"]])[np.argsort(np.concatenate([ee["number"], mm["number"]]))]
    np.testing.assert_array_equal(events.column("x")[np.argsort(events.number)], by_number.astype(np.float32))
    seen = concatenate(list(observed(reading, Read())))
    np.testing.assert_array_equal(seen.column("x"), mm["x"][N:].astype(np.float32))
    assert {place for place, _ in reading.files} == {f"{n}{y}.root" for n in ("mc", "sf") for y in (2016, 2017)}


def test_rows_that_two_samples_select_are_found_by_a_friend(folder):
    given = content()
    given["samples"][1]["select"] = "label >= 0"
    both = int((truth(folder, "ee")["label"][:N] == 1).sum())
    with pytest.raises(InputError, match=f"{both} rows that are read twice, from '.*mc2016.root'"):
        read(given, folder)


def test_the_file_is_written_again_as_it_was_read(folder, tmp_path):
    path = tmp_path / "again.yaml"
    path.write_text(written(parse(content(), "test", folder)))
    again, first = plan(load(path)), plan(parse(content(), "test", folder))
    assert again.files == first.files


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"tree": ["ee", "mmm"]}, r"got tree 'mmm'; expected a known tree; did you mean 'mm'"),
        ({"tree": ["ee"]}, r"friend .*: got 4 files or trees beside 2 of .*; expected as many"),
        ({"tree": 3}, r"samples.0.tree: got 3; expected text or a list"),
        ({"friends": ["sf*.root"]}, r"samples.0.friends.0: got \"sf\*.root\"; expected keys with values"),
        ({"friends": [{"file": "sf*.root"}]}, r"unknown key 'file'; .*did you mean 'files'"),
        ({"friends": [{"files": ["sf9*.root"]}]}, "got no file that matches"),
        ({"friends": []}, r"got column '(sf|label)'; expected a known column"),
        ({"friends": [{"files": ["sf*.root"], "tree": ["mm", "ee"]}]}, "column 'number' of .* different in 1600 rows"),
        ({"files": ["mc2016.root:ee", "mc2017.root:ee"]}, r"'mc2016.root:ee' beside tree \['ee', 'mm'\]"),
    ],
)
def test_what_is_refused(folder, changes, line):
    with pytest.raises(InputError, match=line) as error:
        read(content(**changes), folder)
    assert "\n" not in str(error.value)
