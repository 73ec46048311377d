from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pytest

from verax.errors import InputError
from verax.events import Events, make_events
from verax.model import binned_likelihood
from verax.parameters import nuisance
from verax.systematics import Systematic, normalisation
from verax.templates import Filling, Varied, choose_edges, fine_edges, templates, templates_of

PROCESSES = ("signal", "background")


@dataclass(frozen=True)
class Scale:
    """The score's column times 1 + width·θ."""

    width: float

    def __call__(self, events, theta):
        return events.replace({"score": events.column("score") * (1 + self.width * theta)})


@dataclass(frozen=True)
class Weight:
    """Signal weights times 1 + width·θ."""

    width: float

    def __call__(self, events, theta):
        return events.reweight(1 + self.width * theta * (events.process == 0))


@dataclass(frozen=True)
class HostScale:
    """The same in NumPy, which JAX cannot trace."""

    width: float

    def __call__(self, events, theta):
        x = np.array(events.x)
        x[:, 0] *= np.float32(1) + np.float32(self.width) * np.float32(theta)
        return Events(x, events.weight, events.process, events.number, events.columns, events.processes)


def summary(events):
    score = np.asarray(events.column("score"))
    return score, np.where(np.asarray(events.column("where")) > 0.9, -1, np.asarray(events.column("where")) > 0.5)


def by_place(events):
    return np.asarray(events.column("where")), np.where(np.asarray(events.column("score")) > 1.1, -1, 0)


SCALE = Systematic(nuisance("scale", "detector"), Scale(0.1), changes=("score",))
WEIGHT = Systematic(nuisance("rate", "theory"), Weight(0.2), changes=("weight",))
HOST = Systematic(nuisance("host", "detector"), HostScale(0.1), traceable=False)
SYSTEMATICS = (SCALE, WEIGHT, HOST)
EDGES = ((0.0, 0.25, 0.5, 1.0), fine_edges(10))
CHANNELS = ("low", "high")


def sample(seed: int, n: int) -> Events:
    rng = np.random.default_rng(seed)
    columns = {"score": rng.uniform(-0.1, 1.2, n), "where": rng.uniform(0, 1, n)}
    weight = rng.lognormal(0, 2, n) * rng.choice([1, -1], n, p=[0.9, 0.1])
    return make_events(columns, weight=weight, process=rng.integers(0, 2, n), processes=PROCESSES)


def chunked(events: Events, size: int):
    return [events.take(np.arange(i, min(i + size, len(events)))) for i in range(0, len(events), size)]


def same(a, b):
    return all(np.array_equal(getattr(a, n), getattr(b, n)) for n in ("nominal", "variance", "up", "down"))


@pytest.fixture(scope="module")
def events():
    return sample(0, 3000)


@pytest.fixture(scope="module")
def whole(events):
    return templates(summary, [events], SYSTEMATICS, EDGES, channels=CHANNELS)


def plain(events, factor=1.0, rate=1.0):
    """The histogram, written plainly."""
    score, channel = summary(events)
    score, weight = score.astype(np.float32) * np.float32(factor), np.asarray(events.weight)
    rows = []
    for p in range(2):
        w = np.where(np.asarray(events.process) == p, weight, 0) * (rate if p == 0 else 1)
        parts = []
        for c, edges in enumerate(EDGES):
            inside = np.clip(score, edges[0], np.nextafter(edges[-1], -1))
            parts.append(np.histogram(inside[channel == c], edges, weights=w[channel == c].astype(float))[0])
        rows.append(np.concatenate(parts))
    return np.array(rows)


def test_nominal_up_and_down_are_the_plain_histograms(events, whole):
    np.testing.assert_allclose(whole.nominal, plain(events), rtol=1e-6, atol=1e-5)
    for k, expected in {
        "up": [plain(events, 1.1), plain(events, rate=1.2), plain(events, 1.1)],
        "down": [plain(events, 0.9), plain(events, rate=0.8), plain(events, 0.9)],
    }.items():
        np.testing.assert_allclose(getattr(whole, k), expected, rtol=1e-5, atol=1e-4)
    assert whole.systematics == tuple(s.parameter for s in SYSTEMATICS)
    assert whole.channels == CHANNELS


def test_variance_is_the_sum_of_squares(events, whole):
    _, channel = summary(events)
    assert whole.variance.sum() == pytest.approx((np.asarray(events.weight, float) ** 2)[channel >= 0].sum(), rel=1e-6)


@pytest.mark.parametrize("size", [100, 1024, 2999])
def test_same_bits_for_any_chunk_size(events, whole, size):
    assert same(templates(summary, chunked(events, size), SYSTEMATICS, EDGES, channels=CHANNELS), whole)


def test_same_bits_in_any_order(events, whole):
    order = np.random.default_rng(1).permutation(3000)
    assert same(templates(summary, chunked(events.take(order), 700), SYSTEMATICS, EDGES, channels=CHANNELS), whole)


def test_same_bits_on_threads(events, whole):
    with ThreadPoolExecutor(2) as executor:
        again = templates(summary, chunked(events, 500), SYSTEMATICS, EDGES, channels=CHANNELS, executor=executor)
    assert same(again, whole)


def test_one_sided_effects_are_mirrored(events):
    one_sided = Systematic(nuisance("scale", "detector"), Scale(0.1), one_sided=True)
    t = templates(summary, [events], (one_sided,), EDGES, channels=CHANNELS)
    np.testing.assert_allclose(t.up[0] - t.nominal, t.nominal - t.down[0], atol=1e-9)
    assert np.abs(t.up[0] - t.nominal).max() > 1


def test_samples_of_their_own_replace_their_processes_only(events):
    up, down = sample(7, 1000), sample(8, 1500)
    varied = Varied(nuisance("shower", "theory"), ("background",), chunked(up, 300), [down])
    t = templates(summary, chunked(events, 1000), (WEIGHT, varied), EDGES, channels=CHANNELS)
    np.testing.assert_array_equal(t.up[1, 0], t.nominal[0])
    np.testing.assert_allclose(t.up[1, 1], plain(up)[1], rtol=1e-6, atol=1e-5)
    np.testing.assert_allclose(t.down[1, 1], plain(down)[1], rtol=1e-6, atol=1e-5)
    mirrored = templates(
        summary, [events], (Varied(nuisance("shower", "theory"), ("background",), [up]),), EDGES, channels=CHANNELS
    )
    np.testing.assert_allclose(mirrored.down[0], 2 * mirrored.nominal - mirrored.up[0])


def test_process_numbers_are_matched_by_name(events, whole):
    flipped = Events(events.x, events.weight, 1 - events.process, events.number, events.columns, PROCESSES[::-1])
    t = templates(summary, [flipped], (), EDGES, channels=CHANNELS, processes=PROCESSES)
    np.testing.assert_array_equal(t.nominal, whole.nominal)
    with pytest.raises(InputError, match="process 'signal'"):
        templates(summary, [events], (), EDGES, channels=CHANNELS, processes=("background",))


def test_fill_once_then_choose_and_merge():
    rng = np.random.default_rng(2)
    process = (rng.random(20_000) < 0.5).astype(int)
    score = rng.beta(1 + 3 * (1 - process), 1 + 3 * process)
    events = make_events(
        {"score": score, "where": np.zeros(20_000)},
        weight=np.where(process == 0, 0.01, 1.0),
        process=process,
        processes=PROCESSES,
    )
    fine = templates(summary, chunked(events, 6000), (SCALE,), (fine_edges(100),), channels=("low",))
    chosen = choose_edges(fine, signal=("signal",), max_bins=6)
    merged = fine.rebin(chosen)
    direct = templates(summary, [events], (SCALE,), chosen, channels=("low",))
    np.testing.assert_allclose(merged.nominal, direct.nominal, rtol=1e-12)
    np.testing.assert_allclose(merged.up, direct.up, rtol=1e-12)


def test_chunks_may_be_empty(events, whole):
    parts = chunked(events, 1000)
    parts.insert(1, events.take(np.zeros(0, int)))
    assert same(templates(summary, parts, SYSTEMATICS, EDGES, channels=CHANNELS), whole)


def test_bad_input_is_refused(events):
    options = {"channels": CHANNELS}
    with pytest.raises(InputError, match="without events"):
        templates(summary, [], (), EDGES, **options)
    with pytest.raises(InputError, match="larger than the one before"):
        templates(summary, [events], (), ((0.0, 0.5, 0.5), (0.0, 1.0)), **options)
    with pytest.raises(InputError, match="1 channels"):
        templates(summary, [events], (), EDGES[:1], **options)
    with pytest.raises(InputError, match=r"score: got shape \(1,\)"):
        templates(lambda e: (np.zeros(1), np.zeros(1, int)), [events], (), EDGES, **options)
    with pytest.raises(InputError, match="channel: got 2 … 2"):
        templates(lambda e: (np.zeros(len(e)), np.full(len(e), 2)), [events], (), EDGES, **options)
    with pytest.raises(InputError, match="no events for up"):
        templates(summary, [events], (Varied(nuisance("a", "b"), ("signal",), []),), EDGES, **options)


def test_same_bits_in_processes(events, whole):
    import multiprocessing

    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
        again = templates(summary, chunked(events, 1500), SYSTEMATICS, EDGES, channels=CHANNELS, executor=executor)
    assert same(again, whole)


def test_a_normalisation_is_a_factor_to_the_last_digit():
    """Though events have float32 weights, some of them negative; so its likelihood has no shape, which rounding made."""
    rng = np.random.default_rng(3)
    n = 4000
    columns = {"score": rng.uniform(0, 1, n), "where": rng.uniform(0, 1, n)}
    weight, process = rng.normal(0.7, 0.5, n), rng.integers(0, 2, n)
    events = make_events(columns, weight=weight, process=process, processes=PROCESSES)
    given = (normalisation("lumi", 0.017), normalisation("rate", 0.3, ["background"]))
    made = templates(summary, [events], given, EDGES, channels=CHANNELS)
    np.testing.assert_array_equal(made.up[0], made.nominal * 1.017)
    np.testing.assert_array_equal(made.down[1], np.stack([made.nominal[0], made.nominal[1] / 1.3]))
    model = binned_likelihood(made, free={"mu": ["signal"]})
    assert not np.any(model.odd)
    assert not np.any(model.even)


@dataclass(frozen=True)
class Divided:
    """Signal weights over a number that is zero above θ = 0."""

    def __call__(self, events, theta):
        return events.reweight(np.where(np.asarray(events.process) == 0, np.divide(1.0, float(theta < 0)), 1.0))


def test_weights_that_are_not_finite_are_said_with_the_systematic_and_the_process(events):
    broken = Systematic(nuisance("broken", "theory"), Divided(), changes=("weight",), traceable=False)
    line = r"systematic 'broken' at θ = \+1, process 'signal': got \d+ weights that are NaN or infinite"
    with pytest.raises(InputError, match=line), np.errstate(divide="ignore"):
        templates(summary, [events], (broken,), EDGES, channels=CHANNELS)


def test_several_summaries_are_filled_in_one_pass_each_as_if_alone(events):
    """Two summaries with other channels and bins, and a systematic with samples of its own: the same bits, one reading."""
    other = Filling(by_place, ((0.0, 0.3, 1.0),))
    varied = [*SYSTEMATICS, Varied(nuisance("own", "theory"), PROCESSES[:1], [events], [events])]
    read = []

    def source():
        for chunk in chunked(events, 700):
            read.append(len(chunk))
            yield chunk

    first, second = templates_of([Filling(summary, EDGES, CHANNELS), other], source(), varied)
    assert sum(read) == len(events)
    assert same(first, templates(summary, [events], varied, EDGES, channels=CHANNELS))
    assert same(second, templates(by_place, [events], varied, other.edges))
