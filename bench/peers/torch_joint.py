"""Training steps on real texts by transformers: cross-entropy, or the joint step of the published pipeline, which makes
K + 2 passes (labelled texts, texts for NCE, K times noise), each padded to the longest of its texts. Texts stand in for
noise: it has their lengths. Texts are encoded before, as datasets are.

    torch_joint.py MODEL TOKENIZER TEXTS.tsv --noise_ratio 8 [--bf16]      K = 0: cross-entropy alone
"""
import argparse
import contextlib
import random
import time

import torch
from torch.nn.functional import softplus
from transformers import AutoTokenizer

from peer import classifier_of, device_of, padded, read_texts, report

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("model")
parser.add_argument("tokenizer")
parser.add_argument("text_file")
parser.add_argument("--text_column", default="sentence")
parser.add_argument("--max_seq_length", type=int, default=128)
parser.add_argument("--batch_size", type=int, default=32)
parser.add_argument("--noise_ratio", type=int, default=8)
parser.add_argument("--repeats", type=int, default=7)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--device", default="cpu")
parser.add_argument("--bf16", action="store_true")
args = parser.parse_args()

torch.set_num_threads(args.threads)
torch.manual_seed(1)
random.seed(1)
device, wait = device_of(args.device)
tokenizer = AutoTokenizer.from_pretrained(args.tokenizer)
ids = tokenizer(read_texts(args.text_file, args.text_column), truncation=True,
                max_length=args.max_seq_length)["input_ids"]
model = classifier_of(args.model).train().to(device)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)


def batch():
    return padded(tokenizer, random.choices(ids, k=args.batch_size), device)


def precision():
    return torch.autocast(device.type, dtype=torch.bfloat16) if args.bf16 else contextlib.nullcontext()


def energy():
    return -torch.logsumexp(model(**batch()).logits.float(), -1)


def step():
    labels = torch.randint(0, 2, (args.batch_size,), device=device)
    log_ratio = torch.log(torch.tensor(float(max(args.noise_ratio, 1))))
    with precision():
        loss = model(**batch(), labels=labels).loss
        if args.noise_ratio:
            loss = loss + softplus(energy() + log_ratio).mean()
            for _ in range(args.noise_ratio):
                loss = loss + softplus(-energy() - log_ratio).mean()
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    wait()


times = []
for _ in range(args.repeats + 1):
    start = time.perf_counter()
    step()
    times.append(time.perf_counter() - start)
report("step", args, times, batch_size=args.batch_size, noise_ratio=args.noise_ratio, padding="longest")
