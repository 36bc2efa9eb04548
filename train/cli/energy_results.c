#include "energy_results.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const QUANTILES[EBM_ENERGY_QUANTILES] = {"min", "q05", "q25", "median", "q75", "q95", "max"};

// ---- the ends of a set

typedef struct {
    double energy;
    size_t place;
} placed;

static int compare_placed(const void *left, const void *right)
{
    const placed *a = left, *b = right;
    if (a->energy != b->energy) return a->energy < b->energy ? -1 : 1;
    return (a->place > b->place) - (a->place < b->place);
}

ebm_status energy_extremes(const energy_texts *texts, size_t examples, size_t **lowest, size_t **highest, size_t *found)
{
    const size_t n = texts->count, take = examples < n ? examples : n;
    placed *all = calloc(n + 1, sizeof *all);
    *lowest = calloc(take + 1, sizeof **lowest);
    *highest = calloc(take + 1, sizeof **highest);
    *found = take;
    if (!all || !*lowest || !*highest) {
        free(all);
        free(*lowest);
        free(*highest);
        return ebm_fail(EBM_ERROR_MEMORY, "no memory for the order of %zu texts", n);
    }
    for (size_t i = 0; i < n; i++) all[i] = (placed){texts->energy[i], i};
    qsort(all, n, sizeof *all, compare_placed);
    for (size_t i = 0; i < take; i++) {
        (*lowest)[i] = all[i].place;
        (*highest)[i] = all[n - take + i].place;
    }
    free(all);
    return ebm_ok();
}

// ---- as text

static void print_interval(ebm_interval interval)
{
    if (isnan(interval.low)) return;
    printf(" [%.3f, %.3f]", interval.low, interval.high);
}

static void print_number(double value)
{
    if (isnan(value))
        printf(" undefined");
    else
        printf(" %.3f", value);
}

static void print_summaries(const energy_results *r)
{
    printf("%s, %s, K = %g\n\n", r->model, r->energy, r->ratio);
    printf("%-24s %7s %8s %7s %8s %8s %8s %8s\n", "energies", "texts", "mean", "sd", "5 %", "median", "95 %",
           "P(data)");
    for (size_t s = 0; s < r->count; s++) {
        const energy_set *set = &r->sets[s];
        const double *q = set->summary.quantile;
        printf("%-24s %7zu %8.3f %7.3f %8.3f %8.3f %8.3f %8.3f\n", set->texts.name, set->texts.count, set->summary.mean,
               set->summary.deviation, q[1], q[3], q[5], set->posterior);
    }
}

static ebm_status print_histograms(const energy_results *r)
{
    ebm_energy_set *sets = calloc(r->count, sizeof *sets);
    if (!sets) return ebm_fail(EBM_ERROR_MEMORY, "no memory for histograms");
    for (size_t s = 0; s < r->count; s++)
        sets[s] = (ebm_energy_set){r->sets[s].texts.name, r->sets[s].texts.energy, r->sets[s].texts.count};
    printf("\nhistograms: lower edge of a bin of %g, texts, share\n", r->bins.width);
    const ebm_status status = ebm_energy_histogram_print(stdout, &r->bins, sets, r->count);
    free(sets);
    return status;
}

static void print_correlations(const energy_results *r)
{
    printf("\nenergy against entropy of p(y | x)\n");
    for (size_t s = 0; s < r->count; s++) {
        const ebm_correlation *c = &r->sets[s].with_entropy;
        printf("%-24s Pearson", r->sets[s].texts.name);
        print_number(c->pearson);
        print_interval(c->pearson_interval);
        printf("  Spearman");
        print_number(c->spearman);
        print_interval(c->spearman_interval);
        putchar('\n');
    }
}

static void print_detection(const energy_results *r)
{
    if (r->count < 2) return;
    printf("\n%-24s %-16s %7s %11s %12s %9s\n", "told apart from data", "by", "AUROC", "AUPR (data)", "AUPR (other)",
           "FPR at 95");
    for (size_t s = 1; s < r->count; s++)
        for (size_t k = 0; k < ENERGY_SCORES; k++) {
            const ebm_detection *d = &r->sets[s].from_data[k];
            printf("%-24s %-16s %7.3f %11.3f %12.3f %9.3f\n", r->sets[s].texts.name, energy_score_names[k], d->auroc,
                   d->aupr_in, d->aupr_out, d->fpr_at_95_tpr);
        }
}

static void print_weights(const energy_results *r)
{
    const ebm_importance *w = &r->weights;
    printf("\nnoise weighted by exp(-E): Z %.4g, ln Z %.3f", w->z, w->log_z);
    print_interval(w->log_z_interval);
    printf(", effective sample size %.1f (%.1f %%), largest weight %.2f %% of all\n", w->effective,
           100 * w->effective_share, 100 * w->largest_share);
}

static void print_rejection(const energy_results *r)
{
    const energy_accepted *a = &r->accepted;
    printf("\nquasi-rejection\n%10s %9s %10s %8s %8s %8s %10s %10s\n", "beta", "accepted", "acceptance", "TV",
           "KL(p|r)", "KL(r|p)", "p above", "effective");
    for (size_t b = 0; b < r->betas; b++) {
        const ebm_rejection *j = &r->rejections[b];
        printf("%10.4g %9zu %10.4f %8.4f %8.4f %8.4f %10.4f %10.4f\n", j->beta, r->accepted_at[b], j->acceptance,
               j->total_variation, j->kl, j->reverse_kl, j->above, j->effective_share);
    }
    printf("accepted at beta %.4g: %zu of %zu", a->beta, a->count, r->sets[1].texts.count);
    if (a->count)
        printf(", mean energy %.3f, E < 0 %.3f, P(data) %.3f, AUROC against data %.3f (noise %.3f)", a->mean_energy,
               a->taken_for_data, a->posterior, a->from_data.auroc, r->sets[1].from_data[ENERGY_SCORE].auroc);
    putchar('\n');
}

static void print_perplexity(const char *name, const ebm_perplexity *p)
{
    printf("%-24s %10.2f", name, p->perplexity);
    print_interval(p->interval);
    printf("  %.1f tokens a text\n", p->tokens_a_text);
}

static void print_judge(const energy_results *r)
{
    if (!r->sets[0].is_judged) return;
    printf("\nperplexity under the judge\n");
    for (size_t s = 0; s < r->count; s++) print_perplexity(r->sets[s].texts.name, &r->sets[s].perplexity);
    if (r->accepted.is_judged) print_perplexity("accepted noise", &r->accepted.perplexity);
}

static void print_text(const energy_texts *texts, size_t place)
{
    const ebm_row row = ebm_dataset_row(texts->texts, place);
    printf("%10.3f  %s%s%s\n", texts->energy[place], row.text_a, row.text_b ? EBM_PAIR_SEPARATOR : "",
           row.text_b ? row.text_b : "");
}

static ebm_status print_examples(const energy_results *r)
{
    for (size_t s = 0; s < r->count && r->examples; s++) {
        const energy_texts *texts = &r->sets[s].texts;
        size_t *lowest, *highest, found;
        EBM_TRY(energy_extremes(texts, r->examples, &lowest, &highest, &found));
        printf("\n%s, lowest and highest\n", texts->name);
        for (size_t i = 0; i < found; i++) print_text(texts, lowest[i]);
        printf("%10s\n", "...");
        for (size_t i = 0; i < found; i++) print_text(texts, highest[i]);
        free(lowest);
        free(highest);
    }
    return ebm_ok();
}

ebm_status energy_results_print(const energy_results *r)
{
    print_summaries(r);
    EBM_TRY(print_histograms(r));
    print_correlations(r);
    print_detection(r);
    if (r->has_noise) {
        print_weights(r);
        print_rejection(r);
    }
    print_judge(r);
    return print_examples(r);
}

// ---- as JSON

static void put(json_t *object, const char *key, json_t *value) { json_object_set_new(object, key, value); }
static void append(json_t *array, json_t *value) { json_array_append_new(array, value); }

// JSON has no NaN.
static json_t *real(double value) { return isfinite(value) ? json_real(value) : json_null(); }

static void put_interval(json_t *object, const char *key, ebm_interval interval)
{
    json_t *pair = json_array();
    if (isnan(interval.low)) {
        json_decref(pair);
        return;
    }
    append(pair, real(interval.low));
    append(pair, real(interval.high));
    put(object, key, pair);
}

static json_t *examples_of(const energy_texts *texts, const size_t *places, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        const ebm_row row = ebm_dataset_row(texts->texts, places[i]);
        json_t *example = json_object();
        put(example, "energy", real(texts->energy[places[i]]));
        put(example, "text", json_string(row.text_a));
        if (row.text_b) put(example, "text_pair", json_string(row.text_b));
        append(list, example);
    }
    return list;
}

static void put_examples(json_t *object, const energy_results *r, const energy_texts *texts)
{
    size_t *lowest, *highest, found;
    if (r->examples == 0) return;
    if (energy_extremes(texts, r->examples, &lowest, &highest, &found).code != EBM_OK) return;
    put(object, "lowest", examples_of(texts, lowest, found));
    put(object, "highest", examples_of(texts, highest, found));
    free(lowest);
    free(highest);
}

static json_t *detection_object(const ebm_detection *d)
{
    json_t *object = json_object();
    put(object, "auroc", real(d->auroc));
    put(object, "aupr_in", real(d->aupr_in));
    put(object, "aupr_out", real(d->aupr_out));
    put(object, "fpr_at_95_tpr", real(d->fpr_at_95_tpr));
    return object;
}

static json_t *perplexity_object(const ebm_perplexity *p)
{
    json_t *object = json_object();
    put(object, "perplexity", real(p->perplexity));
    put_interval(object, "interval", p->interval);
    put(object, "tokens_a_text", real(p->tokens_a_text));
    return object;
}

static json_t *counts_of(const energy_results *r, const energy_texts *texts)
{
    json_t *list = json_array();
    size_t *count = calloc(r->bins.count, sizeof *count);
    if (count) ebm_energy_histogram(&r->bins, texts->energy, texts->count, count);
    for (size_t b = 0; count && b < r->bins.count; b++) append(list, json_integer((json_int_t)count[b]));
    free(count);
    return list;
}

static json_t *set_object(const energy_results *r, size_t index)
{
    const energy_set *set = &r->sets[index];
    json_t *object = json_object(), *quantiles = json_object(), *entropy = json_object();
    put(object, "name", json_string(set->texts.name));
    put(object, "texts", json_integer((json_int_t)set->texts.count));
    put(object, "mean", real(set->summary.mean));
    put(object, "sd", real(set->summary.deviation));
    for (size_t q = 0; q < EBM_ENERGY_QUANTILES; q++) put(quantiles, QUANTILES[q], real(set->summary.quantile[q]));
    put(object, "quantiles", quantiles);
    put(object, "counts", counts_of(r, &set->texts));
    put(object, "posterior", real(set->posterior));
    put(entropy, "pearson", real(set->with_entropy.pearson));
    put_interval(entropy, "pearson_interval", set->with_entropy.pearson_interval);
    put(entropy, "spearman", real(set->with_entropy.spearman));
    put_interval(entropy, "spearman_interval", set->with_entropy.spearman_interval);
    put(object, "entropy", entropy);
    if (index > 0) {
        json_t *apart = json_object();
        for (size_t k = 0; k < ENERGY_SCORES; k++)
            put(apart, energy_score_names[k], detection_object(&set->from_data[k]));
        put(object, "told_apart", apart);
    }
    if (set->is_judged) put(object, "judge", perplexity_object(&set->perplexity));
    put_examples(object, r, &set->texts);
    return object;
}

static json_t *weights_object(const energy_results *r)
{
    const ebm_importance *w = &r->weights;
    json_t *object = json_object();
    put(object, "z", real(w->z));
    put(object, "log_z", real(w->log_z));
    put_interval(object, "log_z_interval", w->log_z_interval);
    put(object, "effective_sample_size", real(w->effective));
    put(object, "effective_sample_share", real(w->effective_share));
    put(object, "largest_share", real(w->largest_share));
    return object;
}

static json_t *rejections_list(const energy_results *r)
{
    json_t *list = json_array();
    for (size_t b = 0; b < r->betas; b++) {
        const ebm_rejection *j = &r->rejections[b];
        json_t *object = json_object();
        put(object, "beta", real(j->beta));
        put(object, "accepted", json_integer((json_int_t)r->accepted_at[b]));
        put(object, "acceptance", real(j->acceptance));
        put(object, "total_variation", real(j->total_variation));
        put(object, "kl", real(j->kl));
        put(object, "reverse_kl", real(j->reverse_kl));
        put(object, "above", real(j->above));
        put(object, "effective_sample_share", real(j->effective_share));
        append(list, object);
    }
    return list;
}

static json_t *accepted_object(const energy_results *r)
{
    const energy_accepted *a = &r->accepted;
    json_t *object = json_object();
    put(object, "beta", real(a->beta));
    put(object, "texts", json_integer((json_int_t)a->count));
    if (a->count == 0) return object;
    put(object, "mean", real(a->mean_energy));
    put(object, "taken_for_data", real(a->taken_for_data));
    put(object, "posterior", real(a->posterior));
    put(object, "told_apart", detection_object(&a->from_data));
    if (a->is_judged) put(object, "judge", perplexity_object(&a->perplexity));
    return object;
}

json_t *energy_results_object(const energy_results *r)
{
    json_t *object = json_object(), *edges = json_array(), *sets = json_array();
    for (size_t b = 0; b <= r->bins.count; b++) append(edges, real(ebm_energy_bin_edge(&r->bins, b)));
    for (size_t s = 0; s < r->count; s++) append(sets, set_object(r, s));
    put(object, "model_name_or_path", json_string(r->model));
    put(object, "energy", json_string(r->energy));
    put(object, "noise_ratio", real(r->ratio));
    put(object, "edges", edges);
    put(object, "sets", sets);
    if (r->has_noise) {
        put(object, "weights", weights_object(r));
        put(object, "rejection", rejections_list(r));
        put(object, "accepted", accepted_object(r));
    }
    return object;
}
