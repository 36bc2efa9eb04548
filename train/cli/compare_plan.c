#include "compare_plan.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare_methods.h"
#include "file.h"
#include "options.h"
#include "program.h"

enum { MOST_VARIANTS = 1000, MOST_SPEC = 1 << 24 };

// He et al. 2021, appendix, as METHOD section 4 has it: RoBERTa-base.
static const struct {
    const char *task;
    int steps, warmup, batch;
    double rate;
} PAPER[] = {
    {"sst2", 5233, 314, 32, 2e-5},   {"qnli", 8278, 496, 32, 2e-5}, {"qqp", 28318, 7079, 32, 2e-5},
    {"mnli", 30968, 1858, 32, 2e-5}, {"mrpc", 2296, 137, 16, 1e-5}, {"cola", 5536, 320, 16, 1e-5},
    {"rte", 2036, 122, 16, 2e-5},    {"wnli", 250, 10, 16, 1e-5},
};

#define KEYS(...) ((const char *const[]){__VA_ARGS__}), sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)

static ebm_status no_memory(void) { return ebm_fail(EBM_ERROR_MEMORY, "no memory for a comparison"); }

static ebm_status check_keys(const char *where, json_t *object, const char *const *keys, size_t count)
{
    const char *key;
    json_t *value;
    if (!json_is_object(object)) return ebm_fail(EBM_ERROR_INPUT, "%s: an object expected", where);
    json_object_foreach(object, key, value)
    {
        bool known = false;
        for (size_t i = 0; i < count; i++) known = known || strcmp(key, keys[i]) == 0;
        if (!known)
            return ebm_fail(EBM_ERROR_INPUT, "%s: unknown key '%.60s'; did you mean '%s'?", where, key,
                            ebm_nearest_name(key, keys, count));
    }
    return ebm_ok();
}

static ebm_status check_object(const char *where, json_t *holder, const char *key)
{
    json_t *value = json_object_get(holder, key);
    if (!value || json_is_object(value)) return ebm_ok();
    return ebm_fail(EBM_ERROR_INPUT, "%s: '%s' must be an object of options", where, key);
}

static ebm_status check_seeds(const char *where, json_t *holder)
{
    json_t *seeds = json_object_get(holder, "seeds");
    if (!seeds) return ebm_ok();
    if (!json_is_array(seeds) || json_array_size(seeds) == 0)
        return ebm_fail(EBM_ERROR_INPUT, "%s: 'seeds' must be a list of numbers from 0 on", where);
    for (size_t i = 0; i < json_array_size(seeds); i++) {
        json_t *seed = json_array_get(seeds, i);
        if (!json_is_integer(seed) || json_integer_value(seed) < 0)
            return ebm_fail(EBM_ERROR_INPUT, "%s: 'seeds' must be a list of numbers from 0 on", where);
        for (size_t j = 0; j < i; j++)
            if (json_integer_value(json_array_get(seeds, j)) == json_integer_value(seed))
                return ebm_fail(EBM_ERROR_INPUT, "%s: seed %lld is there twice", where,
                                (long long)json_integer_value(seed));
    }
    return ebm_ok();
}

static ebm_status positive(const char *where, json_t *value, double *out)
{
    const double number = json_number_value(value);
    if (!json_is_number(value) || !(number > 0 && number <= 1e6))
        return ebm_fail(EBM_ERROR_INPUT, "%s: 'scale' must be a number above 0", where);
    *out = number;
    return ebm_ok();
}

static ebm_status name_of(const char *where, json_t *object, const char **name)
{
    *name = json_string_value(json_object_get(object, "name"));
    if (!*name || !**name || strlen(*name) > 60)
        return ebm_fail(EBM_ERROR_INPUT, "%s: a 'name' of at most 60 bytes expected", where);
    return ebm_ok();
}

void compare_folder(const char *name, char *folder, size_t size)
{
    size_t at = 0;
    for (; *name && at + 1 < size; name++) {
        const bool kept = isalnum((unsigned char)*name) || strchr("=_-", *name) || (*name == '.' && at > 0);
        folder[at++] = (char)(kept ? *name : '-');
    }
    folder[at] = 0;
}

// ---- tasks

static ebm_status check_noise(const char *where, json_t *noise)
{
    const bool trained = json_object_get(noise, "options") != NULL;
    const bool model = json_object_get(noise, "noise_model") != NULL,
               file = json_object_get(noise, "noise_file") != NULL;
    EBM_TRY(check_keys(where, noise, KEYS("name", "options", "sample", "noise_model", "noise_file")));
    EBM_TRY(check_object(where, noise, "options"));
    EBM_TRY(check_object(where, noise, "sample"));
    if (trained + model + file != 1)
        return ebm_fail(EBM_ERROR_INPUT, "%s: one of 'options', 'noise_model' and 'noise_file' expected", where);
    if (file && json_object_get(noise, "sample"))
        return ebm_fail(EBM_ERROR_INPUT, "%s: 'sample' needs a noise model, a 'noise_file' has its samples", where);
    if ((model && !json_is_string(json_object_get(noise, "noise_model"))) ||
        (file && !json_is_string(json_object_get(noise, "noise_file"))))
        return ebm_fail(EBM_ERROR_INPUT, "%s: a path expected", where);
    return ebm_ok();
}

static ebm_status check_all_noise(const char *where, json_t *spec)
{
    json_t *noise = json_object_get(spec, "noise");
    char place[400];
    if (!noise) return ebm_ok();
    if (!json_is_array(noise)) {
        snprintf(place, sizeof place, "%.300s, noise", where);
        return check_noise(place, noise);
    }
    for (size_t i = 0; i < json_array_size(noise); i++) {
        const char *name;
        snprintf(place, sizeof place, "%.300s, noise %zu", where, i + 1);
        EBM_TRY(check_noise(place, json_array_get(noise, i)));
        EBM_TRY(name_of(place, json_array_get(noise, i), &name));
    }
    return ebm_ok();
}

static ebm_status check_ood(const char *where, json_t *spec)
{
    json_t *ood = json_object_get(spec, "ood");
    if (ood && !json_is_array(ood)) return ebm_fail(EBM_ERROR_INPUT, "%s: 'ood' must be a list", where);
    for (size_t i = 0; i < json_array_size(ood); i++) {
        json_t *set = json_array_get(ood, i);
        char place[400];
        const char *name;
        snprintf(place, sizeof place, "%.300s, ood %zu", where, i + 1);
        EBM_TRY(check_keys(place, set, KEYS("name", "test_file", "text_column", "text_pair_column", "skip_malformed")));
        EBM_TRY(name_of(place, set, &name));
        if (!json_is_string(json_object_get(set, "test_file")))
            return ebm_fail(EBM_ERROR_INPUT, "%s: 'test_file' expected", place);
    }
    return ebm_ok();
}

static ebm_status check_annotators(const char *where, json_t *spec)
{
    json_t *columns = json_object_get(spec, "annotator_columns");
    bool strings = !columns || (json_is_array(columns) && json_array_size(columns) > 0);
    for (size_t i = 0; strings && i < json_array_size(columns); i++)
        strings = json_is_string(json_array_get(columns, i));
    return strings ? ebm_ok()
                   : ebm_fail(EBM_ERROR_INPUT, "%s: 'annotator_columns' must be a list of names of columns", where);
}

static ebm_status read_task(const char *where, json_t *spec, compare_task *task)
{
    EBM_TRY(check_keys(where, spec,
                       KEYS("name", "task_name", "data_dir", "train_file", "validation_file", "text_column",
                            "text_pair_column", "label_column", "skip_malformed", "annotator_columns", "options",
                            "noise", "ood", "seeds")));
    EBM_TRY(name_of(where, spec, &task->name));
    EBM_TRY(check_object(where, spec, "options"));
    EBM_TRY(check_seeds(where, spec));
    EBM_TRY(check_all_noise(where, spec));
    EBM_TRY(check_ood(where, spec));
    EBM_TRY(check_annotators(where, spec));
    const char *name = json_string_value(json_object_get(spec, "task_name"));
    if (name) EBM_TRY(ebm_in(ebm_task_find(name, &task->task), "%s", where));
    if (!name && !json_is_string(json_object_get(spec, "validation_file")))
        return ebm_fail(EBM_ERROR_INPUT,
                        "%s: 'task_name' with 'data_dir', or 'train_file' and 'validation_file' expected", where);
    task->spec = spec;
    compare_folder(task->name, task->folder, sizeof task->folder);
    return ebm_ok();
}

static ebm_status read_tasks(compare_plan *plan)
{
    json_t *tasks = json_object_get(plan->spec, "tasks");
    if (!json_is_array(tasks) || json_array_size(tasks) == 0)
        return ebm_fail(EBM_ERROR_INPUT, "%s: a list of 'tasks' expected", plan->path);
    plan->tasks = calloc(json_array_size(tasks), sizeof *plan->tasks);
    if (!plan->tasks) return no_memory();
    for (size_t i = 0; i < json_array_size(tasks); i++, plan->task_count++) {
        char where[300];
        snprintf(where, sizeof where, "%s: task %zu", plan->path, i + 1);
        EBM_TRY(read_task(where, json_array_get(tasks, i), plan->tasks + i));
        for (size_t j = 0; j < i; j++)
            if (strcmp(plan->tasks[j].folder, plan->tasks[i].folder) == 0)
                return ebm_fail(EBM_ERROR_INPUT, "%s: two tasks are named '%s'", plan->path, plan->tasks[i].name);
    }
    return ebm_ok();
}

// ---- methods

// A value as it stands in a variant's name.
static void value_text(const char *key, json_t *value, char *text, size_t size)
{
    char number[48];
    if (json_is_real(value))
        snprintf(number, sizeof number, "%g", json_real_value(value));
    else if (json_is_integer(value))
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
    else
        snprintf(number, sizeof number, "%s", json_is_true(value) ? "yes" : "no");
    if (json_is_string(value))
        snprintf(text, size, " %.40s", json_string_value(value));
    else
        snprintf(text, size, " %.40s=%s", strcmp(key, "noise_ratio") == 0 ? "K" : key, number);
}

static compare_variant *add_variant(compare_plan *plan, json_t *method, const char *name)
{
    compare_variant *more = realloc(plan->variants, (plan->variant_count + 1) * sizeof *more);
    if (!more) return NULL;
    plan->variants = more;
    compare_variant *v = more + plan->variant_count++;
    *v = (compare_variant){.method = method, .scale = 1};
    snprintf(v->name, sizeof v->name, "%s", name);
    compare_folder(name, v->folder, sizeof v->folder);
    return v;
}

// Sets one value of a dimension: an option, or scale or noise of the method itself.
static ebm_status set_value(const char *where, compare_variant *v, const char *key, json_t *value, bool own)
{
    if (!own) return json_object_set(v->options, key, value) == 0 ? ebm_ok() : no_memory();
    if (strcmp(key, "scale") == 0) return positive(where, value, &v->scale);
    if (!json_is_string(value)) return ebm_fail(EBM_ERROR_INPUT, "%s: 'noise' must be a name or names", where);
    snprintf(v->noise, sizeof v->noise, "%s", json_string_value(value));
    return ebm_ok();
}

// Takes the first list among options, scale and noise apart; each value makes a variant, in which the next list is
// taken apart. Dimensions thus come in the order in which they are written.
typedef struct {
    json_t *method, *options;
    double scale;
    char noise[64], name[160];
} unfolding;

static ebm_status unfold(compare_plan *plan, const char *where, const unfolding *u);

static ebm_status unfold_list(compare_plan *plan, const char *where, const unfolding *u, const char *key, json_t *list,
                              bool own)
{
    if (json_array_size(list) == 0) return ebm_fail(EBM_ERROR_INPUT, "%s: '%s' is an empty list", where, key);
    for (size_t i = 0; i < json_array_size(list); i++) {
        unfolding one = *u;
        char text[100];
        compare_variant v = {.scale = u->scale};
        json_t *value = json_array_get(list, i);
        if (json_is_array(value) || json_is_object(value))
            return ebm_fail(EBM_ERROR_INPUT, "%s: '%s' holds a list or an object", where, key);
        v.options = one.options = json_copy(u->options);
        if (!one.options) return no_memory();
        snprintf(v.noise, sizeof v.noise, "%s", u->noise);
        ebm_status status = set_value(where, &v, key, value, own);
        one.scale = v.scale;
        snprintf(one.noise, sizeof one.noise, "%s", v.noise);
        value_text(key, value, text, sizeof text);
        const size_t used = strlen(one.name);
        snprintf(one.name + used, sizeof one.name - used, "%s", text);
        if (status.code == EBM_OK) status = unfold(plan, where, &one);
        json_decref(one.options);
        EBM_TRY(status);
    }
    return ebm_ok();
}

static ebm_status unfold(compare_plan *plan, const char *where, const unfolding *u)
{
    const char *key;
    json_t *value;
    json_object_foreach(u->options, key, value) if (json_is_array(value)) return unfold_list(plan, where, u, key, value,
                                                                                             false);
    if (plan->variant_count >= MOST_VARIANTS)
        return ebm_fail(EBM_ERROR_INPUT, "%s: more than %d methods", where, (int)MOST_VARIANTS);
    compare_variant *v = add_variant(plan, u->method, u->name);
    if (!v) return no_memory();
    v->options = json_incref(u->options);
    v->scale = u->scale;
    snprintf(v->noise, sizeof v->noise, "%s", u->noise);
    return ebm_ok();
}

// The method's own dimensions first: scale, then noise, then its options.
static ebm_status unfold_noise(compare_plan *plan, const char *where, unfolding u)
{
    json_t *noise = json_object_get(u.method, "noise");
    if (json_is_array(noise)) return unfold_list(plan, where, &u, "noise", noise, true);
    if (noise && !json_is_string(noise)) return ebm_fail(EBM_ERROR_INPUT, "%s: 'noise' must be a name or names", where);
    snprintf(u.noise, sizeof u.noise, "%s", noise ? json_string_value(noise) : "");
    return unfold(plan, where, &u);
}

static ebm_status read_trained(compare_plan *plan, const char *where, json_t *method, const char *name)
{
    unfolding u = {.method = method, .scale = 1};
    json_t *scale = json_object_get(method, "scale"), *options = json_object_get(method, "options");
    EBM_TRY(check_keys(where, method, KEYS("name", "options", "scale", "noise", "seeds", "tasks")));
    u.options = options ? json_copy(options) : json_object();
    ebm_status status = u.options ? ebm_ok() : no_memory();
    snprintf(u.name, sizeof u.name, "%s", name);
    for (size_t i = 0; status.code == EBM_OK && (json_is_array(scale) ? i < json_array_size(scale) : i < 1); i++) {
        unfolding one = u;
        json_t *value = json_is_array(scale) ? json_array_get(scale, i) : scale;
        if (value) status = positive(where, value, &one.scale);
        if (json_is_array(scale)) snprintf(one.name, sizeof one.name, "%s scale=%g", name, one.scale);
        if (status.code == EBM_OK) status = unfold_noise(plan, where, one);
    }
    json_decref(u.options);
    return status;
}

static ebm_status kind_of(const char *where, json_t *method, compare_kind *kind)
{
    json_t *stop = json_object_get(method, "stop"), *average = json_object_get(method, "average");
    json_t *predict = json_object_get(method, "predict");
    EBM_TRY(check_keys(where, method, KEYS("name", "of", "stop", "as", "average", "predict")));
    if ((stop != NULL) + (average != NULL) + (predict != NULL) != 1)
        return ebm_fail(EBM_ERROR_INPUT, "%s: with 'of' one of 'stop', 'average' and 'predict' expected", where);
    if (average && !json_is_true(average)) return ebm_fail(EBM_ERROR_INPUT, "%s: 'average' must be true", where);
    EBM_TRY(check_object(where, method, "predict"));
    *kind = average ? COMPARE_AVERAGED : COMPARE_PREDICTED;
    if (!stop) return ebm_ok();
    const char *by = json_string_value(stop);
    *kind = by && strcmp(by, "nll") == 0 ? COMPARE_STOPPED_BY_NLL : COMPARE_STOPPED_AT_CE;
    if (!by || (*kind == COMPARE_STOPPED_AT_CE && strcmp(by, "training_cross_entropy") != 0))
        return ebm_fail(EBM_ERROR_INPUT, "%s: 'stop' must be \"nll\" or \"training_cross_entropy\"", where);
    return ebm_ok();
}

static ebm_status find_variant(const compare_plan *plan, const char *where, const char *name, size_t count, size_t *at)
{
    for (*at = 0; *at < count; ++*at)
        if (strcmp(plan->variants[*at].name, name) == 0) break;
    if (*at < count && plan->variants[*at].kind == COMPARE_TRAINED) return ebm_ok();
    const char *names[MOST_VARIANTS];
    size_t known = 0;
    for (size_t i = 0; i < count; i++)
        if (plan->variants[i].kind == COMPARE_TRAINED) names[known++] = plan->variants[i].name;
    return ebm_fail(EBM_ERROR_INPUT, "%s: no trained method before it is named '%.60s'; did you mean '%s'?", where,
                    name, known ? ebm_nearest_name(name, names, known) : "none");
}

// `of` names a method, and stands for all its variants, or one variant.
static ebm_status read_derived(compare_plan *plan, const char *where, json_t *method, const char *name)
{
    const char *of = json_string_value(json_object_get(method, "of"));
    const char *as = json_string_value(json_object_get(method, "as"));
    const size_t count = plan->variant_count;
    compare_kind kind = COMPARE_TRAINED;
    size_t reference = 0, found = 0;
    EBM_TRY(kind_of(where, method, &kind));
    if (!of) return ebm_fail(EBM_ERROR_INPUT, "%s: 'of' must be a method's name", where);
    if (!as != (kind != COMPARE_STOPPED_AT_CE))
        return ebm_fail(EBM_ERROR_INPUT, "%s: 'as' names a method for stop \"training_cross_entropy\", and only for it",
                        where);
    if (as) EBM_TRY(find_variant(plan, where, as, count, &reference));
    for (size_t i = 0; i < count; i++) {
        const compare_variant *base = plan->variants + i;
        const char *method_name = json_string_value(json_object_get(base->method, "name"));
        if (base->kind != COMPARE_TRAINED || (strcmp(method_name, of) != 0 && strcmp(base->name, of) != 0)) continue;
        char full[160];
        const bool whole = strcmp(method_name, of) == 0; // then the variant's own part of the name is told as well
        snprintf(full, sizeof full, "%s%s", name, whole ? base->name + strlen(method_name) : "");
        compare_variant *v = add_variant(plan, method, full);
        if (!v) return no_memory();
        v->kind = kind;
        v->of = i;
        v->as = reference;
        found++;
    }
    return found ? ebm_ok() : find_variant(plan, where, of, count, &reference);
}

static ebm_status check_tasks_of(const compare_plan *plan, const char *where, json_t *method)
{
    json_t *tasks = json_object_get(method, "tasks");
    if (tasks && !json_is_array(tasks)) return ebm_fail(EBM_ERROR_INPUT, "%s: 'tasks' must be a list of names", where);
    for (size_t i = 0; i < json_array_size(tasks); i++) {
        const char *name = json_string_value(json_array_get(tasks, i));
        bool known = false;
        for (size_t t = 0; name && t < plan->task_count; t++) known = known || strcmp(plan->tasks[t].name, name) == 0;
        if (!known) return ebm_fail(EBM_ERROR_INPUT, "%s: no task is named '%.60s'", where, name ? name : "?");
    }
    return ebm_ok();
}

static ebm_status read_method(compare_plan *plan, const char *where, json_t *method)
{
    const char *name;
    if (!json_is_object(method)) return ebm_fail(EBM_ERROR_INPUT, "%s: an object expected", where);
    EBM_TRY(name_of(where, method, &name));
    if (json_object_get(method, "of")) return read_derived(plan, where, method, name);
    EBM_TRY(check_object(where, method, "options"));
    EBM_TRY(check_seeds(where, method));
    EBM_TRY(check_tasks_of(plan, where, method));
    return read_trained(plan, where, method, name);
}

// Whether an option says where noise comes from.
static bool names_noise(json_t *options)
{
    const char *key;
    json_t *value;
    json_object_foreach(options, key, value) if (strncmp(key, "noise_", 6) == 0 && strcmp(key, "noise_ratio") != 0 &&
                                                 strcmp(key, "noise_slots") != 0) return true;
    return false;
}

// Options of all cells, or of the task's.
static bool options_name_noise(const compare_plan *plan, const compare_task *task)
{
    return names_noise(json_object_get(plan->spec, "options")) || names_noise(json_object_get(task->spec, "options"));
}

static ebm_status choose_methods(compare_plan *plan)
{
    bool noise = true;
    for (size_t t = 0; t < plan->task_count; t++) {
        const compare_task *task = plan->tasks + t;
        noise = noise && (json_object_get(task->spec, "noise") || options_name_noise(plan, task));
    }
    if (!noise)
        ebm_program_say("%s: without 'noise' for every task joint training is not among the methods", plan->path);
    json_t *methods = compare_default_methods(noise, json_array_size(json_object_get(plan->spec, "seeds")) > 1);
    return methods && json_object_set_new(plan->spec, "methods", methods) == 0 ? ebm_ok() : no_memory();
}

static ebm_status read_methods(compare_plan *plan)
{
    if (!json_object_get(plan->spec, "methods")) EBM_TRY(choose_methods(plan));
    json_t *methods = json_object_get(plan->spec, "methods");
    if (!json_is_array(methods) || json_array_size(methods) == 0)
        return ebm_fail(EBM_ERROR_INPUT, "%s: a list of 'methods' expected", plan->path);
    for (size_t i = 0; i < json_array_size(methods); i++) {
        char where[300];
        snprintf(where, sizeof where, "%s: method %zu", plan->path, i + 1);
        EBM_TRY(read_method(plan, where, json_array_get(methods, i)));
    }
    for (size_t i = 0; i < plan->variant_count; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(plan->variants[i].folder, plan->variants[j].folder) == 0)
                return ebm_fail(EBM_ERROR_INPUT, "%s: two methods are named '%s'", plan->path, plan->variants[i].name);
    return ebm_ok();
}

// ---- the whole

static ebm_status read_halves(compare_plan *plan)
{
    json_t *halves = json_object_get(plan->spec, "halves"), *seed = json_object_get(plan->spec, "split_seed");
    const char *text = halves ? json_string_value(halves) : "random";
    if (!text || (strcmp(text, "random") != 0 && strcmp(text, "file") != 0))
        return ebm_fail(EBM_ERROR_INPUT, "%s: 'halves' must be \"random\" or \"file\"", plan->path);
    if (seed && (!json_is_integer(seed) || json_integer_value(seed) < 0))
        return ebm_fail(EBM_ERROR_INPUT, "%s: 'split_seed' must be a number from 0 on", plan->path);
    plan->random_halves = strcmp(text, "random") == 0;
    plan->split_seed = (uint64_t)json_integer_value(seed);
    return ebm_ok();
}

static ebm_status read_whole(compare_plan *plan)
{
    EBM_TRY(check_keys(
        plan->path, plan->spec,
        KEYS("model_name_or_path", "seeds", "scale", "halves", "split_seed", "options", "tasks", "methods")));
    plan->model = json_string_value(json_object_get(plan->spec, "model_name_or_path"));
    if (!plan->model) return ebm_fail(EBM_ERROR_INPUT, "%s: 'model_name_or_path' expected", plan->path);
    json_t *scale = json_object_get(plan->spec, "scale");
    plan->scale = 1;
    if (scale) EBM_TRY(positive(plan->path, scale, &plan->scale));
    EBM_TRY(check_seeds(plan->path, plan->spec));
    EBM_TRY(check_object(plan->path, plan->spec, "options"));
    if (!json_object_get(plan->spec, "seeds") && json_object_set_new(plan->spec, "seeds", json_pack("[i]", 42)) != 0)
        return no_memory();
    EBM_TRY(read_halves(plan));
    EBM_TRY(read_tasks(plan));
    return read_methods(plan);
}

static ebm_status read_json(const char *path, json_t **json)
{
    char *text = NULL;
    size_t size;
    json_error_t error;
    EBM_TRY(ebm_file_read(path, MOST_SPEC, &text, &size));
    *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    free(text);
    return *json ? ebm_ok() : ebm_fail(EBM_ERROR_INPUT, "%s:%d: %s", path, error.line, error.text);
}

ebm_status compare_plan_read(const char *path, compare_plan *plan)
{
    *plan = (compare_plan){0};
    snprintf(plan->path, sizeof plan->path, "%s", path);
    EBM_TRY(read_json(path, &plan->spec));
    return read_whole(plan);
}

void compare_plan_free(compare_plan *plan)
{
    for (size_t i = 0; i < plan->variant_count; i++) json_decref(plan->variants[i].options);
    free(plan->variants);
    free(plan->tasks);
    json_decref(plan->spec);
    *plan = (compare_plan){0};
}

json_t *compare_plan_seeds(const compare_plan *plan, const compare_task *task, const compare_variant *variant)
{
    const compare_variant *v = variant->kind == COMPARE_TRAINED ? variant : plan->variants + variant->of;
    json_t *tasks = json_object_get(v->method, "tasks"), *seeds = json_object_get(v->method, "seeds");
    bool wanted = !tasks;
    for (size_t i = 0; i < json_array_size(tasks); i++)
        wanted = wanted || strcmp(json_string_value(json_array_get(tasks, i)), task->name) == 0;
    if (!wanted) return NULL;
    if (!seeds) seeds = json_object_get(task->spec, "seeds");
    return seeds ? seeds : json_object_get(plan->spec, "seeds");
}

static void set_paper(const compare_task *task, json_t *options)
{
    for (size_t i = 0; task->task && i < sizeof PAPER / sizeof *PAPER; i++) {
        if (strcmp(PAPER[i].task, task->task->name) != 0) continue;
        json_object_set_new(options, "max_steps", json_integer(PAPER[i].steps));
        json_object_set_new(options, "warmup_steps", json_integer(PAPER[i].warmup));
        json_object_set_new(options, "learning_rate", json_real(PAPER[i].rate));
        json_object_set_new(options, "per_device_train_batch_size", json_integer(PAPER[i].batch));
    }
}

// Whole steps stay whole; epochs need not be.
static void multiply(json_t *options, const char *key, double scale, double least)
{
    json_t *value = json_object_get(options, key);
    const double number = json_number_value(value) * scale;
    if (!json_is_number(value) || json_number_value(value) == 0 || scale == 1) return;
    if (json_is_integer(value) && strcmp(key, "num_train_epochs") != 0)
        json_object_set_new(options, key, json_integer((json_int_t)fmax(least, round(number))));
    else
        json_object_set_new(options, key, json_real(number));
}

void compare_plan_texts(const compare_task *task, json_t *options)
{
    static const char *const TEXTS[] = {"task_name",   "data_dir",         "train_file",   "validation_file",
                                        "text_column", "text_pair_column", "label_column", "skip_malformed"};
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++) {
        json_t *value = json_object_get(task->spec, TEXTS[i]);
        if (value) json_object_set(options, TEXTS[i], value);
    }
}

// A method named joint is that of the paper; ebmcl train has other losses where nothing is said.
static void set_paper_losses(json_t *options)
{
    static const struct {
        const char *key;
        int value;
    } LOSSES[] = {{"focal_gamma", 0}, {"nce_weight", 1}, {"nce_warmup_ratio", 0}};
    const char *objective = json_string_value(json_object_get(options, "objective"));
    if (!objective || strcmp(objective, "joint") != 0) return;
    for (size_t i = 0; i < sizeof LOSSES / sizeof *LOSSES; i++)
        if (!json_object_get(options, LOSSES[i].key))
            json_object_set_new(options, LOSSES[i].key, json_integer(LOSSES[i].value));
}

json_t *compare_plan_options(const compare_plan *plan, const compare_task *task, const compare_variant *variant)
{
    json_t *o = json_object(), *own = json_object();
    json_t *common = json_object_get(plan->spec, "options"), *of_task = json_object_get(task->spec, "options");
    if (!o || !own) {
        json_decref(o);
        json_decref(own);
        return NULL;
    }
    if (common) json_object_update(own, common);
    if (of_task) json_object_update(own, of_task);
    json_object_update(own, variant->options);
    set_paper(task, o);
    if (json_object_get(own, "num_train_epochs")) {
        json_object_del(o, "max_steps");
        json_object_del(o, "warmup_steps");
    }
    json_object_update(o, own);
    set_paper_losses(o);
    const double scale = plan->scale * variant->scale;
    multiply(o, "max_steps", scale, 1);
    multiply(o, "warmup_steps", scale, 0);
    multiply(o, "num_train_epochs", json_object_get(o, "max_steps") ? 1 : scale, 0);
    compare_plan_texts(task, o);
    json_object_set_new(o, "model_name_or_path", json_string(plan->model));
    json_decref(own);
    return o;
}

const char *compare_noise_name(json_t *noise)
{
    const char *name = json_string_value(json_object_get(noise, "name"));
    return name ? name : "noise";
}

static bool is_joint(const compare_plan *plan, const compare_task *task, const compare_variant *variant)
{
    json_t *options = compare_plan_options(plan, task, variant);
    const char *objective = json_string_value(json_object_get(options, "objective"));
    const bool joint = objective && strcmp(objective, "joint") == 0;
    json_decref(options);
    return joint;
}

ebm_status compare_plan_noise(const compare_plan *plan, const compare_task *task, const compare_variant *variant,
                              json_t **noise)
{
    json_t *all = json_object_get(task->spec, "noise");
    const char *name = variant->noise;
    *noise = NULL;
    if (!is_joint(plan, task, variant) || names_noise(variant->options) || options_name_noise(plan, task))
        return ebm_ok();
    if (json_is_object(all) && (!*name || strcmp(name, compare_noise_name(all)) == 0)) *noise = all;
    for (size_t i = 0; json_is_array(all) && i < json_array_size(all) && !*noise; i++)
        if (!*name || strcmp(name, compare_noise_name(json_array_get(all, i))) == 0) *noise = json_array_get(all, i);
    if (*noise) return ebm_ok();
    if (*name)
        return ebm_fail(EBM_ERROR_INPUT, "%s: task '%s' has no noise '%s' for method '%s'", plan->path, task->name,
                        name, variant->name);
    return ebm_fail(EBM_ERROR_INPUT, "%s: method '%s' is joint and task '%s' has no 'noise'", plan->path, variant->name,
                    task->name);
}
