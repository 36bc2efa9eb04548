"""Tokenizers of every family, as the tokenizers library has them: published vocabularies where they are at hand, else
small ones of the same kind, trained or from the fixtures."""
import json
import pathlib
import tempfile

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


def babyberta():
    """Lower-cased, a space before the first word, the mask first."""
    vocabulary, merges = byte_level_files("roberta")
    tokenizer = roberta(vocabulary, merges)
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    return tokenizer


def modernbert():
    """As the published file: NFC, byte-level BPE, runs of spaces as added tokens, a template of [CLS] and [SEP]."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(training_texts(3000), trainers.BpeTrainer(
        vocab_size=8000, special_tokens=["|||IP_ADDRESS|||", "<|padding|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    plain = [AddedToken("|||IP_ADDRESS|||", normalized=True)] + [AddedToken(" " * n, normalized=True) for n in range(24, 1, -1)]
    tokenizer.add_tokens(plain)
    tokenizer.add_special_tokens(special("<|padding|>", "<|endoftext|>", "[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]", lstrip=["[MASK]"]))
    tokenizer.add_tokens([AddedToken(f"[unused{n}]", normalized=True) for n in range(10)])
    ids = {t: tokenizer.token_to_id(t) for t in ("[CLS]", "[SEP]")}
    tokenizer.post_processor = template("[CLS]", "[SEP]", ids, pair_types=(0, 0))
    return tokenizer


# --- Unigram

def fields(message):
    """(number, value) of a protocol buffer message's fields; lengths and varints are all a model file has besides floats."""
    def varint(at):
        value = shift = 0
        while True:
            byte = message[at]
            value |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if byte < 0x80:
                return value, at
    at = 0
    while at < len(message):
        key, at = varint(at)
        if key & 7 == 0:
            value, at = varint(at)
        elif key & 7 == 2:
            length, at = varint(at)
            value, at = message[at:at + length], at + length
        else:
            length = {1: 8, 5: 4}[key & 7]
            value, at = message[at:at + length], at + length
        yield key >> 3, value


def train_sentencepiece(texts, size):
    """(pieces with scores, the precompiled table of SentencePiece's nmt_nfkc normalisation)"""
    import sentencepiece
    with tempfile.TemporaryDirectory() as folder:
        prefix = pathlib.Path(folder) / "model"
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts), model_prefix=str(prefix), vocab_size=size, model_type="unigram", num_threads=1,
            character_coverage=0.9995, normalization_rule_name="nmt_nfkc", hard_vocab_limit=False, minloglevel=2,
            max_sentence_length=20000)
        message = prefix.with_suffix(".model").read_bytes()
        loaded = sentencepiece.SentencePieceProcessor(model_file=str(prefix.with_suffix(".model")))
        pieces = [(loaded.id_to_piece(i), loaded.get_score(i)) for i in range(loaded.get_piece_size())]
    normalizer = next(value for number, value in fields(message) if number == 3)
    return pieces, next(value for number, value in fields(normalizer) if number == 2)


def xlm_roberta():
    """As transformers converts sentencepiece.bpe.model: <s> <pad> </s> <unk>, the pieces, <mask> at the end."""
    pieces, table = train_sentencepiece(training_texts(4000), 8000)
    vocabulary = [(t, 0.0) for t in ROBERTA_SPECIALS[:4]] + pieces[3:] + [("<mask>", 0.0)]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=3, byte_fallback=False))
    tokenizer.normalizer = normalizers.Precompiled(table)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="always")])
    tokenizer.decoder = decoders.Metaspace(replacement="\u2581", prepend_scheme="always")
    tokenizer.add_special_tokens(special(*ROBERTA_SPECIALS, lstrip=["<mask>"]))
    ids = {t: tokenizer.token_to_id(t) for t in ("<s>", "</s>")}
    tokenizer.post_processor = template("<s>", "</s>", ids, pair_types=(0, 0), double=True)
    return tokenizer
