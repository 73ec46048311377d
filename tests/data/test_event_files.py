"""Events to Parquet and back."""

import jax.numpy as jnp
import numpy as np
import pyarrow.parquet as pq
import pytest

from verax.data import open_table, read_events, write_events
from verax.errors import InputError
from verax.events import concatenate, make_events


@pytest.fixture
def events():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(1000, 2)).astype(np.float32)
    x[5] = np.nan
    return make_events(
        {"b": x[:, 0], "a": x[:, 1]},
        weight=rng.normal(size=1000),
        process=rng.integers(0, 2, 1000),
        number=rng.integers(0, 2**32, 1000),
        processes=("signal", "background"),
    )


@pytest.mark.parametrize("rows", [64, 300, 5000])
def test_to_the_last_bit(tmp_path, events, rows):
    path = tmp_path / "events.parquet"
    assert write_events(path, (events.take(np.arange(i, min(i + 300, 1000))) for i in range(0, 1000, 300))) == 1000
    assert pq.ParquetFile(path).num_row_groups == 4
    chunks = list(read_events(path, rows))
    assert max(map(len, chunks)) <= rows
    back = concatenate(chunks)
    assert (back.columns, back.processes) == (events.columns, events.processes)
    for ours, theirs in zip((back.x, back.weight, back.process, back.number), leaves(events), strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


def leaves(events):
    return events.x, events.weight, events.process, events.number


def test_device_arrays_and_other_readers(tmp_path, events):
    moved = events.replace({"a": jnp.asarray(events.column("b"))})
    write_events(tmp_path / "e.parquet", [moved])
    (chunk,) = open_table(tmp_path / "e.parquet").chunks(["a", "event_weight", "event_number"], 1000)
    np.testing.assert_array_equal(chunk["a"], events.column("b"))
    np.testing.assert_array_equal(chunk["event_number"], events.number)


def test_whole_or_not_at_all(tmp_path, events):
    path = tmp_path / "e.parquet"

    def broken():
        yield events
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_events(path, broken())
    assert list(tmp_path.iterdir()) == []


def test_what_is_refused(tmp_path, events):
    with pytest.raises(InputError, match="no events to write"):
        write_events(tmp_path / "a.parquet", [])
    with pytest.raises(InputError, match="as in the first chunk"):
        write_events(tmp_path / "a.parquet", [events, make_events({"c": np.ones(1)})])
    with pytest.raises(InputError, match="a column 'event_weight'"):
        write_events(tmp_path / "a.parquet", [make_events({"event_weight": np.ones(1)})])
    with pytest.raises(InputError, match="a folder that can be written to"):
        write_events(tmp_path / "nowhere" / "a.parquet", [events])
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_no_events(tmp_path, events, shared):
    with pytest.raises(InputError, match="without verax's event format"):
        next(read_events(shared / "fair_universe" / "FAIR_Universe_HiggsML_data.parquet", 10))
    with pytest.raises(InputError, match="no such file"):
        next(read_events(tmp_path / "a.parquet", 10))
    write_events(tmp_path / "a.parquet", [events])
    (tmp_path / "b.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:-30])
    with pytest.raises(InputError, match="a complete Parquet file"):
        next(read_events(tmp_path / "b.parquet", 10))
