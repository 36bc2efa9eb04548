"""Tokenizers of every family, as the tokenizers library has them: published vocabularies where they are at hand, else
small ones of the same kind, trained or from the fixtures."""
import json

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from texts import FIXTURES, data_folder, multilingual, training_texts

BERT_SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ROBERTA_SPECIALS = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


def published(*names):
    """The folder of a published vocabulary, or None where one of its files is missing."""
    data = data_folder()
    paths = [data / "vocab" / name for name in names] if data else []
    return paths[0].parent if paths and all(path.exists() for path in paths) else None


def special(*contents, lstrip=()):
    return [AddedToken(c, lstrip=c in lstrip, special=True, normalized=False) for c in contents]


def template(cls, sep, ids, pair_types=(0, 1), double=False):
    """[CLS] a [SEP] b [SEP]; double: two separators in the middle, as RoBERTa and XLM-RoBERTa have it."""
    b = pair_types[1]
    middle = f"{sep} {sep}" if double else sep
    return processors.TemplateProcessing(single=f"{cls} $A {sep}", pair=f"{cls} $A {middle} $B:{b} {sep}:{b}",
                                         special_tokens=[(cls, ids[cls]), (sep, ids[sep])])


# --- WordPiece

def read_words(path):
    return path.read_text(encoding="utf-8").split("\n")[:-1]


def train_words(texts, size, lower, alphabet=1000):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lower)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(texts, trainers.WordPieceTrainer(
        vocab_size=size, special_tokens=BERT_SPECIALS, limit_alphabet=alphabet, show_progress=False))
    vocabulary = tokenizer.get_vocab()
    return sorted(vocabulary, key=vocabulary.get)


def wordpiece(words, lower, strip_accents=None, chinese=True):
    ids = {word: i for i, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=chinese, strip_accents=strip_accents,
                                                      lowercase=lower)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    tokenizer.add_special_tokens(special(*BERT_SPECIALS))
    tokenizer.post_processor = template("[CLS]", "[SEP]", ids)
    return tokenizer


def uncased_words():
    folder = published("bert-base-uncased/vocab.txt")
    return read_words((folder or FIXTURES / "tokenizer/bert") / "vocab.txt")


def cased_words():
    return train_words(training_texts(3000), 8000, False)


def chinese_words():
    data = data_folder()
    texts = [text for language, text in multilingual(data) if language.startswith("cmn")] if data else []
    return train_words(texts + training_texts(300), 6000, True, 5000)


# --- byte-level BPE

def read_merges(path):
    return [tuple(line.split(" ")) for line in path.read_text(encoding="utf-8").split("\n")
            if line and not line.startswith("#version")]


def byte_level_files(name):
    folder = published(f"{name}/vocab.json", f"{name}/merges.txt") or FIXTURES / "tokenizer" / name
    return json.loads((folder / "vocab.json").read_text(encoding="utf-8")), read_merges(folder / "merges.txt")


def byte_level(vocabulary, merges, **options):
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, **options))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def roberta(vocabulary, merges):
    tokenizer = byte_level(vocabulary, merges, continuing_subword_prefix="", end_of_word_suffix="")
    tokenizer.add_special_tokens(special(*ROBERTA_SPECIALS, lstrip=["<mask>"]))
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", vocabulary["</s>"]), ("<s>", vocabulary["<s>"]),
                                                            trim_offsets=True, add_prefix_space=False)
    return tokenizer


def gpt2(vocabulary, merges):
    tokenizer = byte_level(vocabulary, merges, continuing_subword_prefix="", end_of_word_suffix="")
    tokenizer.add_special_tokens(special("<|endoftext|>"))
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer
