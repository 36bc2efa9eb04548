"""Training steps on real texts by transformers: cross-entropy, or the joint step of the published pipeline, which makes
K + 2 passes (labelled texts, texts for NCE, K times noise), each padded to the longest of its texts. Texts stand in for
noise: it has their lengths. Texts are encoded before, as datasets are.

    torch_joint.py MODEL TOKENIZER TEXTS.tsv --noise_ratio 8 [--bf16]      K = 0: cross-entropy alone
"""
import random

import torch
from torch.nn.functional import softplus
from transformers import AutoTokenizer

from peer import begin, classifier_of, options, padded, precision, read_texts, report, times_of, update

parser = options(__doc__, 7, texts=True)
parser.add_argument("--batch_size", type=int, default=32)
parser.add_argument("--noise_ratio", type=int, default=8)
args = parser.parse_args()

random.seed(1)
device, wait = begin(args)
tokenizer = AutoTokenizer.from_pretrained(args.tokenizer)
ids = tokenizer(read_texts(args.text_file, args.text_column), truncation=True,
                max_length=args.max_seq_length)["input_ids"]
model = classifier_of(args.model).train().to(device)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)


def batch():
    return padded(tokenizer, random.choices(ids, k=args.batch_size), device)


def energy():
    return -torch.logsumexp(model(**batch()).logits.float(), -1)


def step():
    labels = torch.randint(0, 2, (args.batch_size,), device=device)
    log_ratio = torch.log(torch.tensor(float(max(args.noise_ratio, 1))))
    with precision(args):
        loss = model(**batch(), labels=labels).loss
        if args.noise_ratio:
            loss = loss + softplus(energy() + log_ratio).mean()
            for _ in range(args.noise_ratio):
                loss = loss + softplus(-energy() - log_ratio).mean()
    update(model, optimizer, loss)
    wait()


report("step", args, times_of(args, step), batch_size=args.batch_size, noise_ratio=args.noise_ratio, padding="longest")
