"""Predictions for a file of texts by transformers: sorted by length, padded to the longest of a batch.

    torch_eval.py MODEL TOKENIZER TEXTS.tsv [--bf16]         MODEL: a directory, roberta-base or minilm-l6 (random)
"""
import argparse
import contextlib
import time

import torch
from transformers import AutoTokenizer

from peer import classifier_of, device_of, padded, read_texts, report

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("model")
parser.add_argument("tokenizer")
parser.add_argument("text_file")
parser.add_argument("--text_column", default="sentence")
parser.add_argument("--max_seq_length", type=int, default=128)
parser.add_argument("--batch_size", type=int, default=64)
parser.add_argument("--repeats", type=int, default=3)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--device", default="cpu")
parser.add_argument("--bf16", action="store_true")
args = parser.parse_args()

torch.set_num_threads(args.threads)
torch.manual_seed(1)
device, wait = device_of(args.device)
tokenizer = AutoTokenizer.from_pretrained(args.tokenizer)
model = classifier_of(args.model).eval().to(device)
texts = read_texts(args.text_file, args.text_column)


def precision():
    return torch.autocast(device.type, dtype=torch.bfloat16) if args.bf16 else contextlib.nullcontext()


def predict():
    ids = tokenizer(texts, truncation=True, max_length=args.max_seq_length)["input_ids"]
    encoded = time.perf_counter()
    order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
    logits = torch.empty(len(ids), 2)
    with torch.inference_mode(), precision():
        for first in range(0, len(order), args.batch_size):
            rows = order[first:first + args.batch_size]
            logits[rows] = model(**padded(tokenizer, [ids[i] for i in rows], device)).logits.float().cpu()
    wait()
    return encoded, sum(map(len, ids))


both, encode = [], []
for _ in range(args.repeats + 1):
    start = time.perf_counter()
    encoded, tokens = predict()
    both.append(time.perf_counter() - start)
    encode.append(encoded - start)
report("eval", args, both, encode=encode, texts=len(texts), tokens=tokens)
