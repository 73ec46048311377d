"""Speed of the collider simulation, and its likeness to the published sample.

Usage: python benchmarks/collider.py [EVENTS] [PARQUET FOLDER]

Without a file: CPU time per event, warm, and events per second of two busy cores. With the FAIR Universe sample
(1,000 rows, not shipped): also a figure and a table of weighted Kolmogorov–Smirnov distances, written to FOLDER.
"""

import sys
import time
from pathlib import Path

import jax
import numpy as np
from matplotlib.figure import Figure

from verax.data import fair_universe
from verax.events import Events
from verax.problems import Collider
from verax.report import COLOURS, SIGNAL, Style, canvas, drawing, heading, save
from verax.shift import kolmogorov_smirnov


def speed(events: int) -> None:
    collider = Collider()
    for seed in range(4):
        wall, cpu = time.perf_counter(), time.process_time()
        jax.block_until_ready(collider.nominal(jax.random.key(seed), events // 4))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        print(
            f"{'warm' if seed else 'first (compiles)'}: {wall:.2f} s, {cpu:.2f} s of CPU, {cpu / events * 1e6:.2f} µs "
            f"of CPU per event: {2 * events / cpu / 1e6:.2f} M events/s on two free cores"
        )


@drawing()
def distances(real: Events, sim: Events) -> Figure:
    figure = canvas(7.2, 8.0)
    axes = figure.subplots()
    place = np.arange(len(sim.columns))
    groups = [("all, weighted", None, "black"), ("H → ττ", 0, SIGNAL), ("Z → ττ", 1, COLOURS[0])]
    for shift, (label, process, colour) in zip((-0.25, 0.0, 0.25), groups, strict=True):
        ours = slice(None) if process is None else sim.process == process
        theirs = slice(None) if process is None else np.asarray(real.process) == process
        found = [
            kolmogorov_smirnov(sim.column(n)[ours], real.column(n)[theirs], sim.weight[ours], real.weight[theirs])
            for n in sim.columns
        ]
        axes.plot([d for d, _ in found], place + shift, "o", ms=4, color=colour, label=label)
        axes.axvline(1.36 * found[0][1], color=colour, lw=0.8, ls=":")
        for name, (distance, resolution) in zip(sim.columns, found, strict=True):
            print(f"{label:15s} {name:28s} {distance:.3f} (95 % of equal samples: {1.36 * resolution:.3f})")
    axes.set_yticks(place, [n.replace("_", " ") for n in sim.columns], fontsize=8)
    axes.minorticks_off()
    axes.invert_yaxis()
    axes.set_xlim(0, 0.25)
    axes.set_xlabel("Kolmogorov–Smirnov distance (dotted: 95 % of equal samples)")
    axes.legend()
    heading(axes, Style(text="Collider and published sample"), wide=True)
    return figure


if __name__ == "__main__":
    speed(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
    if len(sys.argv) > 3:
        sample = jax.tree.map(np.asarray, Collider().nominal(jax.random.key(11), 8192))
        folder = Path(sys.argv[3])
        folder.mkdir(parents=True, exist_ok=True)
        save(distances(fair_universe.load(Path(sys.argv[2])), sample), folder, "collider_distances")
