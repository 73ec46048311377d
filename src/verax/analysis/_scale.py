"""Expected events of a sample: luminosity × cross-section × k-factor × filter efficiency / Σw, before any selection."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from verax.data import sum_of_weights
from verax.errors import InputError

from ._parts import Reading
from ._sections import Sample, WeightSum


@dataclass(frozen=True)
class Scale:
    """The factor on the weights of one sample, and what it is made of.

    Parameters
    ----------
    process, files : of the sample; files by their names, wherever they are
    lumi, cross_section, k_factor, filter_efficiency : in fb⁻¹ and pb; None where the yield is given as it is
    events : expected ones, before the selection; or the yield that was given, after it
    sum_of_weights : of the same events
    factor : on each weight, events / sum_of_weights
    varied : of a systematic
    """

    process: str
    files: tuple[str, ...]
    lumi: float | None
    cross_section: float | None
    k_factor: float
    filter_efficiency: float
    events: float
    sum_of_weights: float
    factor: float
    varied: bool = False


def to_total(sample: Sample, total: float) -> Scale:
    """The factor that gives a sample its ``total``, for selected weights that sum to ``total`` without it."""
    assert sample.total is not None
    return Scale(sample.process, _names(sample), None, None, 1.0, 1.0, sample.total, total, sample.total / total)


def before_selection(reading: Reading, sample: Sample) -> Scale:
    """The factor that gives all simulated events of a sample the yield of its cross-section.

    Raises
    ------
    InputError : with the process, for files that do not say the sum of weights, or say one that is not positive
    """
    lumi, section, given = sample.lumi or reading.lumi, sample.cross_section, sample.sum_of_weights
    assert lumi is not None
    assert section is not None
    assert given is not None
    if isinstance(given, WeightSum):
        try:
            given = sum_of_weights(
                [reading.path(name) for name in given.files or sample.files],
                column=given.column,
                histogram=given.histogram,
                bin=given.bin,
                metadata=given.metadata,
                rows=reading.chunk,
            )
        except InputError as error:
            where = f"sample of process '{sample.process}', sum_of_weights: {error.where}"
            raise InputError(where, error.got, error.expected, error.action) from error
    events = lumi * 1000 * section * sample.k_factor * sample.filter_efficiency
    made = (lumi, section, sample.k_factor, sample.filter_efficiency, events, given, events / given)
    return Scale(sample.process, _names(sample), *made)


def _names(sample: Sample) -> tuple[str, ...]:
    return tuple(Path(name).name for name in sample.files)


def same_cross_sections(scales: Sequence[Scale]) -> list[str]:
    """Lines on samples of a process that are each scaled to the same cross-section and luminosity."""
    found = dict[str, None]()
    for a, b in combinations([s for s in scales if s.cross_section is not None and not s.varied], 2):
        parts = a.files == b.files and a.sum_of_weights == b.sum_of_weights  # of one file, by a selection
        if (a.process, a.lumi, a.events) == (b.process, b.lumi, b.events) and not parts:
            text = f"process '{a.process}': two samples, each scaled to {a.cross_section:g} pb, from {a.files[0]} and "
            found[f"{text}{b.files[0]}; files of one simulation belong to one sample"] = None
    return list(found)
