"""GPT-2's loss, every gradient, ten steps of training.    compare_language_model.py CHECKPOINTS [NAME...]"""
import pathlib
import sys
import tempfile

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

import agreement
import probe
from families import DECODERS
from reference import encode, gradients, pad, save_batch, train

NONE = -100  # PyTorch's sign for no target


def load(folder, dtype):
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").to(dtype).eval()
    return model, {n: p for n, p in model.named_parameters() if n != "lm_head.weight"}


def make_targets(rows):
    """The next token, but not within the first third of a text, which plays the prefix."""
    return [[NONE] * (len(ids) // 3) + ids[len(ids) // 3 + 1:] + [NONE] for ids, _ in rows]


def loss_of(model, rows, targets):
    batch = pad(rows, 0)
    logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    longest = batch["input_ids"].shape[1]
    wanted = torch.tensor([row + [NONE] * (longest - len(row)) for row in targets])
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), wanted.flatten(), ignore_index=NONE)


def compare(name, folder, work):
    rows, _ = encode(folder, 8, 30, 11)
    targets = make_targets(rows)
    save_batch(work / "batch", rows, targets=[max(t, -1) for row in targets for t in row])
    printed = [float(x) for x in probe.run("decoder-gradients", folder, work / "batch", work / "gradients").split()]
    trained = [float(x) for x in probe.run("decoder-train", folder, work / "batch", work / "weights").split()]
    loss, gradient, losses, weights, before = {}, {}, {}, {}, None
    for dtype in (torch.float64, torch.float32):
        model, parameters = load(folder, dtype)
        before = before or {n: p.detach().clone() for n, p in parameters.items()}
        value = loss_of(model, rows, targets)
        loss[dtype] = [value.item()]
        gradient[dtype] = gradients(parameters, value)
        losses[dtype] = train(parameters, lambda: loss_of(model, rows, targets))
        weights[dtype] = {n: p.detach() for n, p in parameters.items()}
    exact, single = torch.float64, torch.float32
    agreement.numbers(f"{name}: loss", printed, loss[exact], loss[single])
    cases = {"cross-entropy": (load_file(work / "gradients"), gradient[exact], gradient[single], None)}
    agreement.tensors(f"{name}: gradients", cases)
    agreement.numbers(f"{name}: ten steps: losses", trained, losses[exact], losses[single])
    # A third of these are biases of keys, whose gradient is 0 but for rounding, which AdamW scales up.
    keys = [n for n in gradient[exact] if n.endswith("attn.c_attn.bias")]
    cases = {"cross-entropy": (load_file(work / "weights"), weights[exact], weights[single], before)}
    agreement.tensors(f"{name}: ten steps: change of weights", cases, keys)


def main():
    checkpoints = pathlib.Path(sys.argv[1])
    for name in sys.argv[2:] or DECODERS:
        with tempfile.TemporaryDirectory() as work:
            compare(name, checkpoints / name, pathlib.Path(work))
    agreement.finish()


if __name__ == "__main__":
    main()
