"""A data set of one's own in the layout of the UCI sets with their splits."""

from pathlib import Path

import numpy as np

from verax.compare import Data


def write_set(folder: Path, data: Data) -> None:
    """The set as text, in the layout of the published ones."""
    folder.mkdir(parents=True)
    d = data.x.shape[1]
    np.savetxt(folder / "data.txt", np.column_stack([data.x, data.y]), fmt="%.17g")
    np.savetxt(folder / "index_features.txt", np.arange(d))
    np.savetxt(folder / "index_target.txt", [d])
    np.savetxt(folder / "n_splits.txt", [len(data.train)])
    for i, (train, test) in enumerate(zip(data.train, data.test, strict=True)):
        np.savetxt(folder / f"index_train_{i}.txt", train)
        np.savetxt(folder / f"index_test_{i}.txt", test)
