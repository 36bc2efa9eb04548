"""One epoch of a two-column GLUE task (sentence, label) by cross-entropy.  torch_sst2.py MODEL DATA_DIR [--seed 1]"""
import argparse
import gzip
import json
import math
import os
import random
import time

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, get_linear_schedule_with_warmup

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("model")
parser.add_argument("data_dir")
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--batch_size", type=int, default=32)
parser.add_argument("--learning_rate", type=float, default=5e-5)
parser.add_argument("--max_seq_length", type=int, default=128)
parser.add_argument("--threads", type=int, default=2)
args = parser.parse_args()


def rows(name):
    path = os.path.join(args.data_dir, name + ".tsv")
    opened = open(path, encoding="utf-8") if os.path.exists(path) else gzip.open(path + ".gz", "rt", encoding="utf-8")
    with opened as file:
        lines = [line.split("\t") for line in file.read().split("\n")[1:] if line]
    return [(line[0], int(line[1])) for line in lines]


def encode(tokenizer, batch):
    return tokenizer([text for text, _ in batch], truncation=True, max_length=args.max_seq_length, padding=True,
                     return_tensors="pt")


def train(model, tokenizer, texts):
    plain = [p for n, p in model.named_parameters() if "bias" in n or "LayerNorm" in n]
    decayed = [p for n, p in model.named_parameters() if not ("bias" in n or "LayerNorm" in n)]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0}],
                                  lr=args.learning_rate)
    random.shuffle(texts)
    steps = len(texts) // args.batch_size
    schedule = get_linear_schedule_with_warmup(optimizer, int(0.06 * steps), steps)
    model.train()
    for i in range(steps):
        batch = texts[i * args.batch_size:(i + 1) * args.batch_size]
        labels = torch.tensor([label for _, label in batch])
        loss = model(**encode(tokenizer, batch), labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()


def predict(model, tokenizer, texts):
    model.eval()
    found = []
    with torch.no_grad():
        for i in range(0, len(texts), args.batch_size):
            batch = texts[i:i + args.batch_size]
            probabilities = torch.softmax(model(**encode(tokenizer, batch)).logits, -1)[:, 1].tolist()
            found += [(p, label) for p, (_, label) in zip(probabilities, batch)]
    return found


def class_wise_ece(found, bins=20):
    total = 0.0
    for b in range(bins):
        inside = [(p, y) for p, y in found if b / bins <= p < (b + 1) / bins or (b == bins - 1 and p == 1)]
        if inside:
            total += abs(sum(y for _, y in inside) - sum(p for p, _ in inside)) / len(found)
    return total


torch.set_num_threads(args.threads)
random.seed(args.seed)
torch.manual_seed(args.seed)
tokenizer = AutoTokenizer.from_pretrained(args.model)
model = AutoModelForSequenceClassification.from_pretrained(args.model, num_labels=2)
training, dev = rows("train"), rows("dev")
start = time.time()
train(model, tokenizer, training)
seconds = time.time() - start
found = predict(model, tokenizer, dev)
print(json.dumps({"seed": args.seed, "seconds": seconds,
                  "accuracy": sum((p > 0.5) == (y == 1) for p, y in found) / len(found),
                  "nll": -sum(math.log(p if y else 1 - p) for p, y in found) / len(found),
                  "ece_class_wise": class_wise_ece(found)}))
