"""What lies outside the bins, or in two channels, is counted."""

import numpy as np
import pytest

from verax.errors import InputError
from verax.events import make_events
from verax.pipeline._agreement import Overlap
from verax.pipeline._outside import Outside


@pytest.fixture
def events():
    return make_events(
        {"x": np.array([1.0, 2.0, 3.0, 0.0])},
        process=np.array([0, 1, 2, 2]),
        number=np.arange(4),
        processes=("signal", "top", "other"),
    )


def test_what_lies_outside_is_said_with_numbers(events):
    found = Outside(((0.5, 1.0, 2.0), (0.0, 2.0)), "events")
    heavy = events.reweight(np.array([1.0, 1.0, 2.0, 4.0], np.float32))
    for some in (heavy.take(np.arange(2)), heavy.take(np.arange(2, 4))):
        score = np.asarray(some.column("x"), np.float64)
        found.add(some, score, np.asarray(some.process) % 2 * 0)
    assert found.problems() == (
        "1 of 4 events (50.00% by weight) lie below the bins, 0 … 2, and count in the first one",
        "1 of 4 events (25.00% by weight) lie above the bins, 0 … 2, and count in the last one",
    )


def test_the_last_edge_belongs_to_the_last_bin(events):
    found = Outside(((0.0, 3.0),), "events")
    found.add(events, np.asarray(events.column("x"), np.float64), np.zeros(4, int))
    assert found.problems() == ()


def test_events_of_no_channel_do_not_count(events):
    found = Outside(((0.0, 1.0),), "events")
    found.add(events, np.asarray(events.column("x"), np.float64), np.array([0, -1, -1, 0]))
    assert found.problems() == ()


def test_a_range_that_holds_no_event_is_refused(events):
    found = Outside(((10.0, 20.0),), "events")
    found.add(events, np.asarray(events.column("x"), np.float64), np.zeros(4, int))
    with pytest.raises(InputError, match=r"summary.range: got none of 4 events in 10 … 20: the summary lies in 0 … 3"):
        found.problems()


def test_overlapping_channels_are_counted(events):
    found = Overlap((("low", "x < 3"), ("high", "x > 0.5"), ("far", "x > 2.5")))
    for some in (events.take(np.arange(2)), events.take(np.arange(2, 4))):
        found.add(some)
    assert found.problems() == (
        "channels 'low' and 'high' overlap: 2 rows (2 events) pass both and count in 'low'",
        "channels 'high' and 'far' overlap: 1 rows (1 events) pass both and count in 'high'",
    )
