#include <stdio.h>
#include <stdlib.h>

#include "kernel_benchmark_internal.h"
#include "launch.h"
#include "random.h"
#include "rotary.h"

static size_t largest(size_t a, size_t b) { return a > b ? a : b; }
static bool is_gpt2(const ebm_kernel_benchmark *b) { return b->config->family == EBM_FAMILY_GPT2; }

static size_t table_places(const ebm_kernel_benchmark *b)
{
    return b->config->family == EBM_FAMILY_MODERNBERT ? 0 : b->config->max_positions;
}

static void plan_tables(ebm_kernel_benchmark *b)
{
    const ebm_config *c = b->config;
    const size_t rotary = c->family == EBM_FAMILY_MODERNBERT ? b->set.sequence_length * ebm_config_head_size(c) : 0;
    ebm_arena_reserve(b->arena, &b->position, table_places(b) * c->embedding);
    ebm_arena_reserve(b->arena, &b->d_position, table_places(b) * c->embedding);
    ebm_arena_reserve(b->arena, &b->type, c->type_vocabulary * c->embedding);
    ebm_arena_reserve(b->arena, &b->d_type, c->type_vocabulary * c->embedding);
    ebm_arena_reserve(b->arena, &b->table, rotary);
}

static void plan_batch(ebm_kernel_benchmark *b)
{
    ebm_arena_reserve(b->arena, &b->batch.ids, b->tokens);
    ebm_arena_reserve(b->arena, &b->batch.positions, b->tokens);
    ebm_arena_reserve(b->arena, &b->batch.types, b->config->type_vocabulary ? b->tokens : 0);
    ebm_arena_reserve(b->arena, &b->batch.starts, b->set.batch_size + 1);
}

static void plan_generation(ebm_kernel_benchmark *b)
{
    const ebm_config *c = b->config;
    const size_t slots = b->set.slots;
    ebm_arena_reserve(b->arena, &b->logits, largest(EBM_DECODER_LOSS_ROWS, slots) * c->vocabulary);
    ebm_arena_reserve(b->arena, &b->labels, EBM_DECODER_LOSS_ROWS);
    ebm_arena_reserve(b->arena, &b->loss, EBM_DECODER_LOSS_ROWS);
    ebm_arena_reserve(b->arena, &b->cache, slots * EBM_CACHED_TOKENS * 2 * c->hidden);
    ebm_arena_reserve(b->arena, &b->lengths, slots);
    ebm_arena_reserve(b->arena, &b->texts, slots);
    ebm_arena_reserve(b->arena, &b->next, slots);
}

static void plan(ebm_kernel_benchmark *b)
{
    const ebm_config *c = b->config;
    const size_t widest = largest(3 * c->hidden, 2 * c->intermediate);
    const size_t rows = is_gpt2(b) ? largest(b->tokens, b->set.slots) : b->tokens;
    ebm_slice *const wide[] = {&b->out, &b->out2, &b->a, &b->b, &b->c};
    ebm_slice *const columns[] = {&b->gain, &b->shift, &b->d_gain, &b->d_shift};
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++) ebm_arena_reserve(b->arena, wide[i], rows * widest);
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) ebm_arena_reserve(b->arena, columns[i], widest);
    ebm_arena_reserve(b->arena, &b->mean, b->tokens);
    ebm_arena_reserve(b->arena, &b->rstd, b->tokens);
    ebm_arena_reserve(b->arena, &b->lse, b->tokens * c->heads);
    ebm_arena_reserve(b->arena, &b->row_sums, b->tokens * c->heads);
    ebm_arena_reserve(b->arena, &b->column_scratch, 2 * EBM_COLUMN_SLABS * widest);
    plan_tables(b);
    plan_batch(b);
    if (is_gpt2(b)) plan_generation(b);
}

static ebm_status create_parameters(ebm_kernel_benchmark *b)
{
    const ebm_adamw adamw = {0.9, 0.999, 1e-8, 0.1, 1.0};
    const size_t words = b->config->vocabulary, width = b->config->embedding;
    b->parameters = ebm_parameters_create(b->device, true);
    if (!b->parameters) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for parameters");
    b->word = ebm_parameters_tensor(b->parameters, words * width, true);
    if (!b->word) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for parameters");
    ebm_parameters_name(b->parameters, b->word, 0, words, width, EBM_INIT_NORMAL, "word");
    return ebm_optimizer_create(b->device, b->parameters, &adamw, b->arena, &b->optimizer);
}

static ebm_status choose_operations(ebm_kernel_benchmark *b)
{
    b->operations = calloc(ebm_kernel_operation_count, sizeof *b->operations);
    if (!b->operations) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a benchmark");
    for (size_t i = 0; i < ebm_kernel_operation_count; i++)
        if (ebm_kernel_operations[i].applies(b)) b->operations[b->count++] = &ebm_kernel_operations[i];
    return ebm_ok();
}

static ebm_status create(ebm_kernel_benchmark *b)
{
    b->arena = ebm_arena_create(b->device, "tensors");
    b->starts = calloc(b->set.batch_size + 1, sizeof *b->starts);
    if (!b->arena || !b->starts) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a benchmark");
    EBM_TRY(create_parameters(b));
    plan(b);
    return choose_operations(b);
}

ebm_status ebm_kernel_benchmark_create(ebm_device *device, const ebm_config *config,
                                       const ebm_kernel_benchmark_settings *settings, ebm_kernel_benchmark **out)
{
    *out = NULL;
    if (settings->sequence_length > ebm_config_max_tokens(config))
        return ebm_fail(EBM_ERROR_INPUT, "texts of %zu tokens, but the model has positions for %zu",
                        settings->sequence_length, ebm_config_max_tokens(config));
    ebm_kernel_benchmark *b = calloc(1, sizeof *b);
    if (!b) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a benchmark");
    b->device = device;
    b->config = config;
    b->set = *settings;
    b->tokens = settings->batch_size * settings->sequence_length;
    const ebm_status status = create(b);
    if (status.code == EBM_OK)
        *out = b;
    else
        ebm_kernel_benchmark_free(b);
    return status;
}

void ebm_kernel_benchmark_free(ebm_kernel_benchmark *b)
{
    if (!b) return;
    ebm_optimizer_free(b->optimizer);
    ebm_parameters_free(b->parameters);
    ebm_arena_free(b->arena);
    free(b->operations);
    free(b->starts);
    free(b);
}

size_t ebm_kernel_benchmark_arenas(ebm_kernel_benchmark *b, ebm_arena *arenas[EBM_KERNEL_BENCHMARK_ARENAS])
{
    const size_t count = ebm_parameters_arenas(b->parameters, arenas);
    arenas[count] = b->arena;
    return count + 1;
}

// Floats in [-1, 1), or int32 from `first` on: `below` random ones, `step` > 0: counted up to `below`, then again.
typedef struct {
    int32_t first;
    uint32_t below, step;
} integers;

static ebm_status fill(ebm_kernel_benchmark *b, ebm_slice slice, const integers *whole)
{
    if (slice.count == 0) return ebm_ok();
    float *floats = malloc(slice.count * sizeof *floats);
    int32_t *numbers = malloc(slice.count * sizeof *numbers);
    ebm_random random = ebm_random_stream(b->set.seed, 2, EBM_SITE_BENCHMARK);
    ebm_status status = ebm_fail(EBM_ERROR_MEMORY, "no host memory for %zu values", slice.count);
    for (size_t i = 0; i < slice.count && floats && numbers; i++)
        if (!whole)
            floats[i] = (float)(2 * ebm_random_uniform(&random) - 1);
        else if (whole->step)
            numbers[i] = whole->first + (int32_t)(i * whole->step % whole->below);
        else
            numbers[i] = whole->first + (int32_t)ebm_random_below(&random, whole->below);
    if (floats && numbers)
        status = ebm_slice_write(b->device, slice, 0, slice.count, whole ? (const void *)numbers : floats);
    free(floats);
    free(numbers);
    return status;
}

static ebm_status fill_batch(ebm_kernel_benchmark *b)
{
    const ebm_config *c = b->config;
    const size_t count = b->set.batch_size, length = b->set.sequence_length;
    for (size_t i = 0; i <= count; i++) b->starts[i] = (int32_t)(i * length);
    EBM_TRY(fill(b, b->batch.ids, &(integers){0, (uint32_t)c->vocabulary, 0}));
    EBM_TRY(fill(b, b->batch.positions, &(integers){(int32_t)c->position_offset, (uint32_t)length, 1}));
    EBM_TRY(fill(b, b->batch.types, &(integers){0, (uint32_t)c->type_vocabulary, 0}));
    EBM_TRY(ebm_slice_write(b->device, b->batch.starts, 0, count + 1, b->starts));
    b->batch.sequences = count;
    b->batch.tokens = b->tokens;
    b->batch.longest = length;
    b->batch.host_starts = b->starts;
    return ebm_ok();
}

static ebm_status fill_table(ebm_kernel_benchmark *b)
{
    if (b->table.count == 0) return ebm_ok();
    float *values = malloc(b->table.count * sizeof *values);
    if (!values) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for %zu angles", b->table.count);
    ebm_rotary_table(values, b->set.sequence_length, ebm_config_head_size(b->config), b->config->global_theta);
    const ebm_status status = ebm_slice_write(b->device, b->table, 0, b->table.count, values);
    free(values);
    return status;
}

static ebm_status fill_generation(ebm_kernel_benchmark *b)
{
    if (!is_gpt2(b)) return ebm_ok();
    EBM_TRY(fill(b, b->logits, NULL));
    EBM_TRY(fill(b, b->cache, NULL));
    EBM_TRY(fill(b, b->labels, &(integers){0, (uint32_t)b->config->vocabulary, 0}));
    EBM_TRY(fill(b, b->texts, &(integers){0, (uint32_t)b->set.slots, 1}));
    return fill(b, b->lengths, &(integers){EBM_CACHED_TOKENS - 1, 1, 0});
}

ebm_status ebm_kernel_benchmark_allocate(ebm_kernel_benchmark *b)
{
    EBM_TRY(ebm_parameters_allocate(b->parameters));
    EBM_TRY(ebm_arena_allocate(b->arena));
    const ebm_slice random[] = {b->a,    b->b,     b->c,        b->mean, b->rstd,         b->lse,
                                b->gain, b->shift, b->position, b->type, b->word->weight, b->word->gradient};
    for (size_t i = 0; i < sizeof random / sizeof *random; i++) EBM_TRY(fill(b, random[i], NULL));
    EBM_TRY(fill_batch(b));
    EBM_TRY(fill_table(b));
    return fill_generation(b);
}

size_t ebm_kernel_benchmark_count(const ebm_kernel_benchmark *b) { return b->count; }

void ebm_kernel_benchmark_name(const ebm_kernel_benchmark *b, size_t index, char *text, size_t size)
{
    const ebm_kernel_operation *o = b->operations[index];
    const float dropout = o->dropout ? o->dropout(b) : 0;
    char drops[32] = "";
    if (dropout > 0) snprintf(drops, sizeof drops, ", dropout %g", (double)dropout);
    if (o->columns)
        snprintf(text, size, "%s, %zu x %zu%s", o->name, o->rows(b), o->columns(b), drops);
    else
        snprintf(text, size, "%s, %zu x %zu, %zu heads of %zu%s", o->name, b->set.batch_size, b->set.sequence_length,
                 b->config->heads, ebm_config_head_size(b->config), drops);
}

// What the launches of one run state.
static ebm_status count_cost(ebm_kernel_benchmark *b, const ebm_kernel_operation *o, ebm_measured *measured)
{
    ebm_profile_row *rows = NULL;
    size_t count = 0;
    ebm_profile_enable(b->device, true);
    ebm_status status = o->run(b);
    if (status.code == EBM_OK) status = ebm_profile_rows(b->device, &rows, &count);
    ebm_profile_enable(b->device, false);
    measured->flops = measured->bytes = 0;
    for (size_t i = 0; i < count; i++) {
        measured->flops += rows[i].flops;
        measured->bytes += rows[i].bytes;
    }
    if (o->bytes) measured->bytes = o->bytes(b);
    free(rows);
    return status;
}

ebm_status ebm_kernel_benchmark_measure(ebm_kernel_benchmark *b, size_t index, const ebm_timing_plan *plan,
                                        ebm_measured *measured)
{
    const ebm_kernel_operation *o = b->operations[index];
    EBM_TRY(count_cost(b, o, measured));
    return ebm_timing_measure(b->device, o->run, b, plan, &measured->seconds);
}
