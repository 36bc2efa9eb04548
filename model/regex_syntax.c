// Oniguruma's regular expressions in PCRE2's words. Constructs that both read alike are copied, those that differ are
// rewritten or refused by name: never a silent difference. Character properties are those of Unicode 16, as in the
// library, whatever PCRE2's version.
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "regex.h"
#include "unicode_class.h"

// clang-format off
// PCRE2's \s would add U+180E.
#define SPACES "\\x{9}-\\x{D}\\x{20}\\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}"
#define NOT_SPACES "\\x{0}-\\x{8}\\x{E}-\\x{1F}\\x{21}-\\x{84}\\x{86}-\\x{9F}\\x{A1}-\\x{167F}\\x{1681}-\\x{1FFF}" \
    "\\x{200B}-\\x{2027}\\x{202A}-\\x{202E}\\x{2030}-\\x{205E}\\x{2060}-\\x{2FFF}\\x{3001}-\\x{10FFFF}"
#define HEXADECIMAL "0-9a-fA-F"
// What \w has beside letters, marks, decimal digits, letter numbers and connectors, and by an oversight only outside of
// classes.
#define OTHER_WORDS "\\x{24B6}-\\x{24E9}\\x{1F130}-\\x{1F149}\\x{1F150}-\\x{1F169}\\x{1F170}-\\x{1F189}"
#define OVERSIGHT "\\x{B2}\\x{B3}\\x{B9}\\x{BC}-\\x{BE}"
// clang-format on

typedef struct {
    const char *text;
    size_t bytes, at;
    const char *where;
    ebm_bytes *out;
    bool caseless; // (?i) occurs
} translator;

static ebm_status put(translator *t, const char *text)
{
    return ebm_bytes_append(t->out, text, strlen(text)) ? ebm_ok()
                                                        : ebm_fail(EBM_ERROR_MEMORY, "%s: out of memory", t->where);
}

static ebm_status copy(translator *t, size_t bytes)
{
    const bool ok = ebm_bytes_append(t->out, t->text + t->at, bytes);
    t->at += bytes;
    return ok ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "%s: out of memory", t->where);
}

static ebm_status refuse(const translator *t, const char *what)
{
    return ebm_fail(EBM_ERROR_UNSUPPORTED, "%s: the pattern \"%.120s\" has %s at byte %zu, which is not supported",
                    t->where, t->text, what, t->at);
}

static char peek(const translator *t, size_t ahead) { return t->at + ahead < t->bytes ? t->text[t->at + ahead] : 0; }

static ebm_status put_property(translator *t, const char *name)
{
    char property[32];
    snprintf(property, sizeof property, strlen(name) > 2 ? "\\p{sc:%s}" : "\\p{%s}", name);
    EBM_TRY(put(t, property));
    return ebm_unicode_additions(name, t->out) ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "%s: out of memory", t->where);
}

static ebm_status put_words(translator *t, bool in_class)
{
    static const char *const names[] = {"L", "M", "Nd", "Nl", "Pc"};
    for (size_t i = 0; i < 5; i++) EBM_TRY(put_property(t, names[i]));
    return put(t, in_class ? OTHER_WORDS : OTHER_WORDS OVERSIGHT);
}

static ebm_status put_set(translator *t, char letter, bool in_class)
{
    switch (letter) {
    case 's':
        return put(t, SPACES);
    case 'S':
        return put(t, NOT_SPACES);
    case 'h':
        return put(t, HEXADECIMAL);
    case 'd':
        return put_property(t, "Nd");
    default:
        return put_words(t, in_class);
    }
}

// \s \S \d \D \w \W \h \H; inside a class a complement would have to be written out.
static ebm_status put_shorthand(translator *t, char letter, bool in_class)
{
    const bool complement = letter == 'D' || letter == 'W' || letter == 'H';
    if (in_class && complement) return refuse(t, "\\D, \\W or \\H in a class");
    if (!in_class) EBM_TRY(put(t, complement ? "[^" : "["));
    EBM_TRY(put_set(t, complement ? (char)tolower(letter) : letter, in_class));
    t->at += 2;
    return in_class ? ebm_ok() : put(t, "]");
}

static bool is_known_property(const char *name)
{
    static const char *const known[] = {
        "L",          "M",     "N",   "P",      "S",      "Z",        "Lu",       "Ll",     "Lt",
        "Lm",         "Lo",    "Mn",  "Mc",     "Me",     "Nd",       "Nl",       "No",     "Pc",
        "Pd",         "Ps",    "Pe",  "Pi",     "Pf",     "Po",       "Sm",       "Sc",     "Sk",
        "So",         "Zs",    "Zl",  "Zp",     "Cc",     "Cf",       "Co",       "Arabic", "Cyrillic",
        "Devanagari", "Greek", "Han", "Hangul", "Hebrew", "Hiragana", "Katakana", "Latin",  "Thai"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(name, known[i]) == 0) return true;
    return false;
}

// U+1171E became a spacing mark after Unicode 14, so an older PCRE2 still has it in \p{Mn}.
static ebm_status put_nonspacing(translator *t, bool negated)
{
    EBM_TRY(put(t, negated ? "(?:\\x{1171E}|[^" : "(?:(?!\\x{1171E})["));
    EBM_TRY(put_property(t, "Mn"));
    return put(t, "])");
}

// \p{Name}, \P{Name}, \p{^Name}
static ebm_status property(translator *t, bool in_class)
{
    char name[16] = {0};
    size_t i = t->at + 3, n = 0;
    bool negated = t->text[t->at + 1] == 'P';
    if (peek(t, 2) != '{') return refuse(t, "a property without braces");
    if (peek(t, 3) == '^') negated = !negated, i++;
    for (; i < t->bytes && t->text[i] != '}' && n + 1 < sizeof name; i++) name[n++] = t->text[i];
    if (i >= t->bytes || t->text[i] != '}' || !is_known_property(name)) return refuse(t, "an unknown property");
    const bool nonspacing = strcmp(name, "Mn") == 0;
    if (in_class && (negated || nonspacing)) return refuse(t, "a negated property, or \\p{Mn}, in a class");
    if (nonspacing) {
        EBM_TRY(put_nonspacing(t, negated));
    } else {
        if (!in_class) EBM_TRY(put(t, negated ? "[^" : "["));
        EBM_TRY(put_property(t, name));
        if (!in_class) EBM_TRY(put(t, "]"));
    }
    t->at = i + 1;
    return ebm_ok();
}

// \xHH, \x{H...}, \uHHHH
static ebm_status code_point(translator *t)
{
    const bool braces = peek(t, 1) == 'x' && peek(t, 2) == '{';
    const size_t first = t->at + (braces ? 3 : 2), limit = braces ? 8 : peek(t, 1) == 'u' ? 4 : 2;
    unsigned value = 0;
    size_t n = 0;
    for (; n < limit && first + n < t->bytes && isxdigit((unsigned char)t->text[first + n]); n++) {
        const int c = tolower((unsigned char)t->text[first + n]);
        value = 16 * value + (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    const bool closed = !braces || (first + n < t->bytes && t->text[first + n] == '}');
    // Two digits from 80 on are a byte, not a character.
    if (n == 0 || !closed || (!braces && n != limit) || value > 0x10FFFF || (limit == 2 && value >= 0x80))
        return refuse(t, "a code point");
    char text[16];
    snprintf(text, sizeof text, "\\x{%X}", value);
    t->at = first + n + braces;
    return put(t, text);
}

static ebm_status boundary(translator *t, bool word)
{
    EBM_TRY(put(t, "(?:(?<=["));
    EBM_TRY(put_words(t, false));
    EBM_TRY(put(t, word ? "])(?![" : "])(?=["));
    EBM_TRY(put_words(t, false));
    EBM_TRY(put(t, "])|(?<!["));
    EBM_TRY(put_words(t, false));
    EBM_TRY(put(t, word ? "])(?=[" : "])(?!["));
    EBM_TRY(put_words(t, false));
    t->at += 2;
    return put(t, "]))");
}

static ebm_status escape(translator *t, bool in_class)
{
    const char c = peek(t, 1);
    if (t->at + 1 >= t->bytes) return refuse(t, "a lone \\");
    if (strchr("sSdDwWhH", c)) return put_shorthand(t, c, in_class);
    if (c == 'p' || c == 'P') return property(t, in_class);
    if (c == 'x' || c == 'u') return code_point(t);
    if (c == 'v') return t->at += 2, put(t, "\\x{B}");
    if (strchr("nrtfea", c)) return copy(t, 2);
    if (!in_class && (c == 'A' || c == 'z' || c == 'Z')) return copy(t, 2);
    if (!in_class && (c == 'b' || c == 'B')) return boundary(t, c == 'b');
    if (isalnum((unsigned char)c)) {
        const char name[] = {'\\', c, 0};
        return refuse(t, name);
    }
    if ((unsigned char)c >= 0x80) { // a backslash before any other character means nothing
        size_t end = ++t->at;
        ebm_utf8_next(t->text, &end);
        return copy(t, end - t->at);
    }
    return copy(t, 2);
}

static ebm_status class(translator *t)
{
    EBM_TRY(copy(t, peek(t, 1) == '^' ? 2 : 1));
    if (peek(t, 0) == ']') return refuse(t, "] as the first of a class");
    while (t->at < t->bytes && t->text[t->at] != ']') {
        const char c = t->text[t->at];
        if (c == '[') return refuse(t, "a class within a class");
        if (c == '&' && peek(t, 1) == '&') return refuse(t, "&& in a class");
        if (c != '\\') {
            EBM_TRY(copy(t, 1));
            continue;
        }
        const bool set = strchr("sSdDwWhHpP", peek(t, 1)) != NULL;
        EBM_TRY(escape(t, true));
        if (set && peek(t, 0) == '-') { // no range begins with a set of characters
            EBM_TRY(put(t, "\\-"));
            t->at++;
        }
    }
    if (t->at >= t->bytes) return refuse(t, "a class without end");
    return copy(t, 1);
}

static ebm_status group(translator *t)
{
    static const char *const alike[] = {"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?i:", "(?-i:", "(?i)"};
    if (peek(t, 1) != '?') return peek(t, 1) == '*' ? refuse(t, "(*") : copy(t, 1);
    for (size_t i = 0; i < sizeof alike / sizeof *alike; i++) {
        const size_t n = strlen(alike[i]);
        if (t->bytes - t->at < n || memcmp(t->text + t->at, alike[i], n) != 0) continue;
        // Oniguruma makes a group of all that follows, alternatives too.
        if (strcmp(alike[i], "(?i)") == 0 && t->at > 0) return refuse(t, "(?i) within");
        if (strchr(alike[i], 'i')) t->caseless = true;
        return copy(t, n);
    }
    return refuse(t, "a group of another kind than (?: (?= (?! (?<= (?<! (?> (?i:");
}

static size_t digits(const translator *t, size_t ahead)
{
    size_t n = 0;
    while (isdigit((unsigned char)peek(t, ahead + n))) n++;
    return n;
}

// {n} {n,} {n,m} {,m}; anything else is a brace.
static ebm_status braces(translator *t)
{
    const size_t low = digits(t, 1), comma = peek(t, 1 + low) == ',';
    const size_t high = comma ? digits(t, 2 + low) : 0, length = 2 + low + comma + high;
    if (peek(t, length - 1) != '}' || low + high == 0) return t->at++, put(t, "\\{");
    const char after = peek(t, length);
    if (after == '+' || (after == '?' && !comma)) return refuse(t, "a + behind {...}, or a ? behind {n},");
    if (low > 0) return copy(t, length);
    t->at++;
    EBM_TRY(put(t, "{0"));
    return copy(t, length - 1);
}

// Without case, Oniguruma also matches what folds to several letters, as U+FB01 to "fi"; PCRE2 does not.
static ebm_status check_caseless(const translator *t)
{
    static const char *const pairs[] = {"ss", "ff", "fi", "fl", "st"};
    for (size_t i = 0; t->caseless && i < t->bytes; i++) {
        if ((unsigned char)t->text[i] >= 0x80) return refuse(t, "(?i) together with other than ASCII letters,");
        for (size_t k = 0; k < 5; k++)
            if (i + 1 < t->bytes && tolower((unsigned char)t->text[i]) == pairs[k][0] &&
                tolower((unsigned char)t->text[i + 1]) == pairs[k][1])
                return refuse(t, "(?i) together with ss, ff, fi, fl or st,");
    }
    return ebm_ok();
}

ebm_status ebm_regex_translate(const char *regex, size_t bytes, const char *where, ebm_bytes *pcre)
{
    translator t = {.text = regex, .bytes = bytes, .where = where, .out = pcre};
    if (strlen(regex) != bytes) return refuse(&t, "a zero byte");
    while (t.at < bytes) {
        switch (regex[t.at]) {
        case '\\':
            EBM_TRY(escape(&t, false));
            break;
        case '[':
            EBM_TRY(class(&t));
            break;
        case '(':
            EBM_TRY(group(&t));
            break;
        case '{':
            EBM_TRY(braces(&t));
            break;
        case '$': // before every line end, but not behind the last one
            EBM_TRY(put(&t, "(?:(?=\\n)|(?<!\\n)\\z)"));
            t.at++;
            break;
        default:
            EBM_TRY(copy(&t, 1));
        }
    }
    return check_caseless(&t);
}
