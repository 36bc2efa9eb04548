// ebmcl tune: who is fastest at which products of a device, kept for all commands that come after.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench_model.h"
#include "json_output.h"
#include "products.h"
#include "program.h"
#include "tuner.h"

typedef struct {
    ebm_bench_model model;
    const char *device, *output;
    size_t batch_size, sequence_length, slots, repeats;
    ebm_string_list parameters;
    bool quick, json;
} tune_options;

#define AT(member) offsetof(tune_options, member)
static const ebm_option OPTIONS[] = {
    EBM_BENCH_MODEL_OPTIONS(tune_options, model, EBM_BENCH_MODELS),
    {"batch_size", EBM_OPTION_SIZE, AT(batch_size), "16", .help = "Texts of a packed batch", .least = 1, .most = 65536},
    {"sequence_length", EBM_OPTION_SIZE, AT(sequence_length), "128", .help = "Tokens of every text", .least = 1,
     .most = 8192},
    {"slots", EBM_OPTION_SIZE, AT(slots), "64", .help = "Texts that a noise model generates at a time", .least = 1,
     .most = 4096},
    {"parameters", EBM_OPTION_LIST, AT(parameters), NULL,
     .help = "Sets of CLBlast's parameters to try, by name; nothing: all for the kind of the device"},
    {"quick", EBM_OPTION_FLAG, AT(quick), NULL, .help = "Fewer sets of parameters, fewer products"},
    {"repeats", EBM_OPTION_SIZE, AT(repeats), "4", .help = "Timed samples of each product", .least = 1, .most = 100000},
    {"device", EBM_OPTION_STRING, AT(device), NULL, .help = "Index, platform:device or part of a name"},
    {"output", EBM_OPTION_STRING, AT(output), NULL,
     .help = "File to write; nothing: the device's own, which all commands read"},
    {"json", EBM_OPTION_FLAG, AT(json), NULL, .help = "The result as one JSON object on standard output"},
};
static const ebm_option_table TABLE = {
    "ebmcl tune",
    "Finds the fastest backend for each class of matrix products, and CLBlast's parameters, for a device and driver.\n"
    "Products of a step of the given model, else of RoBERTa-base and a noise model, at several batch sizes. "
    "EBMCL_TUNING=\n"
    "FILE makes commands read another file, EBMCL_TUNING=off none, EBMCL_GEMM overrides the choice of backends.",
    OPTIONS, sizeof OPTIONS / sizeof *OPTIONS};

// Tokens of the batches beside that of the options: products of few rows are those of small batches.
static const size_t FEWER_TOKENS[] = {256, 32};
enum { BATCHES = 1 + sizeof FEWER_TOKENS / sizeof *FEWER_TOKENS, MODELS = 2 };
enum { LISTED = MODELS * (BATCHES + 1) * (EBM_MODEL_PRODUCTS + 1), NARROW = 48, CLASS_COLUMN = 11 };

typedef struct {
    tune_options set;
    ebm_options *parsed;
    ebm_device *device;
    ebm_tuner_product products[LISTED];
    size_t count;
    ebm_tuner_result *result;
    char *path;
} tune_run;

// ---- products

static void add_products(tune_run *r, const ebm_model_product *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const ebm_model_product *p = &list[i];
        r->products[r->count++] = (ebm_tuner_product){p->form, p->m, p->n, p->k, p->adds, p->times};
    }
}

// tn of few rows is the gradient of a head with few outputs; its products are so small that another model's, were it a
// little wider, would be nothing like them: one of a narrow layer stands for those.
static void add_batch(tune_run *r, const ebm_config *config, size_t tokens)
{
    ebm_model_product list[EBM_MODEL_PRODUCTS];
    const ebm_model_product narrow = {"narrow layer", EBM_GEMM_TN, NARROW, config->hidden, tokens, true, 1};
    const size_t sequences = (tokens - 1) / r->set.sequence_length + 1;
    add_products(r, list, ebm_model_products(config, tokens, sequences, list));
    add_products(r, &narrow, 1);
}

static ebm_status add_model(tune_run *r, const ebm_bench_model *model)
{
    ebm_model_product list[EBM_MODEL_PRODUCTS];
    ebm_config *config = NULL;
    const size_t tokens = r->set.batch_size * r->set.sequence_length;
    EBM_TRY(ebm_bench_model_config(model, &config));
    add_batch(r, config, tokens);
    for (size_t i = 0; i + 1 < BATCHES; i++)
        if (FEWER_TOKENS[i] < tokens) add_batch(r, config, FEWER_TOKENS[i]);
    add_products(r, list, ebm_model_generation_products(config, r->set.slots, list));
    ebm_config_free(config);
    return ebm_ok();
}

static ebm_status list_products(tune_run *r)
{
    const ebm_bench_model *model = &r->set.model;
    if (model->directory || model->random >= 0) return add_model(r, model);
    EBM_TRY(add_model(r, &(ebm_bench_model){NULL, r->set.quick ? EBM_BENCH_MINILM_L6 : EBM_BENCH_ROBERTA_BASE}));
    return r->set.quick ? ebm_ok() : add_model(r, &(ebm_bench_model){NULL, EBM_BENCH_NOISE});
}

// ---- what came out

static double rate(const tune_run *r, const ebm_tuner_contender *c, size_t form, size_t rows)
{
    return 1e-9 * r->result->flops[form][rows] / c->seconds[form][rows];
}

static bool has_products(const tune_run *r, size_t form, size_t rows) { return r->result->flops[form][rows] > 0; }

enum { CLASS_NAME = 32 };

static const char *class_name(size_t form, size_t rows, char name[CLASS_NAME])
{
    snprintf(name, CLASS_NAME, "%s %s", ebm_gemm_form_name((ebm_gemm_form)form), ebm_row_class_name(rows));
    return name;
}

static void print_header(const tune_run *r)
{
    printf("%-16s", "GFLOP/s");
    for (size_t form = 0; form < EBM_GEMM_FORMS; form++)
        for (size_t rows = 0; rows < EBM_ROW_CLASSES; rows++) {
            char name[CLASS_NAME];
            if (has_products(r, form, rows)) printf("%*s", CLASS_COLUMN, class_name(form, rows, name));
        }
    putchar('\n');
}

static void print_contender(const tune_run *r, size_t i)
{
    const ebm_tuner_contender *c = &r->result->contenders[i];
    printf("%-16s", c->name);
    if (c->left_out.code != EBM_OK) printf("  left out: %s", c->left_out.message);
    for (size_t form = 0; form < EBM_GEMM_FORMS && c->left_out.code == EBM_OK; form++)
        for (size_t rows = 0; rows < EBM_ROW_CLASSES; rows++) {
            if (!has_products(r, form, rows)) continue;
            const char mark = r->result->best[form][rows] == i ? '*' : ' ';
            if (isfinite(c->seconds[form][rows]))
                printf("%*.1f%c", CLASS_COLUMN - 1, rate(r, c, form, rows), mark);
            else
                printf("%*s ", CLASS_COLUMN - 1, "-");
        }
    putchar('\n');
}

// Seconds of all products by who does them, or by the standard alone; infinite when that one was left out or given up.
static double total(const tune_run *r, bool tuned)
{
    double seconds = 0;
    for (size_t form = 0; form < EBM_GEMM_FORMS; form++)
        for (size_t rows = 0; rows < EBM_ROW_CLASSES; rows++) {
            const size_t by = tuned ? r->result->best[form][rows] : r->result->standard;
            seconds += r->result->contenders[by].seconds[form][rows];
        }
    return tuned || r->result->contenders[r->result->standard].left_out.code == EBM_OK ? seconds : HUGE_VAL;
}

static void print_table(const tune_run *r)
{
    print_header(r);
    for (size_t i = 0; i < r->result->count; i++) print_contender(r, i);
    printf("* takes the class; -: too slow to be waited for\n");
    printf("CLBlast's parameters: %s\n", r->result->tuning.name);
    if (isfinite(total(r, false)))
        printf("all products: %.3f s without tuning, %.3f s with it\n", total(r, false), total(r, true));
    printf("written to %s\n", r->path);
}

static json_t *classes_json(const tune_run *r, const ebm_tuner_contender *c)
{
    json_t *classes = json_object();
    for (size_t form = 0; form < EBM_GEMM_FORMS; form++)
        for (size_t rows = 0; rows < EBM_ROW_CLASSES; rows++) {
            char name[CLASS_NAME];
            if (!has_products(r, form, rows)) continue;
            const bool timed = isfinite(c->seconds[form][rows]);
            json_object_set_new(classes, class_name(form, rows, name),
                                timed ? json_real(rate(r, c, form, rows)) : json_null());
        }
    return classes;
}

static json_t *chosen_json(const tune_run *r)
{
    json_t *chosen = json_object();
    for (size_t form = 0; form < EBM_GEMM_FORMS; form++)
        for (size_t rows = 0; rows < EBM_ROW_CLASSES; rows++) {
            char name[CLASS_NAME];
            const ebm_backend backend = r->result->tuning.backend[form][rows];
            json_object_set_new(chosen, class_name(form, rows, name), json_string(ebm_backend_name(backend)));
        }
    return chosen;
}

static ebm_status print_json(const tune_run *r)
{
    json_t *contenders = json_array();
    for (size_t i = 0; i < r->result->count; i++) {
        const ebm_tuner_contender *c = &r->result->contenders[i];
        json_t *one = json_pack("{s:s, s:s}", "name", c->name, "backend", ebm_backend_name(c->backend));
        if (c->left_out.code != EBM_OK)
            json_object_set_new(one, "left_out", json_string(c->left_out.message));
        else
            json_object_set_new(one, "gflop_per_s", classes_json(r, c));
        json_array_append_new(contenders, one);
    }
    return ebm_program_print_json(
        json_pack("{s:s, s:s, s:s, s:o, s:s, s:o, s:o, s:f}", "device", ebm_device_info_view(r->device)->name, "driver",
                  ebm_device_info_view(r->device)->driver, "file", r->path, "contenders", contenders, "parameters",
                  r->result->tuning.name, "products", chosen_json(r), "standard_s",
                  isfinite(total(r, false)) ? json_real(total(r, false)) : json_null(), "tuned_s", total(r, true)));
}

// ---- the command

static void show_progress(const char *contender, size_t done, size_t all)
{
    ebm_program_progress("%zu/%zu: %s", done + 1, all, contender);
}

// CLBlast prints what compilers say of a kernel on standard output, where only results belong.
static ebm_status run_tuner(tune_run *r, const ebm_tuner_settings *settings)
{
    fflush(stdout);
    const int kept = dup(STDOUT_FILENO);
    if (kept < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
        return ebm_fail(EBM_ERROR_IO, "standard output cannot be kept apart while tuning");
    const ebm_status status = ebm_tuner_run(r->device, settings, &r->result);
    fflush(stdout);
    dup2(kept, STDOUT_FILENO);
    close(kept);
    ebm_program_progress_end();
    return status;
}

static ebm_status find_path(tune_run *r)
{
    if (r->set.output) {
        r->path = strdup(r->set.output);
        return r->path ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no memory for a path");
    }
    EBM_TRY(ebm_tuning_path(r->device, &r->path));
    if (r->path) return ebm_ok();
    return ebm_fail(EBM_ERROR_INPUT, "no folder to write to: set EBMCL_CACHE_DIR or HOME, or give --output");
}

static ebm_status run(tune_run *r)
{
    const ebm_tuner_settings settings = {.products = r->products,
                                         .count = r->count,
                                         .repeats = r->set.repeats,
                                         .quick = r->set.quick,
                                         .sets = r->set.parameters.items,
                                         .set_count = r->set.parameters.count,
                                         .stop = ebm_program_stop_flag(),
                                         .progress = show_progress};
    EBM_TRY(ebm_program_open(r->set.device, &r->device));
    EBM_TRY(find_path(r));
    const ebm_device_info *info = ebm_device_info_view(r->device);
    ebm_program_say("device %d: %s (%s, driver %s), %s kernels", info->index, info->name, info->platform_name,
                    info->driver, ebm_device_uses_cpu_kernels(r->device) ? "CPU" : "GPU");
    EBM_TRY(run_tuner(r, &settings));
    EBM_TRY(ebm_tuning_write(r->device, r->path, &r->result->tuning));
    if (r->set.json) return print_json(r);
    print_table(r);
    return ebm_ok();
}

ebm_status ebm_command_tune(int argc, char **argv)
{
    tune_run *r = calloc(1, sizeof *r);
    bool done = false;
    if (!r) return ebm_fail(EBM_ERROR_MEMORY, "no memory for tuning");
    ebm_status status = ebm_program_options(&TABLE, argc, argv, &r->set, &r->parsed, &done);
    if (status.code == EBM_OK && !done) status = list_products(r);
    if (status.code == EBM_OK && !done) status = run(r);
    free(r->path);
    free(r->result);
    ebm_device_free(r->device);
    ebm_options_free(r->parsed);
    free(r);
    return status;
}
