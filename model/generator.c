#include "generator.h"

#include <stdlib.h>
#include <string.h>

#include "launch.h"
#include "screen.h"

enum { ENTRY = 5, BANNED = EBM_BANNED_MAX };

struct ebm_generator {
    ebm_device *device;
    ebm_noise_model *model;
    ebm_generator_settings set;
    // On the device: cl/generate.cl says what each is. tokens and lengths are a ring of block + ahead rows, where a
    // run's texts and those that follow stand one behind the other; finished is a copy of the run's.
    ebm_slice ids, positions, drawn, texts, rows, next, tokens, lengths, entries, banned, finished;
    // A packed batch of prompts, and the slot each goes to.
    ebm_batch batch;
    ebm_slice slot_of;
    ebm_screen *screen;                                            // NULL: sampled from all logits
    ebm_slice logits;                                              // (slots, vocabulary), without a screen
    int32_t *host_ids, *host_positions, *host_starts, *host_slots; // one allocation, of the batch
    int32_t *host_entries, *host_state, *host_rows, *host_lengths;
    size_t waiting; // entries not yet sent
    // The run that may go on where the last one stopped: its first text, how many there are and how many have a slot.
    uint64_t following_text;
    size_t following_count, begun;
    size_t first_row; // of the ring, where the run's texts begin
    bool separator;
    uint64_t sampled, steps;
    uint64_t taken_version; // of the parameters whose embedding the screen has, counted from 1
};

static size_t ring_rows(const ebm_generator *g) { return g->set.block + g->set.ahead; }

static ebm_status allocate_host(ebm_generator *g)
{
    const size_t T = g->set.prompt_limits.tokens, S = g->set.slots;
    g->host_ids = calloc(2 * T + 2 * S + 1, sizeof *g->host_ids);
    g->host_entries = calloc(ENTRY * S, sizeof *g->host_entries);
    g->host_state = calloc(S, sizeof *g->host_state);
    g->host_rows = calloc(S, sizeof *g->host_rows);
    g->host_lengths = calloc(g->set.block, sizeof *g->host_lengths);
    if (!g->host_ids || !g->host_entries || !g->host_state || !g->host_rows || !g->host_lengths)
        return ebm_fail(EBM_ERROR_MEMORY, "no host memory for generating");
    g->host_positions = g->host_ids + T;
    g->host_starts = g->host_positions + T;
    g->host_slots = g->host_starts + S + 1;
    return ebm_ok();
}

static void plan(ebm_generator *g, ebm_arena *arena)
{
    const size_t S = g->set.slots, T = g->set.prompt_limits.tokens;
    ebm_slice *const per_slot[] = {&g->ids, &g->positions, &g->drawn, &g->texts, &g->rows, &g->next, &g->slot_of};
    for (size_t i = 0; i < sizeof per_slot / sizeof *per_slot; i++) ebm_arena_reserve(arena, per_slot[i], S);
    ebm_arena_reserve(arena, &g->tokens, ring_rows(g) * g->set.most_new);
    ebm_arena_reserve(arena, &g->finished, g->set.block * g->set.most_new);
    ebm_arena_reserve(arena, &g->lengths, ring_rows(g));
    ebm_arena_reserve(arena, &g->entries, ENTRY * S);
    ebm_arena_reserve(arena, &g->banned, BANNED);
    ebm_arena_reserve(arena, &g->batch.ids, T);
    ebm_arena_reserve(arena, &g->batch.positions, T);
    ebm_arena_reserve(arena, &g->batch.starts, S + 1);
}

static ebm_status plan_sampling(ebm_generator *g, ebm_arena *arena)
{
    const ebm_config *config = ebm_noise_model_config(g->model);
    if (g->set.top_k == 0 || !ebm_screen_is_possible(g->device, config->hidden)) {
        ebm_arena_reserve(arena, &g->logits, g->set.slots * config->vocabulary);
        return ebm_ok();
    }
    return ebm_screen_create(g->device, arena, g->set.slots, config->vocabulary, config->hidden, &g->screen);
}

ebm_status ebm_generator_create(ebm_noise_model *model, const ebm_generator_settings *settings, ebm_arena *arena,
                                ebm_generator **out)
{
    *out = NULL;
    if (settings->slots == 0 || settings->block == 0 || settings->most_new == 0 ||
        settings->most_new >= settings->capacity || settings->prompt_limits.tokens < settings->capacity)
        return ebm_fail(EBM_ERROR_INPUT,
                        "generation of %zu tokens in %zu slots of %zu, prompts of %zu: each must be positive and fit",
                        settings->most_new, settings->slots, settings->capacity, settings->prompt_limits.tokens);
    ebm_generator *g = calloc(1, sizeof *g);
    if (!g) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for generating");
    g->device = ebm_noise_model_device(model);
    g->model = model;
    g->set = *settings;
    ebm_status status = ebm_ok();
    EBM_CHECK(allocate_host(g), fail);
    plan(g, arena);
    EBM_CHECK(plan_sampling(g, arena), fail);
    *out = g;
    return status;
fail:
    ebm_generator_free(g);
    return status;
}

void ebm_generator_free(ebm_generator *g)
{
    if (!g) return;
    ebm_screen_free(g->screen);
    free(g->host_ids);
    free(g->host_entries);
    free(g->host_state);
    free(g->host_rows);
    free(g->host_lengths);
    free(g);
}

ebm_slice ebm_generator_tokens(const ebm_generator *g) { return g->finished; }
const int32_t *ebm_generator_lengths(const ebm_generator *g) { return g->host_lengths; }
uint64_t ebm_generator_sampled(const ebm_generator *g) { return g->sampled; }
uint64_t ebm_generator_steps(const ebm_generator *g) { return g->steps; }

// Everything but a prompt's last token goes through the model as a packed batch; the last one is the slot's first step.
static ebm_status run_prompts(ebm_generator *g)
{
    ebm_batch *b = &g->batch;
    if (b->sequences == 0) return ebm_ok();
    EBM_TRY(ebm_slice_write(g->device, b->ids, 0, b->tokens, g->host_ids));
    EBM_TRY(ebm_slice_write(g->device, b->positions, 0, b->tokens, g->host_positions));
    EBM_TRY(ebm_slice_write(g->device, b->starts, 0, b->sequences + 1, g->host_starts));
    EBM_TRY(ebm_slice_write(g->device, g->slot_of, 0, b->sequences, g->host_slots));
    b->host_starts = g->host_starts;
    EBM_TRY(ebm_decoder_prefill(ebm_noise_model_decoder(g->model), b, g->slot_of));
    b->sequences = b->tokens = b->longest = 0;
    return ebm_ok();
}

static ebm_status add_prompt(ebm_generator *g, const ebm_prompt *prompt, size_t slot)
{
    ebm_batch *b = &g->batch;
    const size_t length = prompt->count - 1;
    if (length == 0) return ebm_ok();
    if (b->tokens + length > g->set.prompt_limits.tokens || b->sequences + 1 > g->set.prompt_limits.sequences)
        EBM_TRY(run_prompts(g));
    memcpy(g->host_ids + b->tokens, prompt->ids, length * sizeof *g->host_ids);
    for (size_t i = 0; i < length; i++) g->host_positions[b->tokens + i] = (int32_t)i;
    g->host_starts[b->sequences] = (int32_t)b->tokens;
    g->host_slots[b->sequences++] = (int32_t)slot;
    b->tokens += length;
    g->host_starts[b->sequences] = (int32_t)b->tokens;
    if (length > b->longest) b->longest = length;
    return ebm_ok();
}

static ebm_status send_entries(ebm_generator *g)
{
    if (g->waiting == 0) return ebm_ok();
    EBM_TRY(ebm_slice_write(g->device, g->entries, 0, ENTRY * g->waiting, g->host_entries));
    ebm_launch l = ebm_launch_begin(g->device, "generate.cl", "generate_refill", "%s", "");
    const ebm_slice arguments[] = {g->ids, g->positions, g->drawn, g->texts, g->rows, g->lengths, g->entries};
    for (size_t i = 0; i < sizeof arguments / sizeof *arguments; i++) ebm_arg_slice(&l, arguments[i]);
    const size_t rows = g->waiting;
    g->waiting = 0;
    return ebm_launch_rows(&l, rows);
}

// What a run works through: its own prompts, then those of the texts that follow.
typedef struct {
    ebm_prompts prompts, following;
    uint64_t first_text;
    size_t next; // to be given a slot, of both together
} work;

static ebm_status begin_text(ebm_generator *g, const work *w, size_t index, size_t slot)
{
    const bool follows = index >= w->prompts.count;
    const ebm_prompt *prompt = follows ? &w->following.list[index - w->prompts.count] : &w->prompts.list[index];
    if (prompt->count == 0 || prompt->count > g->set.capacity - g->set.most_new)
        return ebm_fail(EBM_ERROR_INPUT, "a prompt of %zu tokens; from 1 to %zu fit", prompt->count,
                        g->set.capacity - g->set.most_new);
    EBM_TRY(add_prompt(g, prompt, slot));
    const size_t row = (g->first_row + index) % ring_rows(g);
    const int32_t entry[ENTRY] = {(int32_t)slot, prompt->ids[prompt->count - 1], (int32_t)prompt->count - 1,
                                  (int32_t)(uint32_t)(w->first_text + index), (int32_t)row};
    memcpy(g->host_entries + ENTRY * g->waiting++, entry, sizeof entry);
    g->host_rows[slot] = (int32_t)row;
    g->host_state[slot] = 0;
    return ebm_ok();
}

// Gives every idle slot the next prompt.
static ebm_status refill(ebm_generator *g, work *w)
{
    const size_t count = w->prompts.count + w->following.count;
    for (size_t s = 0; s < g->set.slots && w->next < count; s++)
        if (g->host_state[s] < 0) EBM_TRY(begin_text(g, w, w->next++, s));
    EBM_TRY(run_prompts(g));
    return send_entries(g);
}

static ebm_status sample(ebm_generator *g, const ebm_sampling *sampling)
{
    ebm_decoder *decoder = ebm_noise_model_decoder(g->model);
    if (g->screen)
        return ebm_screen_sample(g->screen, g->next, ebm_decoder_step_hidden(decoder), g->texts, g->drawn, sampling);
    EBM_TRY(ebm_decoder_step_logits(decoder, g->logits));
    return ebm_sample(g->device, g->next, g->logits, g->texts, g->drawn, g->set.slots,
                      ebm_noise_model_config(g->model)->vocabulary, sampling);
}

static ebm_status one_token(ebm_generator *g, const ebm_sampling *sampling)
{
    g->steps++;
    EBM_TRY(ebm_decoder_step(ebm_noise_model_decoder(g->model), g->ids, g->positions));
    EBM_TRY(sample(g, sampling));
    ebm_launch l = ebm_launch_begin(g->device, "generate.cl", "generate_advance", "%s", "");
    const ebm_slice arguments[] = {g->ids, g->positions, g->drawn, g->tokens, g->lengths, g->next, g->rows};
    for (size_t i = 0; i < sizeof arguments / sizeof *arguments; i++) ebm_arg_slice(&l, arguments[i]);
    ebm_arg_i32(&l, ebm_noise_model_roles(g->model).end);
    ebm_arg_i32(&l, (int64_t)g->set.most_new);
    return ebm_launch_rows(&l, g->set.slots);
}

static ebm_status make_idle(ebm_generator *g)
{
    for (size_t s = 0; s < g->set.slots; s++) g->host_state[s] = -1;
    EBM_TRY(ebm_slice_write(g->device, g->positions, 0, g->set.slots, g->host_state));
    return ebm_slice_write(g->device, g->drawn, 0, g->set.slots, g->host_state);
}

// Goes on with what the last run began, or forgets it. Until this run is over there is nothing to go on with: a run
// that fails half way leaves slots in any state.
static ebm_status start_run(ebm_generator *g, work *w, bool allow_separator)
{
    const bool goes_on = g->begun > 0 && g->following_text == w->first_text && g->following_count >= w->prompts.count &&
                         g->begun <= w->prompts.count + w->following.count && g->separator == allow_separator;
    w->next = goes_on ? g->begun : 0;
    if (!goes_on) g->first_row = 0;
    g->separator = allow_separator;
    g->begun = g->waiting = 0;
    g->batch.sequences = g->batch.tokens = g->batch.longest = 0;
    return goes_on ? ebm_ok() : make_idle(g);
}

static ebm_status set_sampling(ebm_generator *g, ebm_sampling *sampling)
{
    const ebm_noise_roles roles = ebm_noise_model_roles(g->model);
    int32_t banned[BANNED] = {roles.mask, roles.start};
    size_t count = 2;
    // As many labels as there is room for; who takes the texts knows that a label is no word.
    for (size_t i = 0; i < roles.label_count && count < BANNED - 1; i++)
        banned[count++] = roles.first_label + (int32_t)i;
    if (!g->separator) banned[count++] = roles.separator;
    EBM_TRY(ebm_slice_write(g->device, g->banned, 0, count, banned));
    *sampling = (ebm_sampling){.temperature = g->set.temperature,
                               .top_k = g->set.top_k,
                               .seed = g->set.seed,
                               .banned = g->banned,
                               .banned_count = count};
    return ebm_ok();
}

// Again only where weights have changed since the last run.
static ebm_status take_embedding(ebm_generator *g)
{
    const uint64_t version = ebm_parameters_version(ebm_noise_model_parameters(g->model)) + 1;
    if (!g->screen || g->taken_version == version) return ebm_ok();
    g->taken_version = 0;
    EBM_TRY(ebm_screen_take(g->screen, ebm_decoder_output_embedding(ebm_noise_model_decoder(g->model))));
    g->taken_version = version;
    return ebm_ok();
}

// Whether a slot holds one of the run's `count` texts.
static bool any_unfinished(const ebm_generator *g, size_t count)
{
    for (size_t s = 0; s < g->set.slots; s++) {
        const size_t behind_first = ((size_t)g->host_rows[s] + ring_rows(g) - g->first_row) % ring_rows(g);
        if (g->host_state[s] >= 0 && behind_first < count) return true;
    }
    return false;
}

// Up to the end of the ring, then from its beginning.
static ebm_status take_texts(ebm_generator *g, size_t count)
{
    const size_t most = g->set.most_new, left = ring_rows(g) - g->first_row, first = count < left ? count : left;
    EBM_TRY(ebm_slice_copy(g->device, g->finished, 0, g->tokens, g->first_row * most, first * most));
    EBM_TRY(ebm_slice_copy(g->device, g->finished, first * most, g->tokens, 0, (count - first) * most));
    EBM_TRY(ebm_slice_read(g->device, g->lengths, g->first_row, first, g->host_lengths));
    return ebm_slice_read(g->device, g->lengths, 0, count - first, g->host_lengths + first);
}

static ebm_status end_run(ebm_generator *g, const work *w)
{
    const size_t count = w->prompts.count, most = g->set.most_new;
    EBM_TRY(take_texts(g, count));
    for (size_t i = 0; i < count; i++) g->sampled += g->host_lengths[i] >= 0 ? (uint64_t)g->host_lengths[i] + 1 : most;
    g->following_text = w->first_text + count;
    g->following_count = w->following.count;
    g->begun = w->next - count;
    g->first_row = (g->first_row + count) % ring_rows(g);
    return ebm_ok();
}

ebm_status ebm_generator_run(ebm_generator *g, ebm_prompts prompts, ebm_prompts following, uint64_t first_text,
                             bool allow_separator)
{
    if (prompts.count > g->set.block || following.count > g->set.ahead)
        return ebm_fail(EBM_ERROR_INPUT, "%zu texts at a time and %zu ahead, planned for %zu and %zu", prompts.count,
                        following.count, g->set.block, g->set.ahead);
    work w = {prompts, following, first_text, 0};
    ebm_sampling sampling;
    EBM_TRY(start_run(g, &w, allow_separator));
    EBM_TRY(set_sampling(g, &sampling));
    EBM_TRY(take_embedding(g));
    while (w.next < prompts.count || any_unfinished(g, prompts.count)) {
        EBM_TRY(refill(g, &w));
        for (int i = 0; i < EBM_GENERATOR_LOOK; i++) EBM_TRY(one_token(g, &sampling));
        EBM_TRY(ebm_slice_read(g->device, g->drawn, 0, g->set.slots, g->host_state));
    }
    return end_run(g, &w);
}
