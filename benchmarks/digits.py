"""Methods of classification on corrupted digits: medians over seeds, with their spread, of metrics by strength.

    python benchmarks/digits.py --seeds 10 --seed 21

Seeds 1 to 20 were looked at while the comparison was written.
"""

import argparse
from pathlib import Path

import numpy as np

from verax.compare import compare_methods, on_digits

METRICS = ("log loss", "coverage", "size", "ECE", "mutual information")
SHOWN = (
    "nominal",
    "rotation 30°",
    "rotation 60°",
    "shift 1 pixels",
    "shift 2 pixels",
    "noise 4 of 16",
    "noise 8 of 16",
)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=21)
    parser.add_argument("--folder", type=Path, default=Path("runs/digits"))
    given = parser.parse_args()
    compare_methods("digits", given.folder, shift="corruption", seeds=given.seeds, seed=given.seed)
    trials = on_digits(shift="corruption").run(given.folder, seeds=given.seeds, seed=given.seed)  # kept: read back
    rows = list(dict.fromkeys(t.row for t in trials))
    for metric in METRICS:
        print(f"\n| {metric} | " + " | ".join(SHOWN) + " |\n| :-- |" + " --: |" * len(SHOWN))
        for row in rows:
            if metric not in ("coverage", "size") and row.startswith("conformal"):
                continue  # its probabilities are the single network's
            if metric == "mutual information" and row in ("single network", "temperature"):
                continue
            cells = []
            for condition in SHOWN:
                values = [t.result[condition][metric][0] for t in trials if t.row == row]
                low, middle, high = np.quantile(values, [0.16, 0.5, 0.84])
                cells.append(f"{middle:.3f} ± {(high - low) / 2:.3f}")
            print(f"| {row} | " + " | ".join(cells) + " |")
    covered = {row: [t.result["nominal"]["coverage"][0] for t in trials if t.row == row] for row in rows}
    print("\nmean coverage at nominal: " + ", ".join(f"{row} {np.mean(v):.4f}" for row, v in covered.items()))
    of = {row: [t.result for t in trials if t.row == row] for row in ("single network", "deep ensemble")}
    print()
    for condition in of["single network"][0]:
        gain = [a[condition]["log loss"][0] - b[condition]["log loss"][0] for a, b in zip(*of.values(), strict=True)]
        worse = int(np.sum(np.array(gain) < 0))
        print(
            f"{condition}: the ensemble's log loss is lower by {np.median(gain):.3f} (median); higher in {worse} seeds"
        )


if __name__ == "__main__":
    main()
