#include "grammar.h"

#include <stdlib.h>
#include <string.h>

#include "grammar_tables.h"
#include "random.h"

enum {
    Y = EBM_GRAMMAR_LABELS,
    MOST_WORDS = 512,
    MOST_CHOICES = 64,
    MOST_ITEMS = 16,
    MOST_SLOTS = 16,
    MOST_TEMPLATES = 32
};

// A distribution over words for each label.
typedef struct {
    const char *name;
    size_t count;
    int word[MOST_CHOICES];
    double p[MOST_CHOICES][Y];
} slot;

// One place of a template: a fixed word (slot < 0), or a slot, which may be left empty with probability 1/2.
typedef struct {
    int word, slot;
    bool optional;
} item;

typedef struct {
    size_t count;
    item items[MOST_ITEMS];
    double p[Y]; // p(template | label)
} template;

struct ebm_grammar {
    size_t words, slots, templates;
    char *word[MOST_WORDS];
    slot slot[MOST_SLOTS];
    template template[MOST_TEMPLATES];
};

// --- the tables, read once -------------------------------------------------------------------------------------------

static int find_word(const ebm_grammar *g, const char *text, size_t length)
{
    for (size_t i = 0; i < g->words; i++)
        if (strlen(g->word[i]) == length && memcmp(g->word[i], text, length) == 0) return (int)i;
    return -1;
}

static ebm_status add_word(ebm_grammar *g, const char *text, size_t length, int *id)
{
    *id = find_word(g, text, length);
    if (*id >= 0) return ebm_ok();
    if (g->words == MOST_WORDS) return ebm_fail(EBM_ERROR_UNSUPPORTED, "the grammar has over %d words", MOST_WORDS);
    g->word[g->words] = strndup(text, length);
    if (!g->word[g->words]) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for the grammar");
    *id = (int)g->words++;
    return ebm_ok();
}

// The next word of a list, its length in *length (0 at the end); *text moves behind it.
static const char *next_word(const char **text, size_t *length)
{
    *text += strspn(*text, " ");
    const char *word = *text;
    *length = strcspn(word, " ");
    *text += *length;
    return word;
}

static ebm_status add_group(ebm_grammar *g, slot *s, const ebm_grammar_group *group)
{
    const char *rest = group->words;
    size_t length = 0;
    for (const char *word = next_word(&rest, &length); length > 0; word = next_word(&rest, &length)) {
        if (s->count == MOST_CHOICES) return ebm_fail(EBM_ERROR_UNSUPPORTED, "too many words for %s", s->name);
        EBM_TRY(add_word(g, word, length, &s->word[s->count]));
        memcpy(s->p[s->count++], group->weight, sizeof group->weight);
    }
    return ebm_ok();
}

static void normalise(double *p, size_t count) // p: count x Y, each label's column to sum 1
{
    for (int y = 0; y < Y; y++) {
        double sum = 0;
        for (size_t i = 0; i < count; i++) sum += p[i * Y + (size_t)y];
        for (size_t i = 0; i < count; i++) p[i * Y + (size_t)y] /= sum;
    }
}

static int find_slot(const ebm_grammar *g, const char *name, size_t length)
{
    for (size_t i = 0; i < g->slots; i++)
        if (strlen(g->slot[i].name) == length && memcmp(g->slot[i].name, name, length) == 0) return (int)i;
    return -1;
}

static ebm_status add_slots(ebm_grammar *g)
{
    for (size_t i = 0; i < ebm_grammar_group_count; i++) {
        const ebm_grammar_group *group = &ebm_grammar_groups[i];
        int index = find_slot(g, group->slot, strlen(group->slot));
        if (index < 0 && g->slots == MOST_SLOTS) return ebm_fail(EBM_ERROR_UNSUPPORTED, "too many slots");
        if (index < 0) index = (int)g->slots++;
        g->slot[index].name = group->slot;
        EBM_TRY(add_group(g, &g->slot[index], group));
    }
    for (size_t i = 0; i < g->slots; i++) normalise(g->slot[i].p[0], g->slot[i].count);
    return ebm_ok();
}

static ebm_status add_template(ebm_grammar *g, const ebm_grammar_template *source)
{
    template *t = &g->template[g->templates++];
    const char *rest = source->text;
    size_t length = 0;
    for (const char *word = next_word(&rest, &length); length > 0; word = next_word(&rest, &length)) {
        if (t->count == MOST_ITEMS) return ebm_fail(EBM_ERROR_UNSUPPORTED, "'%s' is too long", source->text);
        item *it = &t->items[t->count++];
        it->optional = *word == '?';
        it->slot = find_slot(g, word + it->optional, length - it->optional);
        if (it->slot < 0) EBM_TRY(add_word(g, word, length, &it->word));
    }
    memcpy(t->p, source->weight, sizeof t->p);
    return ebm_ok();
}

static ebm_status fill(ebm_grammar *g)
{
    EBM_TRY(add_slots(g));
    if (ebm_grammar_template_count > MOST_TEMPLATES) return ebm_fail(EBM_ERROR_UNSUPPORTED, "too many templates");
    for (size_t i = 0; i < ebm_grammar_template_count; i++) EBM_TRY(add_template(g, &ebm_grammar_templates[i]));
    for (int y = 0; y < Y; y++) {
        double sum = 0;
        for (size_t i = 0; i < g->templates; i++) sum += g->template[i].p[y];
        for (size_t i = 0; i < g->templates; i++) g->template[i].p[y] /= sum;
    }
    return ebm_ok();
}

ebm_status ebm_grammar_create(ebm_grammar **grammar)
{
    ebm_grammar *g = *grammar = calloc(1, sizeof *g);
    if (!g) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for the grammar");
    const ebm_status status = fill(g);
    if (status.code != EBM_OK) {
        ebm_grammar_free(g);
        *grammar = NULL;
    }
    return status;
}

void ebm_grammar_free(ebm_grammar *g)
{
    if (!g) return;
    for (size_t i = 0; i < g->words; i++) free(g->word[i]);
    free(g);
}

const char *const *ebm_grammar_words(const ebm_grammar *g, size_t *count)
{
    *count = g->words;
    return (const char *const *)g->word;
}

// --- from label to text ----------------------------------------------------------------------------------------------

// The place at which the running sum of p[i * stride] passes a uniform draw.
static size_t draw(ebm_random *random, const double *p, size_t stride, size_t count)
{
    double left = ebm_random_uniform(random);
    size_t i = 0;
    for (; i + 1 < count && left >= p[i * stride]; i++) left -= p[i * stride];
    return i;
}

static ebm_status append(char *text, size_t size, size_t *used, const char *word)
{
    const size_t length = strlen(word), blank = *used > 0;
    if (*used + blank + length + 1 > size) return ebm_fail(EBM_ERROR_UNSUPPORTED, "a text is longer than %zu", size);
    if (blank) text[(*used)++] = ' ';
    memcpy(text + *used, word, length + 1);
    *used += length;
    return ebm_ok();
}

static ebm_status make_text(const ebm_grammar *g, ebm_random *random, size_t y, char *text, size_t size)
{
    double p[MOST_TEMPLATES];
    size_t used = 0;
    for (size_t i = 0; i < g->templates; i++) p[i] = g->template[i].p[y];
    const template *t = &g->template[draw(random, p, 1, g->templates)];
    for (size_t i = 0; i < t->count; i++) {
        const item *it = &t->items[i];
        if (it->optional && ebm_random_uniform(random) < 0.5) continue;
        int word = it->word;
        if (it->slot >= 0) {
            const slot *s = &g->slot[it->slot];
            word = s->word[draw(random, &s->p[0][y], Y, s->count)];
        }
        EBM_TRY(append(text, size, &used, g->word[word]));
    }
    return ebm_ok();
}

static ebm_status add_texts(const ebm_grammar *g, ebm_random *random, size_t count, ebm_dataset *dataset)
{
    char text[256];
    for (size_t i = 0; i < count; i++) {
        const size_t y = draw(random, ebm_grammar_prior, 1, Y);
        EBM_TRY(make_text(g, random, y, text, sizeof text));
        EBM_TRY(ebm_dataset_add(dataset, text, NULL, (int32_t)y, 0));
    }
    return ebm_ok();
}

ebm_status ebm_grammar_dataset(const ebm_grammar *g, uint64_t seed, uint32_t part, size_t count, ebm_dataset **dataset)
{
    const ebm_labels labels = {.names = ebm_grammar_labels, .count = Y};
    ebm_random random = ebm_random_stream(seed, part, EBM_SITE_GRAMMAR);
    EBM_TRY(ebm_dataset_create(&labels, dataset));
    const ebm_status status = add_texts(g, &random, count, *dataset);
    if (status.code != EBM_OK) {
        ebm_dataset_free(*dataset);
        *dataset = NULL;
    }
    return status;
}

// --- from text to label ----------------------------------------------------------------------------------------------

// Probability for each label that the items from `at` on make exactly these words.
static void inside(const ebm_grammar *g, const template *t, size_t at, const int *word, size_t words, double p[Y])
{
    double with[Y] = {0}, without[Y] = {0};
    for (int y = 0; y < Y; y++) p[y] = at == t->count && words == 0;
    if (at == t->count) return;
    const item *it = &t->items[at];
    if (it->optional) inside(g, t, at + 1, word, words, without);
    if (words > 0 && it->slot < 0 && it->word == *word) inside(g, t, at + 1, word + 1, words - 1, with);
    const slot *s = it->slot >= 0 ? &g->slot[it->slot] : NULL;
    for (size_t i = 0; s && words > 0 && i < s->count; i++) {
        if (s->word[i] != *word) continue;
        inside(g, t, at + 1, word + 1, words - 1, with);
        for (int y = 0; y < Y; y++) with[y] *= s->p[i][y];
        break;
    }
    for (int y = 0; y < Y; y++) p[y] = it->optional ? 0.5 * with[y] + 0.5 * without[y] : with[y];
}

bool ebm_grammar_posterior(const ebm_grammar *g, const char *text, double posterior[Y])
{
    int word[2 * MOST_ITEMS];
    size_t words = 0, length = 0;
    double sum = 0;
    for (const char *next = next_word(&text, &length); length > 0; next = next_word(&text, &length)) {
        if (words == MOST_ITEMS) return false;
        word[words++] = find_word(g, next, length);
    }
    for (int y = 0; y < Y; y++) posterior[y] = 0;
    for (size_t i = 0; i < g->templates; i++) {
        double p[Y];
        inside(g, &g->template[i], 0, word, words, p);
        for (int y = 0; y < Y; y++) posterior[y] += ebm_grammar_prior[y] * g->template[i].p[y] * p[y];
    }
    for (int y = 0; y < Y; y++) sum += posterior[y];
    for (int y = 0; y < Y && sum > 0; y++) posterior[y] /= sum;
    return sum > 0;
}
