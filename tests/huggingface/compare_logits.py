"""Logits and all three energies of 64 sentences, to 1e-4 relative; every gradient; ten steps of training.
compare_logits.py CHECKPOINTS [NAME...]
"""
import pathlib
import sys
import tempfile

import torch
from safetensors.torch import load_file

import agreement
import probe
from families import FAMILIES
from reference import Classifier, draw_labels, encode, gradients, save_batch, train

LABELLED = 3
# objective or energy, K, data of NCE
OBJECTIVES = [("ce", 1, "separate"), ("hidden", 2, "separate"), ("hidden", 1, "shared"), ("sharp-hidden", 1, "separate"),
              ("scalar", 2, "shared")]


def compare_outputs(name, folder, work):
    rows, texts = encode(folder, 64)
    found = probe.tokens(folder, [(first, second, 40) for first, second in texts])
    agreement.check(f"{name}: ids of AutoTokenizer", [ids for ids, _ in found] == [ids for ids, _ in rows])
    save_batch(work / "batch", rows)
    probe.run("outputs", folder, work / "batch", work / "answer")
    answer = load_file(work / "answer")
    model = Classifier(folder, torch.float64)
    with torch.no_grad():
        logits, pooled = model.outputs(rows)
        agreement.relative(f"{name}: logits", answer["logits"], logits)
        for kind in ("hidden", "sharp-hidden", "scalar"):
            agreement.relative(f"{name}: {kind} energy", answer[kind][:, 0], model.energies(kind, logits, pooled))


def batch_of(name, folder, kind, ratio, data):
    parts = 1 if kind == "ce" else 1 + (data == "separate") + ratio
    rows, _ = encode(folder, LABELLED * parts, 32, 10)
    return rows, draw_labels(LABELLED, FAMILIES[name][2].get("num_labels", 3))


def compare_gradients(name, folder, work):
    losses, cases = {torch.float64: [], torch.float32: []}, {}
    printed = []
    for objective in OBJECTIVES:
        kind, ratio, data = objective
        rows, labels = batch_of(name, folder, *objective)
        save_batch(work / "batch", rows, labels=labels)
        printed += probe.run("gradients", folder, work / "batch", work / "answer", kind, ratio, data).split()
        found = {}
        for dtype in losses:
            model = Classifier(folder, dtype)
            values = model.objective(rows, labels, *objective)
            losses[dtype] += [v.item() for v in values]
            found[dtype] = gradients(model.parameters(kind), values[0])
        cases[f"{kind} K={ratio} {data}"] = load_file(work / "answer"), found[torch.float64], found[torch.float32], None
    agreement.numbers(f"{name}: losses of {len(cases)} objectives", [float(x) for x in printed], losses[torch.float64],
                      losses[torch.float32])
    agreement.tensors(f"{name}: gradients of {len(cases)} objectives", cases)


def without_gradient(model, rows, labels, objective):
    """Parameters whose gradient is 0 but for rounding (the biases of keys): AdamW makes steps of that rounding."""
    found = gradients(model.parameters(objective[0]), model.objective(rows, labels, *objective)[0])
    total = torch.stack([g.norm() for g in found.values()]).norm()
    return {n for n, g in found.items() if g.norm() < agreement.NOTHING * total}


def compare_training(name, folder, work, objective):
    kind, ratio, data = objective
    rows, labels = batch_of(name, folder, *objective)
    save_batch(work / "batch", rows, labels=labels)
    printed = probe.run("train", folder, work / "batch", work / "answer", kind, ratio, data)
    still = without_gradient(Classifier(folder, torch.float64), rows, labels, objective)
    losses, weights, before = {}, {}, None
    for dtype in (torch.float64, torch.float32):
        model = Classifier(folder, dtype)
        parameters = model.parameters(kind)
        before = before or {n: p.detach().clone() for n, p in parameters.items()}
        losses[dtype] = train(parameters, lambda: model.objective(rows, labels, *objective)[0])
        weights[dtype] = {n: p.detach() for n, p in parameters.items()}
    what = f"{name}: ten steps"
    agreement.check(f"{what}: {len(still)} tensors without a gradient, biases all", all("bias" in n for n in still))
    agreement.numbers(f"{what}: losses", [float(x) for x in printed.split()], losses[torch.float64], losses[torch.float32])
    cases = {f"{kind} energy": (load_file(work / "answer"), weights[torch.float64], weights[torch.float32], before)}
    agreement.tensors(f"{what}: change of weights", cases, still)


def main():
    checkpoints = pathlib.Path(sys.argv[1])
    for name in sys.argv[2:] or FAMILIES:
        with tempfile.TemporaryDirectory() as work:
            work = pathlib.Path(work)
            compare_outputs(name, checkpoints / name, work)
            compare_gradients(name, checkpoints / name, work)
            compare_training(name, checkpoints / name, work, ("hidden", 2, "separate"))
    agreement.finish()


if __name__ == "__main__":
    main()
