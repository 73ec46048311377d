"""Small models as ONNX files, written byte by byte (Protocol Buffers), and a stand-in for onnxruntime that runs them.

Each is the probability p = 1 / (1 + exp(−w·x)): as one output ``score``, or as a label and a column for each of two classes.
"""

import json
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace

import numpy as np

FLOAT, DOUBLE, INT64 = 1, 11, 7
TYPES = {FLOAT: "tensor(float)", DOUBLE: "tensor(double)", INT64: "tensor(int64)"}


def varint(n):
    found = b""
    while n > 127:
        found, n = found + bytes([n & 127 | 128]), n >> 7
    return found + bytes([n])


def field(number, value):
    """One field: a whole number, or bytes, text or a message of its own length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def message(*fields):
    return b"".join(field(n, v) for n, v in fields)


def value_info(name, kind, shape):
    dims = [(1, message((1, d) if isinstance(d, int) else (2, d))) for d in shape]
    return message((1, name), (2, message((1, message((1, kind), (2, message(*dims)))))))


def node(op, inputs, outputs, **attributes):
    given = [(5, message((1, k), (3, v), (20, 2))) for k, v in attributes.items()]
    return message(*((1, i) for i in inputs), *((2, o) for o in outputs), (4, op), *given)


def tensor(name, values, elsewhere=None):
    kind = {"float32": FLOAT, "float64": DOUBLE}[values.dtype.name]
    content = (
        [(9, values.tobytes())] if elsewhere is None else [(13, message((1, "location"), (2, elsewhere))), (14, 1)]
    )
    return message(*((1, d) for d in values.shape), (2, kind), (8, name), *content)


def onnx(weights, *, kind=FLOAT, batch="event", classes=1, inputs=1, elsewhere=None):
    """The bytes of a model; its weights may lie in another file."""
    w = np.asarray(weights, np.float32 if kind == FLOAT else np.float64)[:, None]
    nodes, ins = [], [value_info("x", kind, [batch, len(w)])]
    if kind == INT64:
        w, nodes = w.astype(np.float32), [node("Cast", ["x"], ["real"], to=FLOAT)]
    of, real = ("real" if kind == INT64 else "x"), FLOAT if kind == INT64 else kind
    if inputs == 2:
        ins.append(value_info("more", kind, [batch, len(w)]))
        nodes, of = [node("Add", ["x", "more"], ["both"])], "both"
    if classes == 1:
        nodes += [node("MatMul", [of, "w"], ["logit"]), node("Sigmoid", ["logit"], ["score"])]
        outs = [value_info("score", real, [batch, 1])]
    else:
        w = np.concatenate([np.zeros_like(w), w], axis=1)
        nodes += [node("MatMul", [of, "w"], ["logit"]), node("Softmax", ["logit"], ["probabilities"], axis=1)]
        nodes += [node("ArgMax", ["logit"], ["label"], axis=1, keepdims=0)]
        outs = [value_info("label", INT64, [batch]), value_info("probabilities", real, [batch, 2])]
    graph = [
        *((1, n) for n in nodes),
        (2, "g"),
        (5, tensor("w", w, elsewhere)),
        *((11, i) for i in ins),
        *((12, o) for o in outs),
    ]
    return message((1, 8), (7, message(*graph)), (8, message((1, ""), (2, 17))))


def plain(weights, *, kind=FLOAT, batch="event", classes=1, inputs=1):
    """The same for the stand-in, as JSON."""
    width = len(weights)
    given = [[n, TYPES[kind], [batch, width]] for n in ("x", "more")[:inputs]]
    real = TYPES[FLOAT if kind == INT64 else kind]
    found = [["score", real, [batch, 1]]]
    if classes == 2:
        found = [["label", TYPES[INT64], [batch]], ["probabilities", real, [batch, 2]]]
    return json.dumps({"inputs": given, "outputs": found, "weights": list(weights)}).encode()


def stand_in():
    """A module with what of onnxruntime is used."""

    class Session:
        def __init__(self, content, options, providers):
            self.model = json.loads(content)

        def get_inputs(self):
            return [SimpleNamespace(name=n, type=t, shape=s) for n, t, s in self.model["inputs"]]

        def get_outputs(self):
            return [SimpleNamespace(name=n, type=t, shape=s) for n, t, s in self.model["outputs"]]

        def run(self, names, given):
            (given,) = given.values()
            dtype = {"tensor(float)": np.float32, "tensor(double)": np.float64}[self.model["inputs"][0][1]]
            assert given.dtype == dtype
            p = (1 / (1 + np.exp(-given @ np.array(self.model["weights"], dtype)[:, None]))).astype(dtype)
            return [p if name == "score" else np.concatenate([1 - p, p], axis=1) for name in names]

    class Options:
        def add_session_config_entry(self, key, value):
            pass

    module = ModuleType("onnxruntime")
    module.__spec__ = ModuleSpec("onnxruntime", None)
    module.InferenceSession, module.SessionOptions = Session, Options
    return module


def use_stand_in(patch):
    patch.setitem(sys.modules, "onnxruntime", stand_in())
