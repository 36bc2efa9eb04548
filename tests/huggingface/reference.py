"""What transformers and PyTorch compute: batches of real sentences, outputs, the joint objective, ten steps of AdamW."""
import math
import random

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from families import Energy
from texts import sentences

STEPS, RATE, WARMUP, TOTAL, DECAY = 10, 2e-3, 3, 12, 0.1  # as probe.h has them


# --- batches

def encode(folder, count, longest=40, seed=8):
    """(ids, types) of sentences, every third a pair, from the checkpoint's own AutoTokenizer; and the texts themselves."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    texts = sentences(2 * count, seed)
    pairs = [(texts[i], texts[-1 - i] if i % 3 == 2 else None) for i in range(count)]
    rows = []
    for first, second in pairs:
        e = tokenizer(first, second, truncation="longest_first", max_length=longest)
        rows.append((e["input_ids"], e.get("token_type_ids") or [0] * len(e["input_ids"])))
    return rows, pairs


def save_batch(path, rows, **more):
    flat = [torch.tensor([x for row in rows for x in row[part]]) for part in (0, 1)]
    tensors = {"ids": flat[0], "types": flat[1], "lengths": torch.tensor([len(row[0]) for row in rows])}
    save_file({**tensors, **{name: torch.tensor(values) for name, values in more.items()}}, path)


def pad(rows, pad_id):
    """input_ids, token_type_ids, attention_mask as transformers' collators make them."""
    longest = max(len(ids) for ids, _ in rows)
    fill = [longest - len(ids) for ids, _ in rows]
    return {"input_ids": torch.tensor([ids + [pad_id] * n for (ids, _), n in zip(rows, fill)]),
            "token_type_ids": torch.tensor([types + [0] * n for (_, types), n in zip(rows, fill)]),
            "attention_mask": torch.tensor([[1] * len(ids) + [0] * n for (ids, _), n in zip(rows, fill)])}


# --- models

class Classifier:
    """A checkpoint in transformers, in one precision."""

    def __init__(self, folder, dtype):
        self.model = AutoModelForSequenceClassification.from_pretrained(folder, attn_implementation="eager").to(dtype).eval()
        self.energy = Energy(self.model.config.hidden_size).to(dtype)
        self.model.base_model.register_forward_hook(lambda module, given, out: setattr(self, "hidden", out.last_hidden_state))
        path = folder / "energy.safetensors"
        if path.exists():
            self.energy.load_state_dict({n.removeprefix("energy."): t.to(dtype) for n, t in load_file(path).items()})

    def parameters(self, kind):
        found = dict(self.model.named_parameters())
        if kind == "scalar":
            found.update({"energy." + n: p for n, p in self.energy.named_parameters()})
        return found

    def output(self, row):
        """logits, and the vector that the heads work on: the first token's, or the mean of all"""
        given = {"input_ids": torch.tensor([row[0]])}
        if getattr(self.model.config, "type_vocab_size", 0):
            given["token_type_ids"] = torch.tensor([row[1]])
        logits = self.model(**given).logits
        if getattr(self.model.config, "classifier_pooling", "cls") == "cls":
            return logits, self.hidden[:, 0]
        return logits, self.hidden.mean(1)

    def outputs(self, rows):
        """The same of each row, run alone: in double precision transformers' masks of padding overflow to NaN."""
        return tuple(torch.cat(part) for part in zip(*map(self.output, rows)))

    def energies(self, kind, logits, pooled):
        if kind == "hidden":
            return -torch.logsumexp(logits, -1)
        return -logits.max(-1).values if kind == "sharp-hidden" else self.energy(pooled)

    def objective(self, rows, labels, kind, ratio, data):
        """loss, cross-entropy, NCE: softplus(E + ln K) over data, K softplus(-E - ln K) over noise"""
        n = len(labels)
        logits, pooled = self.outputs(rows)
        entropy = torch.nn.functional.cross_entropy(logits[:n], torch.tensor(labels))
        if kind == "ce":
            return entropy, entropy, torch.zeros_like(entropy)
        energy = self.energies(kind, logits, pooled)
        real, noise = (energy[:n], energy[n:]) if data == "shared" else (energy[n:2 * n], energy[2 * n:])
        softplus, log_ratio = torch.nn.functional.softplus, math.log(ratio)
        nce = softplus(real + log_ratio).mean() + ratio * softplus(-noise - log_ratio).mean()
        return entropy + nce, entropy, nce


# --- training

def gradients(parameters, loss):
    for p in parameters.values():
        p.grad = None
    loss.backward()
    return {n: torch.zeros_like(p) if p.grad is None else p.grad.detach().clone() for n, p in parameters.items()}


def train(parameters, loss_of):
    """The losses of ten steps: AdamW, decay on matrices only, clipping at 1, linear schedule. Changes the parameters."""
    matrices = [p for p in parameters.values() if p.dim() == 2]
    vectors = [p for p in parameters.values() if p.dim() != 2]
    optimizer = torch.optim.AdamW([{"params": matrices, "weight_decay": DECAY}, {"params": vectors, "weight_decay": 0.0}], lr=RATE,
                                  betas=(0.9, 0.999), eps=1e-8)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda s: s / WARMUP if s < WARMUP else (TOTAL - s) / (TOTAL - WARMUP))
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = loss_of()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(parameters.values()), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return losses


def draw_labels(count, kinds, seed=9):
    draw = random.Random(seed)
    return [draw.randrange(kinds) for _ in range(count)]
