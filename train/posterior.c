#include "posterior.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct ebm_posterior {
    size_t labels, bins, windows, cells; // cells = labels x bins
    uint64_t steps_per_epoch, steps;     // steps: of this epoch
    size_t window;                       // being filled
    uint32_t *counts, *hits;             // windows x cells
    float *table;
};

static void fill_table(ebm_posterior *p)
{
    for (size_t c = 0; c < p->cells; c++) {
        double count = 0, hits = 0;
        for (size_t w = 0; w < p->windows; w++) {
            count += p->counts[w * p->cells + c];
            hits += p->hits[w * p->cells + c];
        }
        p->table[c] = count > 0 ? (float)(hits / count) : 0.0f;
    }
}

ebm_status ebm_posterior_create(size_t labels, size_t bins, size_t updates, uint64_t steps_per_epoch,
                                ebm_posterior **out)
{
    *out = NULL;
    if (labels < 1 || bins < 1 || updates < 1 || steps_per_epoch < 1)
        return ebm_fail(EBM_ERROR_INPUT,
                        "posterior: labels, bins, updates and steps must be at least 1, found %zu, %zu, %zu, %" PRIu64,
                        labels, bins, updates, steps_per_epoch);
    ebm_posterior *p = calloc(1, sizeof *p);
    if (!p) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a posterior");
    p->labels = labels;
    p->bins = bins;
    p->windows = updates < steps_per_epoch ? updates : (size_t)steps_per_epoch;
    p->cells = labels * bins;
    p->steps_per_epoch = steps_per_epoch;
    p->counts = calloc(p->windows * p->cells, sizeof *p->counts);
    p->hits = calloc(p->windows * p->cells, sizeof *p->hits);
    p->table = calloc(p->cells, sizeof *p->table);
    if (!p->counts || !p->hits || !p->table) {
        ebm_posterior_free(p);
        return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a posterior");
    }
    fill_table(p);
    *out = p;
    return ebm_ok();
}

void ebm_posterior_free(ebm_posterior *p)
{
    if (!p) return;
    free(p->counts);
    free(p->hits);
    free(p->table);
    free(p);
}

// Probabilities in float as the kernel computes them; at an edge of two bins either may be meant.
static void add_row(ebm_posterior *p, const float *logits, int32_t label)
{
    float most = logits[0], sum = 0;
    for (size_t y = 1; y < p->labels; y++) most = fmaxf(most, logits[y]);
    for (size_t y = 0; y < p->labels; y++) sum += expf(logits[y] - most);
    for (size_t y = 0; y < p->labels; y++) {
        const float probability = expf(logits[y] - most) / sum;
        size_t bin = (size_t)(probability * (float)p->bins);
        if (bin >= p->bins) bin = p->bins - 1;
        const size_t cell = p->window * p->cells + y * p->bins + bin;
        p->counts[cell]++;
        p->hits[cell] += (size_t)label == y;
    }
}

void ebm_posterior_add(ebm_posterior *p, const float *logits, const int32_t *label, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool finite = true; // a step with other logits fails by its loss
        for (size_t y = 0; y < p->labels; y++) finite = finite && isfinite(logits[i * p->labels + y]);
        if (finite) add_row(p, logits + i * p->labels, label[i]);
    }
}

bool ebm_posterior_step(ebm_posterior *p)
{
    const uint64_t before = p->steps * p->windows / p->steps_per_epoch;
    const bool is_due = ++p->steps * p->windows / p->steps_per_epoch > before;
    p->steps %= p->steps_per_epoch;
    if (!is_due) return false;
    fill_table(p);
    p->window = (p->window + 1) % p->windows;
    memset(p->counts + p->window * p->cells, 0, p->cells * sizeof *p->counts);
    memset(p->hits + p->window * p->cells, 0, p->cells * sizeof *p->hits);
    return true;
}

const float *ebm_posterior_table(const ebm_posterior *p) { return p->table; }

// ---- checkpoints

static json_t *list_of(const uint32_t *numbers, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < count; i++)
        if (json_array_append_new(list, json_integer(numbers[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

// The table is that of the last update; its window has been emptied since, so it is kept itself.
static json_t *table_of(const ebm_posterior *p)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < p->cells; i++) json_array_append_new(list, json_real((double)p->table[i]));
    return list;
}

json_t *ebm_posterior_json(const ebm_posterior *p)
{
    const size_t count = p->windows * p->cells;
    return json_pack("{s:I s:I s:o s:o s:o}", "steps", (json_int_t)p->steps, "window", (json_int_t)p->window, "counts",
                     list_of(p->counts, count), "hits", list_of(p->hits, count), "table", table_of(p));
}

static bool read_list(const json_t *list, uint32_t *numbers, size_t count)
{
    if (json_array_size(list) != count) return false;
    for (size_t i = 0; i < count; i++) {
        const json_t *number = json_array_get(list, i);
        const json_int_t value = json_integer_value(number);
        if (!json_is_integer(number) || value < 0 || value > UINT32_MAX) return false;
        numbers[i] = (uint32_t)value;
    }
    return true;
}

static bool read_table(const json_t *list, float *table, size_t count)
{
    if (json_array_size(list) != count) return false;
    for (size_t i = 0; i < count; i++) {
        const double value = json_number_value(json_array_get(list, i));
        if (!json_is_number(json_array_get(list, i)) || !(value >= 0 && value <= 1)) return false;
        table[i] = (float)value;
    }
    return true;
}

ebm_status ebm_posterior_restore(ebm_posterior *p, const json_t *state)
{
    const size_t count = p->windows * p->cells;
    const json_int_t steps = json_integer_value(json_object_get(state, "steps"));
    const json_int_t window = json_integer_value(json_object_get(state, "window"));
    const bool sound = steps >= 0 && (uint64_t)steps < p->steps_per_epoch && window >= 0 &&
                       (size_t)window < p->windows && read_list(json_object_get(state, "counts"), p->counts, count) &&
                       read_list(json_object_get(state, "hits"), p->hits, count) &&
                       read_table(json_object_get(state, "table"), p->table, p->cells);
    if (!sound) return ebm_fail(EBM_ERROR_INPUT, "\"posterior\" is not one of %zu labels", p->labels);
    p->steps = (uint64_t)steps;
    p->window = (size_t)window;
    return ebm_ok();
}
