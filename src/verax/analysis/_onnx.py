"""Scores by ONNX files, which onnxruntime runs: one for all events, or one for each fold.

Events pass in batches of one size, so that a score has the same bits whatever the chunks.
"""

import hashlib
import importlib.util
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from verax.errors import InputError, check_known
from verax.events import Events
from verax.learn import fold_of
from verax.run import HOW, checksums

from ._sections import Summary

BATCH = 1024
FLOATS: Mapping[str, type] = {"tensor(float)": np.float32, "tensor(double)": np.float64}


@dataclass(frozen=True)
class OnnxScore:
    """The score of models in ONNX files.

    Parameters
    ----------
    files : the model, or one for each fold, which scores the events that it never saw
    versions : checksums of these files
    features : columns that they read
    output : of several outputs, the name; ``name[1]`` is a column of one, the probability of the second class
    """

    files: tuple[str, ...] = field(metadata=HOW)
    versions: tuple[str, ...]
    features: tuple[str, ...]
    output: str | None = None

    def __call__(self, events: Events) -> np.ndarray:
        x, fold = np.asarray(events.features(self.features)), fold_of(events.number, len(self.files))
        found = np.empty(len(x))
        for f in np.unique(fold).tolist():
            rows = np.flatnonzero(fold == f)
            for start in range(0, len(rows), BATCH):
                part = rows[start : start + BATCH]
                found[part] = self._run(f, x[part])
        return found

    def check(self) -> None:
        """Hold the models to what a score needs: one input of the features, and an output of one number an event.

        Raises
        ------
        InputError : with the file, and what it has instead
        """
        for file, version in zip(self.files, self.versions, strict=True):
            model, where = session(file, version), f"summary.model '{file}'"
            given = model.get_inputs()
            if len(given) != 1:
                seen = f"{len(given)} inputs ({', '.join(i.name for i in given)})"
                raise InputError(where, seen, "one, of shape [event, feature]", "join them in the model")
            _check_input(given[0], len(self.features), where)
            self._chosen(model, where)

    def _chosen(self, model: Any, where: str) -> tuple[str, int | None]:
        """Name of the output, and the column of it where one is named."""
        outputs = {o.name: o for o in model.get_outputs()}
        shown = ", ".join(f"{name}: {o.type}{o.shape}" for name, o in outputs.items())
        name, column = self.output, None
        if name is not None and name not in outputs and (match := re.fullmatch(r"(.+)\[(\d+)\]", name)):
            name, column = match[1], int(match[2])
        if name is None and len(outputs) > 1:
            raise InputError(
                where, f"outputs {shown}", "the name of one", "say it: summary.output: NAME, or NAME[COLUMN]"
            )
        name = next(iter(outputs)) if name is None else name
        check_known([name], outputs, "summary.output", "output")
        chosen, shape = outputs[name], list(outputs[name].shape or [None])
        if chosen.type not in FLOATS:
            action = (
                "convert a classifier with zipmap=False" if "map" in chosen.type else "choose another summary.output"
            )
            raise InputError(where, f"output {name}: {chosen.type}", "tensor(float) or tensor(double)", action)
        width = shape[1] if len(shape) == 2 and isinstance(shape[1], int) else None
        _check_width(name, width, column, where)
        if len(shape) > 2:
            raise InputError(where, f"output {name} of shape {shape}", "one number an event, [event] or [event, 1]")
        return name, column

    def _run(self, f: int, x: np.ndarray) -> np.ndarray:
        """Scores of at most a batch of events by the model of one fold."""
        model, where = session(self.files[f], self.versions[f]), f"summary.model '{self.files[f]}'"
        name, column = self._chosen(model, where)
        given = model.get_inputs()[0]
        full: np.ndarray = np.concatenate([x, np.repeat(x[:1], BATCH - len(x), axis=0)]).astype(FLOATS[given.type])
        try:
            (found,) = model.run([name], {given.name: full})
        except Exception as error:
            raise InputError(where, _line(error), "scores of events with these features") from error
        found = np.asarray(found)
        if found.ndim == 2:
            _check_width(name, found.shape[1], column, where)
            found = found[:, column or 0]
        if found.shape != (BATCH,) or (column is not None and found.ndim == 0):
            raise InputError(where, f"output {name} of shape {found.shape} for {BATCH} events", "one number an event")
        return found[: len(x)]


def onnx_score(summary: Summary, base: Path, features: tuple[str, ...]) -> OnnxScore:
    """The score that a summary of kind onnx names, checked.

    Raises
    ------
    InputError : where onnxruntime or a file is missing, or a model is not one of these features
    """
    if importlib.util.find_spec("onnxruntime") is None:
        seen = "onnx without the package 'onnxruntime'"
        raise InputError("summary.kind", seen, "it installed", "pip install onnxruntime")
    paths = [(base / Path(m).expanduser()).resolve() for m in summary.models or [str(summary.model)]]
    for path in paths:
        if not path.is_file():
            raise InputError("summary.model", f"'{path}'", "an ONNX file", "check the path")
    found = OnnxScore(tuple(map(str, paths)), tuple(checksums([p])[str(p)] for p in paths), features, summary.output)
    found.check()
    return found


@cache
def session(file: str, version: str) -> Any:
    """The model in a file, as onnxruntime runs it on one core; the file's checksum must be ``version``.

    Raises
    ------
    InputError : for a file that changed, is no model, or holds its weights in another file, which may change unseen
    """
    import onnxruntime

    content, where = Path(file).read_bytes(), f"summary.model '{file}'"
    if hashlib.sha256(content).hexdigest() != version:
        raise InputError(where, "a file that changed during the run", "the same throughout", "start again")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # its errors come as exceptions
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", file)
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        if "xternal data" in str(error):
            raise InputError(where, "weights in another file", "a model in one file", "save it as one") from error
        raise InputError(where, _line(error), "an ONNX model that onnxruntime reads") from error


def _check_input(given: Any, features: int, where: str) -> None:
    shape = list(given.shape or [])
    if given.type not in FLOATS:
        raise InputError(
            where, f"input {given.name}: {given.type}", "tensor(float) or tensor(double)", "convert the model"
        )
    if len(shape) != 2:
        raise InputError(where, f"input {given.name} of shape {shape}", "[event, feature]")
    if isinstance(shape[0], int) and shape[0] > 0:
        seen, action = f"batches of {shape[0]} only", "export it with a dynamic first axis"
        raise InputError(where, seen, "any number of events", action)
    if isinstance(shape[1], int) and shape[1] != features:
        raise InputError(
            where, f"a model of {shape[1]} inputs", f"{features}, the features of the analysis in their order"
        )


def _check_width(name: str, width: int | None, column: int | None, where: str) -> None:
    if width is None or (width == 1 and not column) or (column is not None and column < width):
        return
    seen = f"output {name} of {width} columns" + (f", and column {column}" if column is not None else "")
    columns = f"a column of it, {name}[0] … {name}[{width - 1}]"
    raise InputError(where, seen, columns, f"say summary.output: {name}[{width - 1}]")


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
