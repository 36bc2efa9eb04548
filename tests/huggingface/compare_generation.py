"""Next-token distributions along texts that ebmcl sampled: from its cache, from one pass over the text, and from transformers;
and that each token drawn was one of the 20 likeliest.    compare_generation.py CHECKPOINTS [NAME...]
"""
import json
import pathlib
import sys
import tempfile

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

import agreement
import probe
from families import DECODERS
from reference import encode, save_batch

TOP_K = 20


def distributions(folder, texts, dtype=torch.float64):
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").to(dtype).eval()
    with torch.no_grad():
        logits = torch.cat([model(input_ids=torch.tensor([ids])).logits[0] for ids in texts])
        return torch.log_softmax(logits, -1), model.get_output_embeddings().weight.detach()


def roles_of(folder):
    """The ids of the noise model's own tokens, that are not drawn: mask and start; the separator may be."""
    saved = json.loads((folder / "noise.json").read_text())
    ids = {token["content"]: int(i) for i, token in
           json.loads((folder / "tokenizer_config.json").read_text()).get("added_tokens_decoder", {}).items()}
    return [ids[saved[key]] for key in ("mask_token", "start_token")]


def check_draws(name, texts, starts, likely, banned):
    """Every token after the start token, against the top of the distribution before it; ties within rounding are let through."""
    row, wrong, drawn = 0, 0, 0
    allowed = torch.ones(likely.shape[1], dtype=torch.bool)
    allowed[banned] = False
    for ids, start in zip(texts, starts):
        for at in range(start, len(ids)):
            before = likely[row + at - 1].masked_fill(~allowed, -torch.inf)
            wrong += before[ids[at]].item() < before.topk(TOP_K).values[-1].item() - 1e-5
            drawn += 1
        row += len(ids)
    agreement.check(f"{name}: {drawn} tokens drawn from the {TOP_K} likeliest", wrong == 0 and drawn > 0)


def compare(name, folder, work):
    prompts, _ = encode(folder, 6, 25, 12)
    save_batch(work / "prompts", prompts)
    saved = work / "saved"
    lines = probe.run("generate", folder, work / "prompts", saved, TOP_K).splitlines()
    texts = [[int(x) for x in line.split()] for line in lines]
    agreement.check(f"{name}: a text for each prompt", len(texts) == len(prompts))
    save_batch(work / "batch", [(ids, [0] * len(ids)) for ids in texts])
    probe.run("decoder", saved, work / "batch", work / "answer")
    answer = load_file(work / "answer")
    exact, embedding = distributions(saved, texts)
    single, _ = distributions(saved, texts, torch.float32)
    whole = torch.log_softmax(answer["hidden"].double() @ embedding.T, -1)
    cached = torch.log_softmax(answer["logits"].double(), -1)
    seen = ~cached.isnan().any(-1)  # not the rows of what came through the prefill
    allowed = agreement.FACTOR * (single.double() - exact).abs().max().item()
    agreement.report(f"{name}: log-probabilities, {len(exact)} tokens in one pass", (whole - exact).abs().max().item(), allowed)
    agreement.report(f"{name}: log-probabilities, {int(seen.sum())} tokens from the cache",
                     (cached[seen] - exact[seen]).abs().max().item(), allowed)
    starts = [len(ids) + 1 for ids, _ in prompts]
    check_draws(name, texts, starts, exact, roles_of(saved))


def main():
    checkpoints = pathlib.Path(sys.argv[1])
    for name in sys.argv[2:] or DECODERS:
        with tempfile.TemporaryDirectory() as work:
            compare(name, checkpoints / name, pathlib.Path(work))
    agreement.finish()


if __name__ == "__main__":
    main()
