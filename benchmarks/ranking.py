"""The ranking of nuisance parameters, against cabinetry's on the same workspace and data.

Usage: python benchmarks/ranking.py [WORKSPACE.json] [--no-cabinetry] [--times 3] [--tolerance 1e-4]

Without a workspace, one of three channels and 12 systematics is made. Says how long the ranking takes, the first time
(with compilation, or with what the compilation cache of JAX_COMPILATION_CACHE_DIR holds) and the next ones, wall and
CPU seconds. cabinetry does two to four refits per parameter with Minuit; it leaves out the γ of ``staterror``. The
impacts are compared parameter by parameter, in units of the uncertainty of the parameter of interest. With
Minuit's default tolerance of 0.1 cabinetry's impacts scatter by 0.02 σ, so a smaller one is asked for. Both run in this
process, one after the other.
"""

import argparse
import json
import logging
import tempfile
import warnings
from pathlib import Path

import numpy as np
from engine import clock, say, search

from verax.infer import Ranking, fit, ranking
from verax.workspace import from_pyhf, read_json


def ours(path: Path, times: int) -> tuple[Ranking, float]:
    """The ranking and the error of the parameter of interest."""
    model, data, poi = from_pyhf(path)
    for k in range(times):
        found, wall, cpu = clock(lambda: ranking(model, data, poi))
        worst = int(found.status.max())
        say(
            f"verax, ranking {k}{' (first)' if k == 0 else ''}", wall, cpu, f"{len(found.names)} others, status {worst}"
        )
    return found, float(fit(model, data).error[model.names.index(poi)])


def theirs(path: Path, tolerance: float) -> tuple[dict[str, np.ndarray], float]:
    """Cabinetry's four impacts by parameter: post-fit up and down, pre-fit up and down; and its σ."""
    import cabinetry
    import pyhf

    pyhf.set_backend("numpy")
    model, data = cabinetry.model_utils.model_and_data(read_json(path))
    best, wall, cpu = clock(lambda: cabinetry.fit.fit(model, data, tolerance=tolerance, strategy=2))
    say("cabinetry, fit", wall, cpu)
    found, wall, cpu = clock(
        lambda: cabinetry.fit.ranking(model, data, fit_results=best, tolerance=tolerance, strategy=0)
    )
    say("cabinetry, ranking", wall, cpu)
    impacts = np.stack([found.postfit_up, found.postfit_down, found.prefit_up, found.prefit_down], axis=1)
    sigma = float(best.uncertainty[model.config.poi_index])
    return dict(zip(found.labels, impacts, strict=True)), sigma


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path, nargs="?")
    parser.add_argument("--no-cabinetry", action="store_true")
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--tolerance", type=float, default=1e-4, help="Minuit's, for cabinetry")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        path = options.workspace or Path(folder, "search.json")
        if not options.workspace:
            path.write_text(json.dumps(search(systematics=12)))
        found, sigma = ours(path, options.times)
        if options.no_cabinetry:
            return
        reference, their_sigma = theirs(path, options.tolerance)
    print(f"σ of {found.name}: verax {sigma:.6f} (exact Hessian), cabinetry {their_sigma:.6f} (Minuit's)")
    mine = dict(zip(found.names, np.stack([found.up, found.down, found.prefit_up, found.prefit_down], 1), strict=True))
    shared = [name for name in reference if name in mine]
    with np.errstate(invalid="ignore"):
        apart = np.array([abs(mine[name] - reference[name]) for name in shared]) / sigma
    for k, label in enumerate(("post-fit up", "post-fit down", "pre-fit up", "pre-fit down")):
        column = apart[:, k]
        worst = int(np.nanargmax(column))
        line = f"{np.isfinite(column).sum()} parameters, largest |Δ impact|/σ = {column[worst]:.2e} ({shared[worst]})"
        print(f"{label:14s} {line}, median {np.nanmedian(column):.1e}")


if __name__ == "__main__":
    main()
