// Drawing tokens, with and without a screen, and the bookkeeping of generation.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernel_check_internal.h"
#include "launch.h"
#include "reference_sampling.h"
#include "screen.h"

enum { SLOTS = 9, VOCABULARY = 300, CHANNELS = 48, BANNED = 2, IDLE_ID = -7 };

typedef struct {
    ebm_trial_tensor *texts, *positions, *banned, *next;
} drawing;

static drawing make_drawing(ebm_trial *t)
{
    const drawing d = {ebm_trial_zero(t, SLOTS), ebm_trial_zero(t, SLOTS), ebm_trial_integers(t, BANNED, VOCABULARY),
                       ebm_trial_zero(t, SLOTS)};
    for (int32_t s = 0; s < SLOTS; s++) {
        ebm_trial_as_integers(d.texts)[s] = -256 + 37 * s; // as uint32: the index needs more than 32 bits
        ebm_trial_as_integers(d.positions)[s] = s % 4 == 3 ? -1 : s * 101 % 1024;
        ebm_trial_as_integers(d.next)[s] = IDLE_ID;
    }
    return d;
}

static ebm_sampling sampling_of(const drawing *d, int top_k)
{
    return (ebm_sampling){0.8f, top_k, 0x123456789ABCDEFull, 3, d->banned->slice, BANNED};
}

// logits: (slots, vocabulary) in double precision. Each token must be the one its random number asks for.
static void compare_drawn(ebm_trial *t, const drawing *d, const double *logits, const ebm_sampling *how)
{
    ebm_candidate list[VOCABULARY];
    double p[VOCABULARY];
    for (size_t s = 0; s < SLOTS; s++) {
        const int32_t position = ebm_trial_as_integers(d->positions)[s], drawn = ebm_trial_integers_now(d->next)[s];
        if (position < 0) {
            ebm_trial_equal(t, drawn, IDLE_ID);
            continue;
        }
        const size_t count =
            ebm_reference_candidates(list, logits + s * VOCABULARY, VOCABULARY, how, ebm_trial_as_integers(d->banned));
        const double number = ebm_reference_uniform(how, (uint32_t)ebm_trial_as_integers(d->texts)[s], position);
        ebm_reference_probabilities(p, list, count, how);
        ebm_trial_equal(t, ebm_reference_is_drawn(drawn, list, p, count, number), true);
    }
}

static ebm_status check_sample(ebm_device *device, int top_k, double *worst)
{
    double wide[SLOTS * VOCABULARY];
    ebm_trial t;
    EBM_TRY(ebm_trial_begin(&t, device));
    const drawing d = make_drawing(&t);
    ebm_trial_tensor *logits = ebm_trial_uniform(&t, (size_t)SLOTS * VOCABULARY, 4);
    for (size_t i = 0; i < logits->count; i++)
        wide[i] = (double)(logits->before[i] = i % 2 ? floorf(logits->before[i]) : logits->before[i]); // with ties
    EBM_TRIAL(&t, ebm_trial_upload(&t));
    const ebm_sampling how = sampling_of(&d, top_k);
    EBM_TRIAL(&t, ebm_sample(device, d.next->slice, logits->slice, d.texts->slice, d.positions->slice, SLOTS,
                             VOCABULARY, &how));
    EBM_TRIAL(&t, ebm_trial_download(&t));
    compare_drawn(&t, &d, wide, &how);
    return ebm_trial_end(&t, worst);
}

static ebm_status check_map(ebm_device *device, double *worst)
{
    enum { IDS = 70, MAP = 5 };
    ebm_trial t;
    EBM_TRY(ebm_trial_begin(&t, device));
    ebm_trial_tensor *in = ebm_trial_integers(&t, IDS, MAP + 2), *out = ebm_trial_zero(&t, IDS),
                     *map = ebm_trial_integers(&t, MAP, 1000);
    for (size_t i = 0; i < IDS; i++) ebm_trial_as_integers(in)[i]--; // some outside, on both sides
    EBM_TRIAL(&t, ebm_trial_upload(&t));
    EBM_TRIAL(&t, ebm_map_ids(device, out->slice, in->slice, map->slice, IDS));
    EBM_TRIAL(&t, ebm_trial_download(&t));
    for (size_t i = 0; i < IDS; i++) {
        const int32_t id = ebm_trial_as_integers(in)[i];
        ebm_trial_equal(&t, ebm_trial_integers_now(out)[i], id >= 0 && id < MAP ? ebm_trial_as_integers(map)[id] : -1);
    }
    return ebm_trial_end(&t, worst);
}

ebm_status ebm_check_sampling(ebm_device *device, double *worst)
{
    EBM_TRY(check_sample(device, 20, worst));
    EBM_TRY(check_sample(device, 0, worst));
    return check_map(device, worst);
}

// ---- sampling by bounds

typedef struct {
    ebm_screen *screen;
    ebm_arena *arena;
} screen_case;

static ebm_status make_screen(ebm_device *device, screen_case *s)
{
    s->arena = ebm_arena_create(device, "known answers of screening");
    if (!s->arena) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a check of kernels");
    EBM_TRY(ebm_screen_create(device, s->arena, SLOTS, VOCABULARY, CHANNELS, &s->screen));
    return ebm_arena_allocate(s->arena);
}

static void multiply(double *logits, const float *hidden, const float *word)
{
    for (size_t i = 0; i < (size_t)SLOTS * VOCABULARY; i++) {
        logits[i] = 0;
        for (size_t c = 0; c < CHANNELS; c++)
            logits[i] += (double)hidden[i / VOCABULARY * CHANNELS + c] * (double)word[i % VOCABULARY * CHANNELS + c];
    }
}

ebm_status ebm_check_screen(ebm_device *device, double *worst)
{
    double logits[SLOTS * VOCABULARY];
    screen_case s = {0};
    ebm_trial t;
    if (!ebm_screen_is_possible(device, CHANNELS))
        return ebm_fail(EBM_ERROR_UNSUPPORTED, "screening needs CPU kernels of 16 lanes and AVX512-VNNI");
    EBM_TRY(ebm_trial_begin(&t, device));
    const drawing d = make_drawing(&t);
    ebm_trial_tensor *hidden = ebm_trial_uniform(&t, (size_t)SLOTS * CHANNELS, 2),
                     *word = ebm_trial_uniform(&t, (size_t)VOCABULARY * CHANNELS, 0.3);
    EBM_TRIAL(&t, ebm_trial_upload(&t));
    EBM_TRIAL(&t, make_screen(device, &s));
    const ebm_sampling how = sampling_of(&d, 20);
    EBM_TRIAL(&t, ebm_screen_take(s.screen, word->slice));
    EBM_TRIAL(&t, ebm_screen_sample(s.screen, d.next->slice, hidden->slice, d.texts->slice, d.positions->slice, &how));
    EBM_TRIAL(&t, ebm_trial_download(&t));
    multiply(logits, hidden->before, word->before);
    compare_drawn(&t, &d, logits, &how);
    ebm_screen_free(s.screen);
    ebm_arena_free(s.arena);
    return ebm_trial_end(&t, worst);
}

// ---- generation: a new text in slot 1, then one token for each slot, one of which ends its text and one is cut

enum { MOST = 4, END = 50, FEW = 5, ENTRY = 5, IDS = 0, POSITIONS, DRAWN, TEXTS, TEXT_ROWS, LENGTHS, NEXT, STATES };
static const int32_t STATE[STATES][FEW] = {
    [IDS] = {3, 4, 5, 6, 7},        [POSITIONS] = {9, -1, 2, 3, 7}, [DRAWN] = {2, -1, -1, 3, 1},
    [TEXTS] = {0, 0, 0, 0, 0},      [TEXT_ROWS] = {0, 9, 2, 3, 4},  [LENGTHS] = {-1, 8, 8, -1, -1},
    [NEXT] = {21, 22, 23, 24, END},
};
static const int32_t ENTRY_OF_TEXT[ENTRY] = {1, 11, 6, 77, 1}; // slot, id, position, text, row
static const int32_t EXPECTED[NEXT][FEW] = {
    [IDS] = {21, 22, 5, 6, 7},  [POSITIONS] = {10, 7, 2, -1, -1}, [DRAWN] = {3, 1, -1, -1, -1},
    [TEXTS] = {0, 77, 0, 0, 0}, [TEXT_ROWS] = {0, 1, 2, 3, 4},    [LENGTHS] = {-1, -1, 8, -2, 1},
};

static ebm_status refill(ebm_device *device, ebm_trial_tensor *const s[STATES], const ebm_trial_tensor *entries)
{
    ebm_launch l = ebm_launch_begin(device, "generate.cl", "generate_refill", "%s", "");
    for (int i = IDS; i <= LENGTHS; i++) ebm_arg_slice(&l, s[i]->slice);
    ebm_arg_slice(&l, entries->slice);
    return ebm_launch_rows(&l, 1);
}

static ebm_status advance(ebm_device *device, ebm_trial_tensor *const s[STATES], const ebm_trial_tensor *tokens)
{
    ebm_launch l = ebm_launch_begin(device, "generate.cl", "generate_advance", "%s", "");
    const ebm_slice slices[] = {s[IDS]->slice,     s[POSITIONS]->slice, s[DRAWN]->slice,    tokens->slice,
                                s[LENGTHS]->slice, s[NEXT]->slice,      s[TEXT_ROWS]->slice};
    for (size_t i = 0; i < sizeof slices / sizeof *slices; i++) ebm_arg_slice(&l, slices[i]);
    ebm_arg_i32(&l, END);
    ebm_arg_i32(&l, MOST);
    return ebm_launch_rows(&l, FEW);
}

ebm_status ebm_check_generate(ebm_device *device, double *worst)
{
    ebm_trial t;
    EBM_TRY(ebm_trial_begin(&t, device));
    ebm_trial_tensor *s[STATES], *entries = ebm_trial_zero(&t, ENTRY), *tokens = ebm_trial_zero(&t, FEW * MOST);
    for (int i = 0; i < STATES; i++) {
        s[i] = ebm_trial_zero(&t, FEW);
        memcpy(s[i]->before, STATE[i], sizeof STATE[i]);
    }
    memcpy(entries->before, ENTRY_OF_TEXT, sizeof ENTRY_OF_TEXT);
    EBM_TRIAL(&t, ebm_trial_upload(&t));
    EBM_TRIAL(&t, refill(device, s, entries));
    EBM_TRIAL(&t, advance(device, s, tokens));
    EBM_TRIAL(&t, ebm_trial_download(&t));
    for (int i = 0; i < NEXT; i++)
        for (int slot = 0; slot < FEW; slot++)
            ebm_trial_equal(&t, ebm_trial_integers_now(s[i])[slot], EXPECTED[i][slot]);
    for (int i = 0; i < FEW * MOST; i++) { // slot 0 wrote its third token, 1 its first, 3 its fourth
        const int32_t expected = i == 0 * MOST + 2 ? 21 : i == 1 * MOST + 0 ? 22 : i == 3 * MOST + 3 ? 24 : 0;
        ebm_trial_equal(&t, ebm_trial_integers_now(tokens)[i], expected);
    }
    return ebm_trial_end(&t, worst);
}
