"""Token ids and types of texts, pairs and cut sequences: ebmcl against the tokenizers library, no difference allowed.
compare_tokens.py [--lines N] [--transformers] FOLDER [NAME...]    FOLDER: what make_tokenizers.py wrote

--transformers: against AutoTokenizer, which builds its tokenizers itself from the same directories. Of variants of another
tokenizer only every eighth line is compared.
"""
import argparse
import pathlib
import random
import sys
import time

from tokenizers import Tokenizer

import probe
from make_tokenizers import VARIANTS, WITHOUT_TYPES
from odd_texts import odd_bytes, odd_texts
from texts import real_lines

LENGTHS = [5, 6, 7, 8, 13, 16, 32, 64, 128]
SHOWN = 5
PART = 1000  # texts at a time: the library keeps much about each


def make_requests(count):
    """Texts as they are, a quarter as pairs, a third cut. Every sixth text is an odd one."""
    draw = random.Random(6)
    texts = odd_texts(count // 6)
    texts += real_lines(count - len(texts))
    requests = []
    for text in texts:
        second = draw.choice(texts) if draw.random() < 0.25 else None
        requests.append((text, second, draw.choice(LENGTHS) if draw.random() < 0.33 else 0))
    return requests


def load_reference(folder, name, transformers):
    if not transformers:
        return Tokenizer.from_file(str(folder / f"{name}.json"))
    from transformers import AutoTokenizer
    tokenizer = AutoTokenizer.from_pretrained(folder / name).backend_tokenizer
    tokenizer.no_padding()
    return tokenizer


def expected_tokens(tokenizer, requests, types):
    """(ids, types) as the library has them: a batch for each length, since it keeps truncation as a state. types: whether
    the family has any; where its models take none transformers hands none out, and ebmcl's are 0."""
    found = [None] * len(requests)
    for longest in [0] + LENGTHS:
        chosen = [i for i, request in enumerate(requests) if request[2] == longest]
        tokenizer.no_truncation()
        if longest:
            tokenizer.enable_truncation(longest, strategy="longest_first")
        for part in (chosen[at:at + PART] for at in range(0, len(chosen), PART)):
            batch = [requests[i][0] if requests[i][1] is None else requests[i][:2] for i in part]
            for i, encoding in zip(part, tokenizer.encode_batch_fast(batch)):
                ids = encoding.ids
                found[i] = ids, encoding.type_ids if types else [0] * len(ids)
    return found


def show(request, found, wanted):
    first, second, longest = request
    print(f"  text {first[:300]!a}" + ("" if second is None else f" pair {second[:300]!a}") + f" cut {longest or 'not'}")
    if found is None:
        print("    refused")
        return
    for what, a, b in zip(("ids", "types"), found, wanted):
        if a != b:
            at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
            print(f"    {what}: {len(a)} found, {len(b)} expected; from {at} on found {a[at:at + 8]}, expected {b[at:at + 8]}")


def differences(folder, name, requests, transformers):
    if name in VARIANTS:
        requests = requests[::8]
    wanted = expected_tokens(load_reference(folder, name, transformers), requests, name not in WITHOUT_TYPES)
    started = time.monotonic()
    found = probe.tokens(folder / name, requests)
    seconds = time.monotonic() - started
    wrong = [i for i in range(len(requests)) if found[i] != wanted[i]]
    count = sum(len(ids) for ids, _ in wanted)
    print(f"{name}: {len(requests)} lines, {count} tokens, {len(wrong)} differences ({seconds:.1f} s)", flush=True)
    for i in wrong[:SHOWN]:
        show(requests[i], found[i], wanted[i])
    return len(wrong)


def is_utf8(raw):
    try:
        raw.decode("utf-8")
        return True
    except UnicodeDecodeError:
        return False


def wrongly_taken(folder, name, texts):
    """What is not UTF-8 must be refused, and nothing else."""
    found = probe.tokens(folder / name, [(raw, None, 0) for raw in texts])
    wrong = [raw for raw, answer in zip(texts, found) if is_utf8(raw) != (answer is not None)]
    for raw in wrong[:SHOWN]:
        print(f"  {name}: {raw!r} was {'refused' if is_utf8(raw) else 'taken'}")
    return len(wrong)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--lines", type=int, default=40000)
    arguments.add_argument("--transformers", action="store_true")
    arguments.add_argument("folder", type=pathlib.Path)
    arguments.add_argument("names", nargs="*")
    options = arguments.parse_args()
    names = options.names or sorted(path.name for path in options.folder.iterdir() if path.is_dir())
    requests = make_requests(options.lines)
    broken = odd_bytes(2000)
    wrong = sum(differences(options.folder, name, requests, options.transformers) for name in names)
    wrong += sum(wrongly_taken(options.folder, name, broken) for name in names)
    print(f"{wrong} differences, {len(names)} tokenizers")
    sys.exit(wrong != 0)


if __name__ == "__main__":
    main()
