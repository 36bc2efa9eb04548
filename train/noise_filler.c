#include "noise_filler.h"

#include <stdlib.h>
#include <string.h>

#include "packing.h"
#include "random.h"
#include "sampling.h"

enum { MAX_BANNED = 8, MAX_POSITIONS = 1024 }; // of ebm_sample

// One masked token: where it lies in the packed batch and in the texts, and what draws its fill.
typedef struct {
    int32_t place, position;
    uint32_t text;
    int32_t *token;
} hole;

struct ebm_noise_filler {
    ebm_noise_filler_settings set;
    const ebm_noise_texts *training;
    ebm_device *device;
    const ebm_tokenizer *tokenizer;
    ebm_noise_roles roles;
    ebm_packing *packing;
    ebm_slice places, texts, positions, next, banned;
    int32_t *masked, *ids, *types; // of one text
    hole *holes;                   // of a packed batch
    size_t hole_count, banned_count;
    int32_t *host; // rows of one kind
    uint64_t filled;
};

ebm_noise_roles ebm_noise_filler_roles(const ebm_tokenizer *t)
{
    const ebm_noise_roles roles = {
        .mask = ebm_tokenizer_special(t, EBM_TOKEN_MASK),
        .separator = ebm_tokenizer_special(t, EBM_TOKEN_SEP),
        .start = ebm_tokenizer_special(t, EBM_TOKEN_CLS),
        .end = ebm_tokenizer_special(t, EBM_TOKEN_PAD),
    };
    return roles;
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

size_t ebm_noise_filler_most(const ebm_masked_lm *lm, bool pairs, size_t max_length)
{
    const size_t special = ebm_tokenizer_special_count(ebm_masked_lm_tokenizer(lm), pairs);
    const size_t longest = least(least(max_length, ebm_config_max_tokens(ebm_masked_lm_config(lm))),
                                 least(ebm_masked_lm_limits(lm).tokens, MAX_POSITIONS));
    return longest > special ? longest - special + pairs : 0; // a pair's tokens hold one separator
}

static ebm_status allocate_host(ebm_noise_filler *f)
{
    const size_t longest = f->set.most + ebm_tokenizer_special_count(f->tokenizer, f->set.pairs);
    f->masked = calloc(longest, sizeof *f->masked);
    f->ids = calloc(longest, sizeof *f->ids);
    f->types = calloc(longest, sizeof *f->types);
    f->holes = calloc(ebm_masked_lm_limits(f->set.lm).tokens, sizeof *f->holes);
    f->host = calloc(ebm_masked_lm_rows(f->set.lm), sizeof *f->host);
    if (f->masked && f->ids && f->types && f->holes && f->host) return ebm_ok();
    return ebm_fail(EBM_ERROR_MEMORY, "no host memory for filling texts");
}

static void plan(ebm_noise_filler *f, ebm_arena *arena)
{
    ebm_slice *const per_row[] = {&f->places, &f->texts, &f->positions, &f->next};
    for (size_t i = 0; i < sizeof per_row / sizeof *per_row; i++)
        ebm_arena_reserve(arena, per_row[i], ebm_masked_lm_rows(f->set.lm));
    ebm_arena_reserve(arena, &f->banned, MAX_BANNED);
}

static ebm_status create(ebm_noise_filler *f, ebm_arena *arena)
{
    const ebm_limits limits = ebm_masked_lm_limits(f->set.lm);
    if (f->roles.separator < 0 && f->set.pairs)
        return ebm_fail(EBM_ERROR_INPUT, "the masked language model's tokenizer has no separator for pairs");
    if (f->set.most <= f->set.pairs) return ebm_fail(EBM_ERROR_INPUT, "sequences too short to hold a text");
    EBM_TRY(allocate_host(f));
    EBM_TRY(ebm_packing_create(f->device, ebm_masked_lm_config(f->set.lm), &limits, arena, &f->packing));
    plan(f, arena);
    return ebm_ok();
}

ebm_status ebm_noise_filler_create(const ebm_noise_filler_settings *settings, ebm_arena *arena, ebm_noise_filler **out)
{
    *out = NULL;
    ebm_noise_filler *f = calloc(1, sizeof *f);
    if (!f) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for filling texts");
    f->set = *settings;
    f->device = ebm_masked_lm_device(settings->lm);
    f->tokenizer = ebm_masked_lm_tokenizer(settings->lm);
    f->roles = ebm_noise_filler_roles(f->tokenizer);
    const ebm_status status = create(f, arena);
    if (status.code == EBM_OK)
        *out = f;
    else
        ebm_noise_filler_free(f);
    return status;
}

void ebm_noise_filler_free(ebm_noise_filler *f)
{
    if (!f) return;
    ebm_packing_free(f->packing);
    free(f->masked);
    free(f->ids);
    free(f->types);
    free(f->holes);
    free(f->host);
    free(f);
}

void ebm_noise_filler_set_texts(ebm_noise_filler *f, const ebm_noise_texts *texts) { f->training = texts; }

uint64_t ebm_noise_filler_filled(const ebm_noise_filler *f) { return f->filled; }

static ebm_status send_banned(ebm_noise_filler *f)
{
    const int32_t all[] = {f->roles.mask, f->roles.separator, f->roles.start, f->roles.end,
                           ebm_tokenizer_special(f->tokenizer, EBM_TOKEN_UNK)};
    int32_t banned[MAX_BANNED] = {0};
    f->banned_count = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i] >= 0) banned[f->banned_count++] = all[i];
    return ebm_slice_write(f->device, f->banned, 0, MAX_BANNED, banned);
}

typedef enum { HOLE_PLACE, HOLE_POSITION, HOLE_TEXT } hole_part;

static ebm_status send_holes(ebm_noise_filler *f, size_t first, size_t count, hole_part part, ebm_slice to)
{
    for (size_t i = 0; i < count; i++) {
        const hole *h = &f->holes[first + i];
        f->host[i] = part == HOLE_PLACE ? h->place : part == HOLE_POSITION ? h->position : (int32_t)h->text;
    }
    return ebm_slice_write(f->device, to, 0, count, f->host);
}

static ebm_status fill_holes(ebm_noise_filler *f, size_t first, size_t count)
{
    const ebm_sampling how = {.temperature = f->set.temperature,
                              .top_k = f->set.top_k,
                              .seed = f->set.seed,
                              .banned = f->banned,
                              .banned_count = f->banned_count};
    EBM_TRY(send_holes(f, first, count, HOLE_PLACE, f->places));
    EBM_TRY(send_holes(f, first, count, HOLE_POSITION, f->positions));
    EBM_TRY(send_holes(f, first, count, HOLE_TEXT, f->texts));
    EBM_TRY(ebm_masked_lm_predict(f->set.lm, f->places, count));
    EBM_TRY(ebm_sample(f->device, f->next, ebm_masked_lm_logits(f->set.lm), f->texts, f->positions, count,
                       ebm_masked_lm_vocabulary(f->set.lm), &how));
    EBM_TRY(ebm_slice_read(f->device, f->next, 0, count, f->host));
    for (size_t i = 0; i < count; i++) *f->holes[first + i].token = f->host[i];
    f->filled += count;
    return ebm_ok();
}

// What was packed goes through the model; a batch without a hole has nothing to fill.
static ebm_status run_batch(ebm_noise_filler *f)
{
    const size_t rows = ebm_masked_lm_rows(f->set.lm);
    ebm_batch batch;
    if (f->hole_count == 0) return ebm_ok();
    EBM_TRY(ebm_packing_send(f->packing, &batch));
    EBM_TRY(ebm_masked_lm_forward(f->set.lm, &batch));
    for (size_t first = 0; first < f->hole_count; first += rows)
        EBM_TRY(fill_holes(f, first, least(rows, f->hole_count - first)));
    f->hole_count = 0;
    return ebm_ok();
}

// The masked text as the model takes it; returns its tokens.
static size_t assemble(ebm_noise_filler *f, const int32_t *text, size_t count)
{
    size_t first = count;
    for (size_t i = 0; f->set.pairs && i < count && first == count; i++)
        if (text[i] == f->roles.separator) first = i;
    const bool pair = f->set.pairs && first < count;
    return ebm_tokenizer_assemble(f->tokenizer, text, first, pair ? text + first + 1 : NULL,
                                  pair ? count - first - 1 : 0, 0, f->ids, f->types);
}

// Masks stand in the sequence in the text's order: texts hold none of their own, and none was cut.
static void note_holes(ebm_noise_filler *f, uint32_t text, size_t first, size_t length, int32_t *raw, size_t count)
{
    for (size_t i = 0, at = 0; i < length && at < count; i++) {
        if (f->ids[i] != f->roles.mask) continue;
        while (f->masked[at] != f->roles.mask) at++;
        f->holes[f->hole_count++] = (hole){(int32_t)(first + i), (int32_t)i, text, raw + at++};
    }
}

static ebm_status add_text(ebm_noise_filler *f, uint32_t text, int32_t *raw, size_t count)
{
    ebm_random random = ebm_random_stream(f->set.seed, text, EBM_SITE_MASK);
    bool fits = false, any = false;
    for (size_t i = 0; i < count; i++) {
        const bool masked =
            ebm_random_uniform(&random) < (double)f->set.mask_probability && raw[i] != f->roles.separator;
        f->masked[i] = masked ? f->roles.mask : raw[i];
        any |= masked;
    }
    if (!any) return ebm_ok(); // stays as it is, and is dropped as a duplicate
    const size_t length = assemble(f, f->masked, count);
    const ebm_sequence sequence = {f->ids, f->types, length};
    EBM_TRY(ebm_packing_add(f->packing, sequence, &fits));
    if (!fits) {
        EBM_TRY(run_batch(f));
        ebm_packing_clear(f->packing, 0, 0);
        EBM_TRY(ebm_packing_add(f->packing, sequence, &fits));
    }
    note_holes(f, text, ebm_packing_tokens(f->packing) - length, length, raw, count);
    return ebm_ok();
}

ebm_status ebm_noise_filler_run(ebm_noise_filler *f, uint64_t first_text, size_t count, int32_t *raw, int32_t *lengths)
{
    EBM_TRY(send_banned(f));
    ebm_packing_clear(f->packing, 0, 0);
    f->hole_count = 0;
    for (size_t i = 0; i < count; i++) {
        const uint32_t text = (uint32_t)(first_text + i);
        ebm_random random = ebm_random_stream(f->set.seed, text, EBM_SITE_PROMPT);
        const uint32_t source = ebm_random_below(&random, (uint32_t)ebm_noise_texts_count(f->training));
        size_t tokens = 0;
        const int32_t *ids = ebm_noise_texts_view(f->training, source, &tokens);
        memcpy(raw + i * f->set.most, ids, tokens * sizeof *raw);
        lengths[i] = (int32_t)tokens;
        EBM_TRY(add_text(f, text, raw + i * f->set.most, tokens));
    }
    return run_batch(f);
}
