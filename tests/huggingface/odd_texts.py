"""Texts that nobody writes and every file holds some day; the same ones for the same seed."""
import random

SPECIALS = ["[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]", "<s>", "</s>", "<pad>", "<unk>", "<mask>", "<|endoftext|>",
            "<|padding|>", "|||IP_ADDRESS|||", "[unused0]", "[cls]", "<MASK>", "[ MASK ]", "##ing", "\u2581the", "\u0120a"]
SPACES = " \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\u00a0\u1680\u2000\u2003\u2007\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
INVISIBLE = "\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff\u00ad\u061c"
EMOJI = ["\U0001f600", "\U0001f469", "\U0001f4bb", "\u2764\ufe0f", "\U0001f1e9\U0001f1ea", "\U0001f44d", "1\ufe0f\u20e3",
         "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "\u263a", "\U0001f9d1", "\U0001f680"]
TONES = [chr(c) for c in range(0x1F3FB, 0x1F400)]
WORDS = ["the", "Don't", "we'll", "naïve", "Straße", "İstanbul", "ΣΟΦΟΣ", "ﬁnal", "ｆｕｌｌ", "１２３", "Ⅻ", "½", "x²", "№5",
         "O'Neill", "e-mail", "U.S.A.", "3.14", "1,000,000",
         "$5", "http://a.b/c?d=e&f#g", "@user", "#tag", "C++", "你好", "世界",
         "東京都", "カタカナ", "ひらがな", "ｶﾞ", "한국어", "\u1112\u1161\u11ab", "привет", "ёж", "שָׁלוֹם", "العَرَبِيَّة", "हिन्दी", "ไทย",
         "ქართული", "ᏣᎳᎩ", "\U00010348\U00010330", "\U0001d400\U0001d7d8", "\U00020000", "e\u0301", "\u212b",
         "\ufb03"]
BLOCKS = [(0x20, 0x7F), (0xA0, 0x250), (0x300, 0x370), (0x370, 0x600), (0x590, 0x900), (0x900, 0x1200), (0x1100, 0x1200),
          (0x1E00, 0x2000), (0x2000, 0x2C00), (0x2E80, 0x3400), (0x4E00, 0xA000), (0xAC00, 0xD7B0), (0xF900, 0x10000),
          (0x10000, 0x11000), (0x1D000, 0x1D800), (0x1F000, 0x1FB00), (0x20000, 0x20100), (0x2E000, 0x32400), (0xE0000, 0xE0200),
          (0x10FF00, 0x110000)]


class Odd:
    def __init__(self, seed):
        self.draw = random.Random(seed)

    def some(self, items, least, most, glue=""):
        return glue.join(self.draw.choice(items) for _ in range(self.draw.randint(least, most)))

    def any_character(self):
        """Assigned or not, block by block so that the large ones do not take all; no surrogate is among them."""
        return chr(self.draw.randrange(*self.draw.choice(BLOCKS)))

    def word(self):
        return self.draw.choice(WORDS)

    def combining(self):
        marks = [chr(c) for c in range(0x300, 0x370)] + list("\u05b0\u05bc\u064b\u0651\u093c\u0e34\u20d0\u3099\ufe20")
        return " ".join(self.draw.choice("aeionyAZ\u05d0\u0628\u0915\u304b ") + self.some(marks, 1, 12)
                        for _ in range(self.draw.randint(1, 8)))

    def emoji(self):
        parts = []
        for _ in range(self.draw.randint(1, 10)):
            parts.append(self.draw.choice(EMOJI))
            if self.draw.random() < 0.3:
                parts.append(self.draw.choice(TONES))
            parts.append(self.draw.choice(["\u200d", "\u200d", "", "", " ", "\ufe0f", "\ufe0e"]))
        return "".join(parts)

    def right_to_left(self):
        words = ["שלום", "עולם", "سلام", "دنيا", "پێشمەرگە", "ܫܠܡܐ", "ދިވެހި", "123", "(abc)"]
        return self.some([w + self.draw.choice(["", "\u064e", "\u05b8", "\u200f", "\u202b", "\u061f", "\u060c"]) for w in words],
                         1, 9, self.draw.choice([" ", "\u202e", "\u200f ", ""]))

    def controls(self):
        return self.some([chr(c) for c in range(0x20)] + [chr(c) for c in range(0x7F, 0xA0)] + WORDS + [" "], 1, 20)

    def replaced(self):
        """Bytes that are no UTF-8, surrogates among them, as a reader that replaces them hands them on."""
        raw = b"".join(self.draw.choice([b"\xed\xa0\x80", b"\xed\xb0\x80", b"\xff", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"a b",
                                         " é".encode(), b" "]) for _ in range(self.draw.randint(1, 12)))
        return raw.decode("utf-8", errors="replace")

    def long_word(self):
        alphabet = self.draw.choice(["a", "ab", "abcdefghijklmnopqrstuvwxyz", "0123456789", "é", "e\u0301", "中", "!", "-=",
                                     "\U0001f600"])
        length = self.draw.choice([99, 100, 101, 128, 200, 400, 1000, 3000])
        return self.some([self.word(), ""], 0, 2, " ") + "".join(self.draw.choice(alphabet) for _ in range(length))

    def only_spaces(self):
        return self.some(SPACES + self.draw.choice(["", INVISIBLE]), 0, 30)

    def written_specials(self):
        return self.some(SPECIALS + SPECIALS + WORDS, 1, 8, self.draw.choice(["", " ", "  ", "\n", "\u00a0"]))

    def numbers(self):
        digits = ["0123456789", "٠١٢٣٤٥٦٧٨٩", "०१२३४५६७८९", "０１２３４５６７８９", "²³¹½ⅧⅣ", "𝟘𝟙𝟚𝟛"]
        return self.some([self.some(self.draw.choice(digits), 1, 12) + self.draw.choice(".,:-/%$€ e+'") for _ in range(6)], 1, 8)

    def mixed_scripts(self):
        return self.some(WORDS, 2, 15, self.draw.choice(["", " ", " ", "\u200b", "-", "'"]))

    def punctuation(self):
        return self.some("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~¡§«»—…„“”‘’‹›。、，！？（）「」・٪؛।" + " a1", 1, 40)

    def any_characters(self):
        return "".join(self.any_character() for _ in range(self.draw.randint(1, 40)))

    def apostrophes(self):
        ends = ["s", "t", "re", "ve", "m", "ll", "d", "S", "T", "RE", "x", "", "'", " s"]
        return self.some([self.word() + self.draw.choice("'’ʼ") + end for end in ends], 1, 8, self.draw.choice(["", " "]))

    def spaced(self):
        return self.some([self.word() + self.some(SPACES, 0, 4) for _ in range(8)], 1, 10)

    def text(self):
        kinds = [self.combining, self.emoji, self.right_to_left, self.controls, self.replaced, self.only_spaces,
                 self.written_specials, self.numbers, self.mixed_scripts, self.punctuation, self.any_characters,
                 self.apostrophes, self.spaced]
        if self.draw.random() < 0.02:
            return self.long_word()
        return self.draw.choice(["", "", " "]).join(self.draw.choice(kinds)() for _ in range(self.draw.choice([1, 1, 1, 2])))


def odd_texts(count, seed=4):
    odd = Odd(seed)
    return [""] + [odd.text() for _ in range(count - 1)]


def odd_bytes(count, seed=5):
    """Bytes of which about half are not UTF-8: a changed, cut or inserted byte, surrogates, too long forms."""
    odd, found = Odd(seed), []
    draw = odd.draw
    bad = [b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xc0\x80", b"\xe0\x80\x80", b"\xf0\x80\x80\x80", b"\xf4\x90\x80\x80", b"\xf8", b"\xff",
           b"\x80", b"\xc2", b"\xe1\x80", b"\xf1\x80\x80"]
    for _ in range(count):
        raw = odd.mixed_scripts().encode()
        at = draw.randrange(len(raw))
        kind = draw.randrange(4)
        if kind == 0:
            raw = raw[:at] + bytes([draw.randrange(256)]) + raw[at + 1:]
        elif kind == 1:
            raw = raw[:at]
        elif kind == 2:
            raw = raw[:at] + draw.choice(bad) + raw[at:]
        found.append(raw)
    return found
