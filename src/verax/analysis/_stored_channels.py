"""Channels of histograms in a plan: where these are, and what of the analysis remains for channels of events."""

from typing import Any

from verax.parameters import Parameter, nuisance

from ._effects import Normalisation, VariedHistograms
from ._parts import StoredChannel
from ._schema import Analysis
from ._sections import HistogramChannel


def of_events(a: Analysis) -> Analysis:
    """The analysis as channels of events know it: without processes that have histograms only, and what acts on those."""
    if not a.histograms or a.dataset:
        return a
    known = {s.process for s in a.samples}

    def kept(given: Any) -> Any:
        if not (named := getattr(given, "processes", None)):
            return given
        return given.model_copy(update={"processes": [p for p in named if p in known]})

    systematics = [kept(s) for s in a.systematics]
    factors = [kept(f) for f in a.normalisations]
    return a.model_copy(
        update={
            "systematics": [s for s in systematics if getattr(s, "processes", None) != []],
            "normalisations": [f for f in factors if f.processes],
            "poi": kept(a.poi),
            "rates": {p: text for p, text in a.rates.items() if p in known},
            "signal": [p for p in a.signal or () if p in known],
        }
    )


def stored_parameters(a: Analysis) -> tuple[Parameter, ...]:
    """Nuisance parameters of the channels whose templates are histograms in files."""
    stored = {n for c in stored_channels(a) for n in (*c.varied, *c.factors)}
    return tuple(nuisance(n, s.group) for s in a.systematics for n in s.parameter_names if n in stored)


def stored_channels(a: Analysis) -> tuple[StoredChannel, ...]:
    """The channels whose templates are histograms in files."""
    return tuple(_places(a, c) for c in a.histograms)


def _places(a: Analysis, channel: HistogramChannel) -> StoredChannel:
    """Where the histograms of a channel are, all names put in."""

    def place(text: str, process: str, systematic: str = "") -> str:
        return text.replace("{process}", process).replace("{systematic}", systematic)

    up, down = channel.up or "", channel.down
    varied = {
        name: {p: (place(up, p, name), None if down is None else place(down, p, name)) for p in processes}
        for name, processes in channel.varied.items()
    }
    factors = {
        s.name: {p: s.width for p in channel.processes if not s.processes or p in s.processes}
        for s in a.systematics
        if isinstance(s, Normalisation)
    }
    factors = {name: some for name, some in factors.items() if some}
    others = [s for s in a.systematics if not isinstance(s, Normalisation | VariedHistograms)]
    here = [s for s in others if set(getattr(s, "processes", None) or channel.processes) & set(channel.processes)]
    here = [s for s in here if channel.name in (s.channels or [channel.name])]
    absent = tuple(n for s in here for n in s.parameter_names if n not in varied)
    nominal = {p: place(channel.nominal, p) for p in channel.processes}
    return StoredChannel(channel.name, nominal, channel.observed, varied, factors, absent)
