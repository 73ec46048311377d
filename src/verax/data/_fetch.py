"""Downloads of published data sets."""

import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from verax.errors import InputError

from ._catalogue import named


def fetch(name: str, folder: Path, *, told: Callable[[str], None] = print) -> list[Path]:
    """Download the files of a published set; a file that is there is left as it is.

    Parameters
    ----------
    name : of the set
    folder : for its files
    told : is called with a line for each file

    Raises
    ------
    InputError : for an unknown name, a set without an address of its own, no network, or an answer that is no file
    """
    known, where = named(name), f"fetch {name}"
    by_hand = f"get it from https://doi.org/{known.doi}, then: verax data check FILE"
    if not known.address:
        raise InputError(where, "no address of its files", "one to download from", f"{known.steps}; or {by_hand}")
    paths = []
    for file in known.files:
        path, part = folder / file, folder / f".{file}.partial"
        paths.append(path)
        if path.exists():
            told(f"{path}: is there, left as it is")
            continue
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with urllib.request.urlopen(known.address + file, timeout=30) as answer, part.open("wb") as out:
                shutil.copyfileobj(answer, out, 1 << 20)
                size = int(answer.headers.get("Content-Length") or part.stat().st_size)
            if part.stat().st_size != size or not size:
                raise InputError(where, f"{part.stat().st_size} of {size} bytes", "the whole file", by_hand)
            part.replace(path)
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            reason = getattr(error, "reason", error)
            raise InputError(where, f"no answer from {known.address} ({reason})", "a network", by_hand) from error
        finally:
            part.unlink(missing_ok=True)
        told(f"{path}: {path.stat().st_size} bytes; verax data check {path}")
    return paths
