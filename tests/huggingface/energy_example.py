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
    inputs = tokenizer(texts, truncation=True, max_length=info["max_seq_length"], padding=True, return_tensors="pt")
    with torch.no_grad():
        logits = model(**inputs).logits * info.get("logits_divided_by", 1.0)  # undoes ebmcl's --fold_temperature
        last = model.base_model(**inputs).last_hidden_state
    if info["energy"] == "hidden":
        return -torch.logsumexp(logits, -1)
    if info["energy"] == "sharp-hidden":
        return -logits.max(-1).values
    head = load_file(directory / "energy.safetensors")
    text = last[:, 0]
    if getattr(model.config, "classifier_pooling", "cls") == "mean":  # ModernBERT
        mask = inputs["attention_mask"][..., None]
        text = (last * mask).sum(1) / mask.sum(1)
    dense = torch.tanh(text @ head["energy.dense.weight"].T + head["energy.dense.bias"])
    return (dense @ head["energy.out_proj.weight"].T + head["energy.out_proj.bias"])[:, 0]


if __name__ == "__main__":
    lines = sys.stdin.read().splitlines()
    for energy, line in zip(energies(sys.argv[1], lines), lines):
        print(f"{energy:9.4f}  {line}")
