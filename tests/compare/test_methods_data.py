"""Splits of regression data: what is held out, what is moved, and what is said when files are not there."""

import csv

import numpy as np
import pytest

from uci_folder import write_set
from verax.cli import main
from verax.compare import (
    PUBLISHED,
    SETS,
    SETTINGS,
    Data,
    find_sets,
    published_splits,
    read_set,
    read_sets,
    shifted_splits,
)
from verax.errors import InputError

PAPER_ROWS = {
    "DeepEnsembles(M=5,40ep)": "deep ensemble",
    "gp": "Gaussian process",
    "linear_regression": "linear regression",
    "svi": "variational",
    "ensemble": "ensemble, epistemic only",
    "dropout": "dropout, epistemic only",
}


@pytest.fixture(scope="module")
def data():
    """A table of 31 rows and three features, one of them of two values, with two splits."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=(31, 3))
    x[:, 2] = x[:, 2] > 0
    rows = np.stack([rng.permutation(31) for _ in range(2)])
    return Data("table", x, x[:, 0] + rng.normal(size=31), rows[:, :25], rows[:, 25:])


@pytest.mark.parametrize(("shift", "low", "high"), [("gap", 10, 20), ("tail", 20, 31)])
def test_a_third_of_each_feature_is_held_out(data, shift, low, high):
    found = shifted_splits(data, shift)
    assert found.train.shape == (3, 31 - (high - low))
    for j in range(3):
        shown = found.x[j][:, j]
        assert np.array_equal(np.sort(shown), np.sort(data.x[:, j])[low:high])
        both = np.concatenate([shown, data.x[found.train[j], j]])
        assert np.array_equal(np.sort(both), np.sort(data.x[:, j]))  # every row once, in one part


def test_a_systematic_moves_one_feature_of_the_points_at_a_time(data):
    base, moved = published_splits(data), shifted_splits(data, "systematic")
    points = base.y.shape[1]
    assert moved.y.shape == (2, 3 * points)
    for j in range(3):
        change = moved.x[:, j * points : (j + 1) * points] - base.x
        expected = np.zeros((2, points, 3))
        expected[:, :, j] = data.x[base.train].std(axis=1)[:, None, j]
        np.testing.assert_allclose(change, expected, atol=1e-12)
        assert np.array_equal(moved.y[:, j * points : (j + 1) * points], base.y)


@pytest.mark.parametrize("inner", ["", "data"])
def test_a_set_is_read_as_it_was_written(data, tmp_path, inner):
    write_set(tmp_path / "set" / inner, data)
    found = read_set(tmp_path / "set", "table")
    for key in ("x", "y", "train", "test"):
        assert np.array_equal(getattr(found, key), getattr(data, key))


def test_what_is_missing_is_said_in_one_line(data, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="UCI_Datasets"):
        find_sets("uci")
    with pytest.raises(InputError, match="no data set"):
        read_sets(tmp_path)
    with pytest.raises(InputError, match="boston"):
        read_sets(tmp_path, ["bostn"])
    write_set(tmp_path / "energy", data)
    (tmp_path / "energy" / "index_test_1.txt").unlink()
    with pytest.raises(InputError, match="index_test_1"):
        read_sets(tmp_path)
    for given in (["--data", "nowhere"], ["--data", str(tmp_path), "--shift", "gab"]):
        with pytest.raises(SystemExit):
            main(["compare", "methods", *given, "-q"])
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 2
    assert "nowhere" in said[0]
    assert "gap" in said[1]


def test_the_published_splits_and_settings_are_those_of_the_files(shared):
    if not (shared / "uci").is_dir():
        pytest.skip(f"no UCI sets in {shared}")
    for found in read_sets(shared / "uci"):
        assert found.train.shape[0] == 20
        for train, test in zip(found.train, found.test, strict=True):
            assert np.array_equal(np.sort(np.concatenate([train, test])), np.arange(len(found.y)))
        folder = shared / "uci" / SETS[found.name]
        for chosen, grid in zip(SETTINGS[found.name], ("dropout_rates", "tau_values"), strict=True):
            assert len(chosen) == 20
            assert set(chosen) <= set(np.loadtxt(folder / f"{grid}.txt").tolist())


def test_the_published_figures_are_those_of_the_papers(shared):
    facts = shared.parent / "facts" / "published"
    if not facts.is_dir():
        pytest.skip(f"no published figures at {facts}")
    checked = 0
    with (facts / "uci_rmse_nll.csv").open() as file:
        for line in csv.DictReader(file):
            if (row := PAPER_ROWS.get(line["method"])) is None:
                continue
            ours = PUBLISHED[line["dataset"], row, line["metric"]]
            assert (ours.value, ours.error) == pytest.approx((float(line["mean"]), float(line["se"])), abs=1e-4)
            checked += 1
    names = {folder: name for name, folder in SETS.items()}
    with (facts / "kompa_regression_coverage_width.csv").open() as file:
        for line in csv.DictReader(file):
            if (row := PAPER_ROWS.get(line["method"])) is None:
                continue
            for metric, key in (("coverage 95", "coverage95_mean"), ("mean width 95", "width_over_sd_y_mean")):
                assert PUBLISHED[names[line["dataset"]], row, metric].value == float(line[key])
                checked += 1
    assert checked == 10 + 50


def replaced(name, content):
    def change(folder):
        np.savetxt(folder / name, content)

    return change


def linked(folder):
    (folder / "data.txt").unlink()
    (folder / "data.txt").symlink_to("/dev/zero")


BROKEN = {
    "one part is the other": (
        lambda f: (f / "index_test_0.txt").write_bytes((f / "index_train_0.txt").read_bytes()),
        "rows",
    ),
    "a row in both": (replaced("index_test_0.txt", [0, 1]), "rows in both parts|rows; expected splits"),
    "a row twice": (replaced("index_train_0.txt", [1, 1, 2]), "index_train_0.txt: got .*each once"),
    "a row that is not there": (replaced("index_train_0.txt", [1, 10**6]), "whole numbers from 0 to"),
    "a negative row": (replaced("index_train_0.txt", [-1, 2]), "whole numbers from 0"),
    "half a row": (replaced("index_train_0.txt", [0.5, 2]), "whole numbers from 0"),
    "no rows": (replaced("index_train_0.txt", []), "no numbers"),
    "the target among the features": (replaced("index_features.txt", [0, 3]), "features beside it"),
    "two targets": (replaced("index_target.txt", [2, 3]), "one target"),
    "NaN": (replaced("data.txt", [[1.0, np.nan, 2.0, 3.0]]), "not finite"),
    "a column": (replaced("data.txt", [1.0, 2.0]), "got"),
    "no split": (replaced("n_splits.txt", [0]), "n_splits.txt: got"),
    "splits without end": (replaced("n_splits.txt", [1e9]), "n_splits.txt: got"),
    "a link to a device": (linked, "a device; expected a file"),
}


@pytest.mark.filterwarnings("ignore:loadtxt")
@pytest.mark.parametrize(("change", "message"), BROKEN.values(), ids=BROKEN)
def test_a_set_that_would_mislead_is_refused(data, change, message, tmp_path):
    write_set(tmp_path / "set", data)
    assert data.x.shape[1] == 3
    change(tmp_path / "set")
    with pytest.raises(InputError, match=message):
        read_set(tmp_path / "set", "table")
