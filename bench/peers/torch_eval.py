"""Predictions for a file of texts by transformers: sorted by length, padded to the longest of a batch.

    torch_eval.py MODEL TOKENIZER TEXTS.tsv [--bf16]         MODEL: a directory, roberta-base or minilm-l6 (random)
"""
import time

import torch
from transformers import AutoTokenizer

from peer import begin, classifier_of, options, padded, precision, read_texts, report

parser = options(__doc__, 3, texts=True)
parser.add_argument("--batch_size", type=int, default=64)
args = parser.parse_args()

device, wait = begin(args)
tokenizer = AutoTokenizer.from_pretrained(args.tokenizer)
model = classifier_of(args.model).eval().to(device)
texts = read_texts(args.text_file, args.text_column)


def predict():
    ids = tokenizer(texts, truncation=True, max_length=args.max_seq_length)["input_ids"]
    encoded = time.perf_counter()
    order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
    logits = torch.empty(len(ids), 2)
    with torch.inference_mode(), precision(args):
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
