"""Ensembles and Monte Carlo dropout against PyTorch and per-event masks; memory of a prediction.

Usage: python benchmarks/epistemic.py [--events N] [--members M] [--epochs E] [--passes P] [--torch PYTHON] [PART ...]
where a part is ensemble, dropout or memory; all of them by default

ensemble: M networks 28-128-128-1 on N events of two classes, E epochs in batches of 1,024; ours in one compiled loop,
PyTorch one after another with the same optimizer and shuffling, as it comes (on all cores) and in one thread. dropout:
P passes of such a network over N events; ours with one mask per pass, PyTorch and JAX with a mask per event. memory: the
highest resident memory of `predict` (a table) and `predict_chunks` for 10⁶ and 10⁷ events of four features, three members.

CPU seconds, of all threads; each side in a process of its own. PyTorch runs in the Python given by --torch, which needs
nothing but torch and NumPy; without it only our side is run.
"""

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np

FEATURES, WIDTH, BATCH, RATE = 28, 128, 1024, 0.1


def sample(n):
    rng = np.random.default_rng(0)
    label = np.arange(n) % 2
    return rng.normal(size=(n, FEATURES)).astype(np.float32) + 0.2 * label[:, None].astype(np.float32), label


def torch_network(nn, dropout=0.0):
    layers, inner = [], FEATURES
    for _ in range(2):
        layers += [nn.Linear(inner, WIDTH), nn.ReLU()] + ([nn.Dropout(dropout)] if dropout else [])
        inner = WIDTH
    return nn.Sequential(*layers, nn.Linear(WIDTH, 1))


def torch_ensemble(a):
    import torch

    if a.threads:
        torch.set_num_threads(a.threads)
    x, label = (torch.as_tensor(v) for v in sample(a.events))
    y, w = label.float(), torch.ones(len(x))
    start = time.process_time()
    for _ in range(a.members):
        network = torch_network(torch.nn)
        optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=1e-4)
        for _ in range(a.epochs):
            for rows in torch.randperm(len(x))[: len(x) // BATCH * BATCH].split(BATCH):
                optimizer.zero_grad()
                loss = torch.nn.functional.binary_cross_entropy_with_logits(network(x[rows])[:, 0], y[rows], w[rows])
                loss.backward()
                optimizer.step()
    return {"seconds": time.process_time() - start, "version": torch.__version__}


def torch_dropout(a):
    import torch

    torch.set_num_threads(1)
    x = torch.as_tensor(sample(a.events)[0])
    network = torch_network(torch.nn, RATE).train()
    start = time.process_time()
    with torch.inference_mode():
        for part in x.split(2048):
            passes = torch.stack([torch.sigmoid(network(part)) for _ in range(a.passes)])
            _ = passes.mean(0), passes.var(0, correction=0)
    return {"seconds": time.process_time() - start}


def events_of(n):
    from verax.events import make_events

    x, label = sample(n)
    return make_events({f"x{i}": x[:, i] for i in range(FEATURES)}, process=label, processes=("b", "s"))


def our_ensemble(a):
    from functools import partial

    import jax

    from verax.epistemic import ensemble
    from verax.learn import CrossEntropy, Training, classifier

    events = events_of(a.events // BATCH * BATCH)
    make = partial(classifier, features=events.columns, width=WIDTH, depth=2)
    run = partial(ensemble, jax.random.key(0), make, CrossEntropy(("s",)), events, bootstrap=False)
    start = time.process_time()
    run(members=1, training=Training(1, BATCH))
    first = time.process_time() - start
    start = time.process_time()
    run(members=a.members, training=Training(a.epochs, BATCH))
    return {"seconds": time.process_time() - start, "first": first}


def our_dropout(a):
    import jax
    import jax.numpy as jnp

    from verax.epistemic import Dropout, dropout_predict
    from verax.learn import classifier, predict

    events = events_of(a.events)
    network = classifier(jax.random.key(0), events, events.columns, width=WIDTH, depth=2)
    x = np.asarray(events.x)

    def shared():
        return dropout_predict(jax.random.key(1), network, x, members=a.passes, rate=RATE)

    def members():
        return predict(Dropout(network, RATE).members(jax.random.key(1), a.passes), x)

    @jax.jit
    def per_event(key, part):
        def one(key):
            hidden = jax.vmap(network.standardise)(part)
            for i, layer in enumerate(network.layers[:-1]):
                hidden = jax.nn.relu(jax.vmap(layer)(hidden))
                mask = jax.random.bernoulli(jax.random.fold_in(key, i), 1 - RATE, hidden.shape)
                hidden = hidden * mask / (1 - RATE)
            return jax.nn.sigmoid(jax.vmap(network.layers[-1])(hidden))

        passes = jax.lax.map(one, jax.random.split(key, a.passes))
        return passes.mean(0), passes.var(0)

    def separate():
        for start in range(0, len(x), 2048):
            part = x[start : start + 2048]
            full = np.zeros((2048, FEATURES), np.float32)
            full[: len(part)] = part
            jax.block_until_ready(per_event(jax.random.key(start), jnp.asarray(full)))

    seconds = {}
    for name, work in {"shared": shared, "members": members, "per event, JAX": separate}.items():
        work()
        start = time.process_time()
        work()
        seconds[name] = time.process_time() - start
    return seconds


def memory(a):
    from functools import partial

    import jax

    from verax.events import make_events
    from verax.learn import classifier, predict, predict_chunks, stack

    def peak():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    rng = np.random.default_rng(0)
    few = make_events({name: rng.normal(size=1000) for name in "abcd"})
    make = partial(classifier, events=few, features=tuple("abcd"), width=16, depth=1)
    members = stack([make(jax.random.key(m)) for m in range(3)])
    predict(members, few, batch=65_536)
    before, start = peak(), time.process_time()
    sizes = [100_000] * (a.events // 100_000)
    chunks = (rng.normal(size=(n, 4)).astype(np.float32) for n in sizes)
    if a.chunks:
        for part in predict_chunks(members, chunks, batch=65_536):
            assert len(part.mean) == 100_000
        own = 0.0
    else:
        table = np.empty((a.events, 4), np.float32)
        for i, chunk in enumerate(chunks):
            table[i * 100_000 : (i + 1) * 100_000] = chunk
        result = predict(members, table, batch=65_536)
        own = (table.nbytes + 3 * result.mean.nbytes) / 2**20
    return {"before": before, "own": own, "beyond": peak() - before - own, "seconds": time.process_time() - start}


PARTS = {f.__name__: f for f in (torch_ensemble, torch_dropout, our_ensemble, our_dropout, memory)}


def call(python, part, a, *more):
    command = [python, __file__, part, "--part", "--events", a.events, "--members", a.members]
    command += ["--epochs", a.epochs, "--passes", a.passes, *more]
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", default=[])
    for name, value in {"events": 200_000, "members": 10, "epochs": 5, "passes": 50}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--torch")
    parser.add_argument("--threads", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--part", action="store_true")
    parser.add_argument("--chunks", action="store_true")
    a = parser.parse_args()
    if a.part:
        print(json.dumps(PARTS[a.what[0]](a)))
        return
    what = a.what or ["ensemble", "dropout", "memory"]
    if "ensemble" in what:
        ours = call(sys.executable, "our_ensemble", a)
        line = f"ensemble, {a.members} × {a.epochs} epochs × {a.events} events: ours {ours['seconds']:.1f} s"
        line += f" (one epoch of one member with compilation, before: {ours['first']:.1f} s)"
        for threads in (0, 1) if a.torch else ():
            peer = call(a.torch, "torch_ensemble", a, "--threads", threads)
            line += f", PyTorch {peer['version']} {'in one thread' if threads else 'as it comes'} "
            line += f"{peer['seconds']:.1f} s: ratio {peer['seconds'] / ours['seconds']:.1f}"
        print(line, flush=True)
    if "dropout" in what:
        ours = call(sys.executable, "our_dropout", a)
        line = f"dropout, {a.passes} passes × {a.events} events: shared masks {ours['shared']:.2f} s, "
        line += f"the same as members, one by one {ours['members']:.2f} s, "
        line += f"per event, JAX {ours['per event, JAX']:.2f} s: ratio {ours['per event, JAX'] / ours['shared']:.1f}"
        if a.torch:
            peer = call(a.torch, "torch_dropout", a)
            line += f"; PyTorch {peer['seconds']:.2f} s: ratio {peer['seconds'] / ours['shared']:.1f}"
        print(line, flush=True)
    if "memory" in what:
        for more in ([], ["--chunks"]):
            for n in (10**6, 10**7):
                a.events = n
                found = call(sys.executable, "memory", a, *more)
                print(
                    f"memory, {n} events, {'chunks' if more else 'table'}: input and result {found['own']:.0f} MB, "
                    f"beyond them {found['beyond']:.0f} MB, {found['seconds']:.1f} s"
                )


if __name__ == "__main__":
    main()
