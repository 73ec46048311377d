"""Reading, shifting, scoring and filling, against the same work written by hand in NumPy and boost-histogram.

Usage: python benchmarks/chain.py [EVENTS ...]

Both sides read the same Parquet file in chunks of 65,536 rows, shift the tau energy scale by ±1 prior width with the
missing transverse momentum and the twelve derived columns, score nominal and both variations with the same five networks
(23-64-64-1), and fill histograms of 400 bins for four processes, with sums of squares. Each side runs in a process of its
own, once to warm up (compilation is shown apart) and three times for the median; the histograms are compared.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np

ROWS, BINS = 65_536, 400


def make(path: Path, events: int) -> None:
    """The shipped sample, repeated with new event numbers."""
    from verax.data import higgsml, write_events
    from verax.events import Events

    sample = higgsml.load()

    def chunks():
        for start in range(0, events, ROWS):
            index = np.arange(start, min(start + ROWS, events)) % len(sample)
            part = sample.take(index)
            number = np.arange(start, start + len(index), dtype=np.uint32)
            yield Events(part.x, part.weight, part.process, number, part.columns, part.processes)

    write_events(path, chunks())


def features() -> tuple[str, ...]:
    """Those of the embedded analysis."""
    from verax.analysis import load

    return tuple(load().features)


def networks():
    """Five networks with random weights, standardised to the sample."""
    import jax

    from verax.data import higgsml
    from verax.learn import classifier

    sample = higgsml.load()
    return [classifier(jax.random.key(m), sample, features(), missing=-999.0) for m in range(5)]


def verax_side(path: Path) -> np.ndarray:
    """Three histograms by verax."""
    import jax
    import jax.numpy as jnp

    from verax.data import read_events
    from verax.learn import predict
    from verax.systematics import HIGGSML, tau_energy_scale
    from verax.templates import fine_edges, templates

    members = jax.tree.map(lambda *a: jnp.stack(a) if hasattr(a[0], "shape") else a[0], *networks())

    def summary(events):
        return predict(members, events).mean, np.zeros(len(events), np.int64)

    source = read_events(path, ROWS)
    filled = templates(summary, source, (tau_energy_scale(HIGGSML, 0.03),), (fine_edges(BINS),))
    return np.stack([filled.nominal, filled.up[0], filled.down[0]])


def numpy_side(path: Path) -> np.ndarray:
    """Three histograms by hand."""
    import boost_histogram as bh
    import pyarrow.parquet as pq

    names = features()
    layers = [
        (
            np.asarray(n.standardise.centre),
            np.asarray(n.standardise.scale),
            [(np.asarray(layer.weight).T, np.asarray(layer.bias)) for layer in n.layers],
        )
        for n in networks()
    ]

    def score(columns: dict[str, np.ndarray]) -> np.ndarray:
        x = np.stack([columns[name] for name in names], axis=1)
        total = np.zeros(len(x), np.float64)
        for centre, scale, weights in layers:
            h = np.where(x == -999, 0, (x - centre) / scale).astype(np.float32)
            for w, b in weights[:-1]:
                h = np.maximum(h @ w + b, 0)
            total += 1 / (1 + np.exp(-(h @ weights[-1][0] + weights[-1][1])[:, 0]))
        return total / len(layers)

    axes = bh.axis.Regular(BINS, 0, 1, underflow=False), bh.axis.Integer(0, 4, underflow=False, overflow=False)
    filled = [bh.Histogram(*axes, storage=bh.storage.Weight()) for _ in range(3)]
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=ROWS):
            columns = {name: batch.column(name).to_numpy() for name in file.schema_arrow.names}
            for histogram, theta in zip(filled, (0, 1, -1), strict=True):
                moved = by_hand(columns, 1 + 0.03 * theta) if theta else columns
                histogram.fill(score(moved), columns["event_process"], weight=columns["event_weight"])
    return np.stack([np.asarray(h.view().value).T for h in filled])


def by_hand(given: dict[str, np.ndarray], s: float) -> dict[str, np.ndarray]:
    """The tau energy scale and the derived columns, as an analyst would write them."""
    c = dict(given)
    tau, lep = c["PRI_tau_pt"] * np.float32(s), c["PRI_lep_pt"]
    tx, ty = np.cos(c["PRI_tau_phi"]), np.sin(c["PRI_tau_phi"])
    lx, ly = lep * np.cos(c["PRI_lep_phi"]), lep * np.sin(c["PRI_lep_phi"])
    gain = np.float32(1 - s) * c["PRI_tau_pt"]
    mx = c["PRI_met"] * np.cos(c["PRI_met_phi"]) + gain * tx
    my = c["PRI_met"] * np.sin(c["PRI_met_phi"]) + gain * ty
    tx, ty = tau * tx, tau * ty
    c["PRI_tau_pt"], c["PRI_met"], c["PRI_met_phi"] = tau, np.hypot(mx, my), np.arctan2(my, mx)
    one, two = c["PRI_jet_num"] >= 1, c["PRI_jet_num"] >= 2
    jets = []
    for name, there in (("leading", one), ("subleading", two)):
        pt, eta, phi = (np.where(there, c[f"PRI_jet_{name}_{q}"], 0) for q in ("pt", "eta", "phi"))
        jets.append((pt, eta, phi, pt * np.cos(phi), pt * np.sin(phi)))
    (p1, e1, f1, x1, y1), (p2, e2, f2, x2, y2) = jets
    met, phi_met = c["PRI_met"], c["PRI_met_phi"]
    deta = c["PRI_tau_eta"] - c["PRI_lep_eta"]
    dphi = np.pi - np.mod(np.pi - (c["PRI_tau_phi"] - c["PRI_lep_phi"]), 2 * np.pi)
    c["DER_mass_transverse_met_lep"] = np.sqrt(
        np.maximum((met + lep) ** 2 - (mx + lx) ** 2 - (my + ly) ** 2, 0, dtype=np.float32)
    )
    tz, lz = tau * np.sinh(c["PRI_tau_eta"]), lep * np.sinh(c["PRI_lep_eta"])
    energy = np.sqrt((tau * np.cosh(c["PRI_tau_eta"])) ** 2 + np.float32(0.64)) + lep * np.cosh(c["PRI_lep_eta"])
    c["DER_mass_vis"] = np.sqrt(np.maximum(energy**2 - (tx + lx) ** 2 - (ty + ly) ** 2 - (tz + lz) ** 2, 0))
    c["DER_pt_h"] = np.hypot(tx + lx + mx, ty + ly + my)
    c["DER_deltaeta_jet_jet"] = np.where(two, np.abs(e1 - e2), -999)
    c["DER_mass_jet_jet"] = np.where(
        two, np.sqrt(np.maximum(2 * p1 * p2 * (np.cosh(e1 - e2) - np.cos(f1 - f2)), 0)), -999
    )
    c["DER_prodeta_jet_jet"] = np.where(two, e1 * e2, -999)
    c["DER_deltar_tau_lep"] = np.hypot(deta, dphi)
    c["DER_pt_tot"] = np.hypot(tx + lx + mx + x1 + x2, ty + ly + my + y1 + y2)
    c["DER_sum_pt"] = tau + lep + c["PRI_jet_all_pt"]
    c["DER_pt_ratio_lep_tau"] = lep / tau
    side = np.sign(np.sin(c["PRI_tau_phi"] - c["PRI_lep_phi"]))
    a, b = side * np.sin(phi_met - c["PRI_lep_phi"]), side * np.sin(c["PRI_tau_phi"] - phi_met)
    c["DER_met_phi_centrality"] = (a + b) / np.maximum(np.hypot(a, b), 1e-4)
    gap = np.where(e1 == e2, 1e-4, (e1 - e2) ** 2)
    c["DER_lep_eta_centrality"] = np.where(two, np.exp(-4 / gap * (c["PRI_lep_eta"] - (e1 + e2) / 2) ** 2), -999)
    return c


def timed(side: str, path: Path) -> None:
    """Run one side and print its figures as JSON."""
    work = partial({"verax": verax_side, "numpy": numpy_side}[side], path)
    seconds = []
    for _ in range(4):
        start = time.perf_counter()
        found = work()
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    np.save(path.with_suffix(f".{side}.npy"), found)
    print(json.dumps({"first": seconds[0], "median": float(np.median(seconds[1:])), "peak": peak}))


def main(sizes: list[int]) -> None:
    """Compare both sides at each number of events."""
    heads = (
        "events",
        "verax, s",
        "by hand, s",
        "ratio of speeds",
        "verax first, s",
        "peak MB, verax",
        "peak MB, by hand",
    )
    print("| " + " | ".join(heads) + " |\n" + "| --: " * len(heads) + "|")
    for events in sizes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "events.parquet"
            make(path, events)
            figures = {}
            for side in ("numpy", "verax"):
                command = [sys.executable, __file__, side, str(path)]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                figures[side] = json.loads(done.stdout.splitlines()[-1])
            ours, theirs = (np.load(path.with_suffix(f".{side}.npy")) for side in ("verax", "numpy"))
            moved = np.abs(ours - theirs).sum() / ours.sum()
            v, n = figures["verax"], figures["numpy"]
            print(
                f"| {events} | {v['median']:.2f} | {n['median']:.2f} | {n['median'] / v['median']:.2f} | {v['first']:.2f} "
                f"| {v['peak']:.0f} | {n['peak']:.0f} |  histograms differ by {moved:.1e} of their sum"
            )


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] in ("verax", "numpy"):
        timed(sys.argv[1], Path(sys.argv[2]))
    else:
        main([int(float(a)) for a in sys.argv[1:]] or [200_000, 1_000_000])
