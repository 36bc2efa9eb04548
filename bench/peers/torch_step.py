"""One training step of a random encoder on random tokens.  torch_step.py minilm-l6|roberta-base [--bf16]"""
import torch

from peer import begin, classifier_of, options, precision, report, times_of, update

parser = options(__doc__, 5)
parser.add_argument("model", choices=["minilm-l6", "roberta-base"])
parser.add_argument("--batch_size", type=int, default=16)
parser.add_argument("--sequence_length", type=int, default=128)
args = parser.parse_args()

device, wait = begin(args)
model = classifier_of(args.model).train().to(device)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
ids = torch.randint(5, model.config.vocab_size, (args.batch_size, args.sequence_length), device=device)
mask = torch.ones_like(ids)
labels = torch.randint(0, 2, (args.batch_size,), device=device)


def step():
    with precision(args):
        loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
    update(model, optimizer, loss)
    wait()


report("step", args, times_of(args, step), model=args.model, batch_size=args.batch_size,
       sequence_length=args.sequence_length)
