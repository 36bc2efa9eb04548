"""The energy of texts, read with transformers from a model that ebmcl trained jointly. Lower: more like what it was
trained on; hidden and sharp-hidden energies are functions of the logits, the scalar one has a head in a file of its own.

    python energy_example.py MODEL < texts.txt          # one text a line
"""
import json
import pathlib
import sys

import torch
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer


def energies(directory, texts):
    directory = pathlib.Path(directory)
    info = json.loads((directory / "ebmcl.json").read_text())
    tokenizer = AutoTokenizer.from_pretrained(directory)
    model = AutoModelForSequenceClassification.from_pretrained(directory).eval()
    head = load_file(directory / "energy.safetensors") if info["energy"] == "scalar" else None
    return torch.stack([energy_of(info, tokenizer, model, head, text) for text in texts])


@torch.no_grad()
def energy_of(info, tokenizer, model, head, text):
    """One text at a time, so that nothing is padded; (a, b) for a pair."""
    inputs = tokenizer([text], truncation=True, max_length=info["max_seq_length"], return_tensors="pt")
    logits = model(**inputs).logits[0] * info.get("logits_divided_by", 1.0)  # undoes ebmcl's --fold_temperature
    if info["energy"] == "hidden":
        return -torch.logsumexp(logits, -1)
    if info["energy"] == "sharp-hidden":
        return -logits.max()
    tokens = model.base_model(**inputs).last_hidden_state[0]
    pooled = tokens.mean(0) if getattr(model.config, "classifier_pooling", "cls") == "mean" else tokens[0]  # ModernBERT
    dense = torch.tanh(head["energy.dense.weight"] @ pooled + head["energy.dense.bias"])
    return (head["energy.out_proj.weight"] @ dense + head["energy.out_proj.bias"])[0]


if __name__ == "__main__":
    lines = sys.stdin.read().splitlines()
    for energy, line in zip(energies(sys.argv[1], lines), lines):
        print(f"{energy:9.4f}  {line}")
