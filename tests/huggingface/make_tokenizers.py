"""Writes a directory for each kind of tokenizer, as its owners publish it, and beside it what the tokenizers library is to
make of it.    make_tokenizers.py FOLDER [NAME...]

FOLDER/NAME/ is read by ebmcl, FOLDER/NAME.json by the library.
"""
import json
import pathlib
import sys

import vocabularies as v

CONFIGS = {
    "bert": {"tokenizer_class": "BertTokenizer", "do_lower_case": True},
    "cased": {"tokenizer_class": "BertTokenizer", "do_lower_case": False},
    "accents": {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "strip_accents": False,
                "tokenize_chinese_chars": False},
    "roberta": {"tokenizer_class": "RobertaTokenizer", "mask_token": {
        "__type": "AddedToken", "content": "<mask>", "lstrip": True, "rstrip": False, "single_word": False, "normalized": False}},
    "gpt2": {"tokenizer_class": "GPT2Tokenizer"},
    "xlm-roberta": {"tokenizer_class": "XLMRobertaTokenizer"},
    "fast": {"tokenizer_class": "PreTrainedTokenizerFast"},
}


def word_files(words, config):
    return {"vocab.txt": "".join(word + "\n" for word in words), "tokenizer_config.json": json.dumps(CONFIGS[config])}


def merge_files(vocabulary, merges, config):
    return {"vocab.json": json.dumps(vocabulary, ensure_ascii=False), "tokenizer_config.json": json.dumps(CONFIGS[config]),
            "merges.txt": "#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges)}


def json_file(tokenizer, config):
    return {"tokenizer.json": tokenizer.to_str(), "tokenizer_config.json": json.dumps(CONFIGS[config])}


def from_words(words, config, **options):
    return v.wordpiece(words, **options), word_files(words, config)


def from_merges(make, name):
    vocabulary, merges = v.byte_level_files(name)
    return make(vocabulary, merges), merge_files(vocabulary, merges, name)


def from_json(tokenizer, config):
    return tokenizer, json_file(tokenizer, config)


def from_published(name, config, other):
    """The published tokenizer.json, byte for byte; else another of its kind."""
    folder = v.published(f"{name}/tokenizer.json")
    if not folder:
        return from_json(other(), config)
    text = (folder / "tokenizer.json").read_text(encoding="utf-8")
    tokenizer = v.Tokenizer.from_str(text)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer, {"tokenizer.json": text, "tokenizer_config.json": json.dumps(CONFIGS[config])}


# A line a kind: (tokenizer of the library, files of the directory).
KINDS = {
    "bert-uncased": lambda: from_words(v.uncased_words(), "bert", lower=True),
    "bert-cased": lambda: from_words(v.cased_words(), "cased", lower=False),
    "bert-chinese": lambda: from_words(v.chinese_words(), "bert", lower=True),
    "bert-accents": lambda: from_words(v.uncased_words(), "accents", lower=True, strip_accents=False, chinese=False),
    "roberta": lambda: from_merges(v.roberta, "roberta"),
    "gpt2": lambda: from_merges(v.gpt2, "gpt2"),
    "bert-json": lambda: from_json(v.wordpiece(v.uncased_words(), True), "bert"),
    "roberta-json": lambda: from_published("roberta", "roberta", lambda: v.roberta(*v.byte_level_files("roberta"))),
    "babyberta-json": lambda: from_published("babyberta", "fast", v.babyberta),
    "gpt2-json": lambda: from_json(v.gpt2(*v.byte_level_files("gpt2")), "gpt2"),
    "modernbert-json": lambda: from_json(v.modernbert(), "fast"),
    "xlm-roberta-json": lambda: from_json(v.xlm_roberta(), "xlm-roberta"),
}

VARIANTS = {"bert-cased", "bert-chinese", "bert-accents", "bert-json", "roberta-json", "babyberta-json", "gpt2-json"}
WITHOUT_TYPES = {"gpt2", "gpt2-json"}


def main():
    folder = pathlib.Path(sys.argv[1])
    for name in sys.argv[2:] or KINDS:
        tokenizer, files = KINDS[name]()
        (folder / name).mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            (folder / name / file).write_text(text, encoding="utf-8")
        tokenizer.save(str(folder / f"{name}.json"))
        print(f"{name}: {tokenizer.get_vocab_size()} tokens")


if __name__ == "__main__":
    main()
