#include "classifier.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "encoder.h"
#include "family_traits.h"
#include "file.h"
#include "head.h"
#include "mlm_loss.h"
#include "operations.h"
#include "random.h"

struct ebm_classifier {
    ebm_device *device;
    const ebm_config *config;
    ebm_classifier_settings set;
    ebm_parameters *parameters;
    ebm_arena *arena; // of the heads
    ebm_encoder *encoder;
    ebm_head *head, *energy_head; // energy_head: scalar energy only
    ebm_mlm_loss *mlm;            // NULL: none
    ebm_slice pooled, d_pooled;   // (sequences, C)
    ebm_slice energy, d_energy;   // (sequences), hidden and sharp-hidden; the scalar one lies in its head
};

static const char *const ENERGY_FILE = "energy.safetensors", *const MLM_FILE = "mlm_head.safetensors";
static const char *const ENERGY_PREFIX = "energy.";

static bool is_scalar(const ebm_classifier *c) { return c->set.has_energy && c->set.energy == EBM_ENERGY_SCALAR; }
static bool is_of_energy(const char *name) { return strncmp(name, ENERGY_PREFIX, strlen(ENERGY_PREFIX)) == 0; }
static bool is_of_mlm(const char *name)
{
    static const char *const BEGINNINGS[] = {"cls.predictions.", "lm_head.", "vocab_"}; // of all families
    for (size_t i = 0; i < sizeof BEGINNINGS / sizeof *BEGINNINGS; i++)
        if (strncmp(name, BEGINNINGS[i], strlen(BEGINNINGS[i])) == 0) return true;
    return false;
}
static bool is_of_classifier(const char *name) { return !is_of_energy(name) && !is_of_mlm(name); }

static ebm_status create_heads(ebm_classifier *c)
{
    const ebm_config *config = c->config;
    const ebm_head_settings classification = {
        .channels = config->hidden,
        .outputs = config->label_count,
        .form = ebm_family_traits_of(config->family)->head,
        .unbiased = !config->bias.classifier,
        .unshifted = !config->bias.norm,
        .norm_epsilon = config->layer_norm_eps,
        .dropout = config->classifier_dropout,
        .site = EBM_SITE_DROPOUT_HEAD,
    };
    EBM_TRY(ebm_head_create(c->device, &classification, c->parameters, c->arena, &c->set.limits, &c->head));
    if (!is_scalar(c)) return ebm_ok();
    const ebm_head_settings energy = {
        .channels = config->hidden,
        .outputs = 1,
        .form = {.dense = "energy.dense",
                 .linear = "energy.out_proj",
                 .activation = EBM_ACTIVATION_TANH,
                 .dropout_first = true},
        .dropout = config->classifier_dropout,
        .site = EBM_SITE_DROPOUT_ENERGY,
    };
    return ebm_head_create(c->device, &energy, c->parameters, c->arena, &c->set.limits, &c->energy_head);
}

static ebm_status create_mlm(ebm_classifier *c)
{
    if (c->set.mlm_rows == 0) return ebm_ok();
    return ebm_mlm_loss_create(c->device, c->config, c->parameters, c->arena, c->set.mlm_rows, &c->mlm);
}

static void plan(ebm_classifier *c)
{
    const size_t n = c->set.limits.sequences, C = c->config->hidden;
    const bool own_energy = c->set.has_energy && !is_scalar(c);
    ebm_arena_reserve(c->arena, &c->pooled, n * C);
    ebm_arena_reserve(c->arena, &c->energy, own_energy ? n : 0);
    if (!c->set.limits.training) return;
    ebm_arena_reserve(c->arena, &c->d_pooled, n * C);
    ebm_arena_reserve(c->arena, &c->d_energy, own_energy ? n : 0);
}

ebm_status ebm_classifier_create(ebm_device *device, const ebm_config *config, const ebm_classifier_settings *settings,
                                 ebm_classifier **out)
{
    *out = NULL;
    ebm_classifier *c = calloc(1, sizeof *c);
    if (!c) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a model");
    ebm_status status = ebm_ok();
    c->device = device;
    c->config = config;
    c->set = *settings;
    c->parameters = ebm_parameters_create(device, settings->limits.training);
    c->arena = ebm_arena_create(device, "heads");
    if (!c->parameters || !c->arena) status = ebm_fail(EBM_ERROR_MEMORY, "no host memory for a model");
    EBM_CHECK(status, fail);
    EBM_CHECK(
        ebm_encoder_create(device, config, c->parameters, &settings->limits, settings->fp16_activations, &c->encoder),
        fail);
    EBM_CHECK(create_heads(c), fail);
    EBM_CHECK(create_mlm(c), fail);
    plan(c);
    *out = c;
    return status;
fail:
    ebm_classifier_free(c);
    return status;
}

void ebm_classifier_free(ebm_classifier *c)
{
    if (!c) return;
    ebm_head_free(c->head);
    ebm_head_free(c->energy_head);
    ebm_mlm_loss_free(c->mlm);
    ebm_encoder_free(c->encoder);
    ebm_arena_free(c->arena);
    ebm_parameters_free(c->parameters);
    free(c);
}

size_t ebm_classifier_arenas(ebm_classifier *c, ebm_arena *arenas[EBM_CLASSIFIER_ARENAS])
{
    const size_t count = ebm_parameters_arenas(c->parameters, arenas);
    arenas[count] = ebm_encoder_arena(c->encoder);
    arenas[count + 1] = c->arena;
    return count + 2;
}

ebm_status ebm_classifier_allocate(ebm_classifier *c)
{
    EBM_TRY(ebm_parameters_allocate(c->parameters));
    EBM_TRY(ebm_encoder_allocate(c->encoder));
    return ebm_arena_allocate(c->arena);
}

void ebm_load_report_free(ebm_load_report *report)
{
    free(report->created);
    free(report->ignored);
    report->created = report->ignored = NULL;
}

// The names of all parameters no file has given, in one allocation: pointers first, then the text.
static ebm_status list_created(ebm_classifier *c, char ***out)
{
    size_t count = 0, bytes = 0;
    for (size_t i = 0; i < ebm_parameters_count(c->parameters); i++) {
        const ebm_parameter *p = ebm_parameters_view(c->parameters, i);
        if (!p->loaded) {
            count++;
            bytes += strlen(p->name) + 1;
        }
    }
    char **list = malloc((count + 1) * sizeof *list + bytes);
    if (!list) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a list of names");
    char *text = (char *)(list + count + 1);
    size_t at = 0;
    for (size_t i = 0; i < ebm_parameters_count(c->parameters); i++) {
        const ebm_parameter *p = ebm_parameters_view(c->parameters, i);
        if (p->loaded) continue;
        list[at++] = text;
        text = stpcpy(text, p->name) + 1;
    }
    list[at] = NULL;
    *out = list;
    return ebm_ok();
}

// What lies in a file of its own, where there is one.
static ebm_status load_part(ebm_classifier *c, const char *directory, const char *name, bool (*keep)(const char *name))
{
    ebm_safetensors *file = NULL;
    char *path = ebm_path_join(directory, name);
    ebm_status status = path ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no host memory for a path");
    if (status.code == EBM_OK && ebm_file_exists(path)) {
        status = ebm_safetensors_open(path, &file);
        if (status.code == EBM_OK) status = ebm_parameters_restore(c->parameters, EBM_PART_WEIGHT, file, "", keep);
    }
    ebm_safetensors_free(file);
    free(path);
    return status;
}

void ebm_classifier_expect_other_labels(ebm_classifier *c)
{
    const ebm_tensor *bias, *weight = ebm_head_linear(c->head, &bias);
    for (size_t i = 0; i < ebm_parameters_count(c->parameters); i++) {
        ebm_parameter *p = ebm_parameters_view(c->parameters, i);
        if (p->tensor == weight || p->tensor == bias) p->may_differ = true;
    }
}

ebm_status ebm_classifier_load(ebm_classifier *c, const char *directory, ebm_load_report *report)
{
    const char *const prefixes[] = {ebm_family_traits_of(c->config->family)->names.prefix, NULL};
    ebm_load_report found = {0};
    ebm_safetensors *file = NULL;
    EBM_TRY(ebm_safetensors_open_model(directory, &file));
    ebm_status status = ebm_parameters_load(c->parameters, file, prefixes, &found.ignored);
    ebm_safetensors_free(file);
    EBM_CHECK(status, end);
    if (is_scalar(c)) EBM_CHECK(load_part(c, directory, ENERGY_FILE, is_of_energy), end);
    if (c->mlm) EBM_CHECK(load_part(c, directory, MLM_FILE, is_of_mlm), end);
    EBM_CHECK(list_created(c, &found.created), end);
end:
    if (report && status.code == EBM_OK)
        *report = found;
    else
        ebm_load_report_free(&found);
    return status;
}

static ebm_status save_part(ebm_classifier *c, const char *directory, const char *name, bool (*keep)(const char *name))
{
    char *path = ebm_path_join(directory, name);
    const ebm_status status = path ? ebm_parameters_save(c->parameters, EBM_PART_WEIGHT, path, "", keep)
                                   : ebm_fail(EBM_ERROR_MEMORY, "no host memory for a path");
    free(path);
    return status;
}

ebm_status ebm_classifier_save(ebm_classifier *c, const char *directory)
{
    EBM_TRY(save_part(c, directory, "model.safetensors", is_of_classifier));
    if (is_scalar(c)) EBM_TRY(save_part(c, directory, ENERGY_FILE, is_of_energy));
    return c->mlm ? save_part(c, directory, MLM_FILE, is_of_mlm) : ebm_ok();
}

void ebm_classifier_set_half_scale(ebm_classifier *c, float scale) { ebm_encoder_set_half_scale(c->encoder, scale); }

static bool pools_mean(const ebm_classifier *c) { return c->config->pooling == EBM_POOLING_MEAN; }

static ebm_status encode(ebm_classifier *c, const ebm_batch *batch, const ebm_run *run)
{
    return pools_mean(c) ? ebm_encoder_forward(c->encoder, batch, run)
                         : ebm_encoder_forward_first(c->encoder, batch, run);
}

static ebm_status pool(ebm_classifier *c, const ebm_batch *batch)
{
    const size_t C = c->config->hidden;
    const ebm_slice x = ebm_encoder_output(c->encoder);
    if (pools_mean(c)) return ebm_mean_tokens_forward(c->device, c->pooled, x, batch, C);
    return ebm_slice_copy(c->device, c->pooled, 0, x, 0, batch->sequences * C);
}

static ebm_status pool_backward(ebm_classifier *c, const ebm_batch *batch)
{
    const size_t C = c->config->hidden;
    const ebm_slice dx = ebm_encoder_gradient(c->encoder);
    if (pools_mean(c)) return ebm_mean_tokens_backward(c->device, dx, c->d_pooled, batch, C);
    return ebm_slice_copy(c->device, dx, 0, c->d_pooled, 0, batch->sequences * C);
}

ebm_status ebm_classifier_fold_temperature(ebm_classifier *c, double temperature)
{
    if (!(temperature > 0 && temperature <= DBL_MAX))
        return ebm_fail(EBM_ERROR_INPUT, "temperature: a finite number above 0 expected, found %g", temperature);
    return ebm_head_divide(c->head, temperature);
}

ebm_status ebm_classifier_fold_affine(ebm_classifier *c, const double *map, const double *offset)
{
    if (c->set.has_energy && !is_scalar(c))
        return ebm_fail(EBM_ERROR_UNSUPPORTED,
                        "the %s energy is a function of the logits: of all calibrators only a temperature can be folded"
                        " into this model",
                        ebm_energy_name(c->set.energy));
    return ebm_head_map(c->head, map, offset);
}

ebm_status ebm_classifier_pool_forward(ebm_classifier *c, const ebm_batch *batch, const ebm_run *run)
{
    EBM_TRY(encode(c, batch, run));
    return pool(c, batch);
}

ebm_status ebm_classifier_pool_backward(ebm_classifier *c, const ebm_batch *batch, const ebm_run *run)
{
    EBM_TRY(pool_backward(c, batch));
    return ebm_encoder_backward(c->encoder, batch, run);
}

ebm_status ebm_classifier_head_forward(ebm_classifier *c, ebm_slice vectors, const ebm_batch *batch, const ebm_run *run)
{
    return ebm_head_forward(c->head, vectors, batch, run);
}

ebm_status ebm_classifier_head_backward(ebm_classifier *c, ebm_slice d_vectors, const ebm_batch *batch,
                                        const ebm_run *run)
{
    return ebm_head_backward(c->head, d_vectors, batch, run);
}

ebm_status ebm_classifier_forward(ebm_classifier *c, const ebm_batch *batch, const ebm_run *run)
{
    EBM_TRY(ebm_classifier_pool_forward(c, batch, run));
    EBM_TRY(ebm_head_forward(c->head, c->pooled, batch, run));
    if (!c->set.has_energy) return ebm_ok();
    if (is_scalar(c)) return ebm_head_forward(c->energy_head, c->pooled, batch, run);
    return ebm_energy_forward(c->device, c->energy, ebm_head_output(c->head), c->set.energy, 0, batch->sequences,
                              c->config->label_count);
}

void ebm_classifier_watch(ebm_classifier *c, ebm_backward_listener *listener, void *context)
{
    ebm_encoder_watch(c->encoder, listener, context);
}

ebm_status ebm_classifier_backward(ebm_classifier *c, const ebm_batch *batch, const ebm_run *run)
{
    return ebm_classifier_backward_penalised(c, batch, run, NULL);
}

ebm_status ebm_classifier_backward_penalised(ebm_classifier *c, const ebm_batch *batch, const ebm_run *run,
                                             const ebm_hidden_penalty *penalty)
{
    const size_t n = batch->sequences, C = c->config->hidden, Y = c->config->label_count;
    EBM_TRY(ebm_slice_zero(c->device, c->d_pooled, 0, n * C));
    if (penalty && penalty->count > 0)
        EBM_TRY(ebm_squared_norms(c->device, penalty->norms, c->d_pooled, c->pooled, 2 * penalty->scale, penalty->first,
                                  penalty->count, C));
    if (c->set.has_energy && !is_scalar(c))
        EBM_TRY(ebm_energy_backward(c->device, ebm_head_gradient(c->head), c->d_energy, ebm_head_output(c->head),
                                    c->set.energy, 0, n, Y));
    EBM_TRY(ebm_head_backward(c->head, c->d_pooled, batch, run));
    if (is_scalar(c)) EBM_TRY(ebm_head_backward(c->energy_head, c->d_pooled, batch, run));
    return ebm_classifier_pool_backward(c, batch, run);
}

ebm_status ebm_classifier_mlm(ebm_classifier *c, const ebm_batch *batch, const ebm_run *run, const int32_t *targets,
                              float scale, double *sum, size_t *count)
{
    if (!c->mlm) return ebm_fail(EBM_ERROR_INPUT, "a classifier without a head for masked language modelling");
    EBM_TRY(ebm_encoder_forward(c->encoder, batch, run));
    EBM_TRY(ebm_mlm_loss_run(c->mlm, ebm_encoder_output(c->encoder), ebm_encoder_gradient(c->encoder), batch, targets,
                             scale, sum, count));
    return ebm_encoder_backward(c->encoder, batch, run);
}

ebm_slice ebm_classifier_pooled(const ebm_classifier *c) { return c->pooled; }
ebm_slice ebm_classifier_pooled_gradient(const ebm_classifier *c) { return c->d_pooled; }
ebm_slice ebm_classifier_logits(const ebm_classifier *c) { return ebm_head_output(c->head); }
ebm_slice ebm_classifier_logits_gradient(const ebm_classifier *c) { return ebm_head_gradient(c->head); }
ebm_slice ebm_classifier_energy(const ebm_classifier *c)
{
    return is_scalar(c) ? ebm_head_output(c->energy_head) : c->energy;
}
ebm_slice ebm_classifier_energy_gradient(const ebm_classifier *c)
{
    return is_scalar(c) ? ebm_head_gradient(c->energy_head) : c->d_energy;
}
ebm_parameters *ebm_classifier_parameters(ebm_classifier *c) { return c->parameters; }
const ebm_config *ebm_classifier_config(const ebm_classifier *c) { return c->config; }
