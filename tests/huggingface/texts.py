"""Texts to compare with: real ones where $EBMCL_TEST_DATA names a folder of them, else what the fixtures hold."""
import csv
import gzip
import json
import os
import pathlib
import random

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures"


def data_folder():
    """The folder, or None. It may hold vocab/, multilingual/, corpora/ and glue/, each as its owners publish it."""
    name = os.environ.get("EBMCL_TEST_DATA")
    if name and not pathlib.Path(name).is_dir():
        raise SystemExit(f"EBMCL_TEST_DATA: no folder {name}")
    return pathlib.Path(name) if name else None


def open_text(path):
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="\n")
    return open(path, encoding="utf-8", newline="\n")


def lines_of(path):
    with open_text(path) as file:
        return [line.rstrip("\n") for line in file]


def multilingual(data):
    """(language, text) of the Universal Declaration of Human Rights, some 380 languages."""
    path = data / "multilingual/udhr2.tsv.gz"
    return [tuple(line.split("\t", 1)) for line in lines_of(path) if "\t" in line] if path.exists() else []


def glue_texts(data):
    found = []
    for path in sorted(data.glob("glue/*/dev*.tsv*")):
        with open_text(path) as file:
            for row in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
                found += [cell for cell in row if " " in cell]
    return found


def corpus_lines(data):
    return [line for path in sorted(data.glob("corpora/*/*.txt*")) for line in lines_of(path) if line.strip()]


def fixture_texts():
    return json.loads((FIXTURES / "tokenizer/texts.json").read_text(encoding="utf-8"))


def mixtures(sources, count, seed):
    """Texts glued together from pieces of others."""
    draw = random.Random(seed)
    mixed = []
    while len(mixed) < count:
        pieces = []
        for _ in range(draw.randint(1, 3)):
            text = draw.choice(sources)
            start = draw.randrange(len(text) + 1)
            pieces.append(text[start:start + draw.randint(1, 80)])
        mixed.append(draw.choice(["", " ", "  ", "\n"]).join(pieces))
    return mixed


def real_lines(count, seed=1):
    """`count` lines: all languages, then GLUE and the corpora, drawn evenly; mixtures where that is not enough."""
    data = data_folder()
    if not data:
        return mixtures(fixture_texts(), count, seed)
    draw = random.Random(seed)
    languages = [text for _, text in multilingual(data)]
    english = glue_texts(data) + corpus_lines(data)
    some = draw.sample(languages, min(len(languages), count * 3 // 5))
    some += draw.sample(english, min(len(english), count - len(some)))
    return some + mixtures(some or fixture_texts(), count - len(some), seed + 1)


def training_texts(count, seed=2):
    """Texts to train small vocabularies on, all languages among them."""
    return [text for text in real_lines(count, seed) if text.strip()] + fixture_texts()


def sentences(count, seed=3):
    """English sentences as classifiers get them."""
    data = data_folder()
    found = glue_texts(data) if data else []
    found = [text for text in found if 20 <= len(text) <= 250] or [t for t in fixture_texts() if 20 <= len(t) <= 250]
    return random.Random(seed).sample(found, min(count, len(found)))
