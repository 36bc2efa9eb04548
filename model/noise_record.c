#include "noise_record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_file.h"

static const char *const RECORD_FILE = "noise.json";
static const char *const KINDS[EBM_NOISE_KINDS] = {"unknown", "single", "pairs"};
static const char *const OBJECTIVES[EBM_NOISE_OBJECTIVES] = {"masked", "plain", "label", "label-masked"};
enum { LABEL_TOKEN = 24, MAX_LABELS = 1000 };

const char *ebm_noise_objective_name(ebm_noise_objective objective) { return OBJECTIVES[objective]; }

bool ebm_noise_objective_by_name(const char *name, ebm_noise_objective *objective)
{
    for (int i = 0; i < EBM_NOISE_OBJECTIVES; i++) {
        if (strcmp(name, OBJECTIVES[i]) != 0) continue;
        *objective = (ebm_noise_objective)i;
        return true;
    }
    return false;
}

bool ebm_noise_objective_has_mask(ebm_noise_objective o)
{
    return o == EBM_NOISE_MASKED || o == EBM_NOISE_LABEL_MASKED;
}
bool ebm_noise_objective_has_label(ebm_noise_objective o)
{
    return o == EBM_NOISE_LABEL || o == EBM_NOISE_LABEL_MASKED;
}

// A token the vocabulary has for the role, or a new one at its end.
static ebm_status role(ebm_tokenizer *tokenizer, ebm_token_role special, const char *added, int32_t *id)
{
    *id = ebm_tokenizer_id(tokenizer, added);
    if (*id < 0 && special != EBM_TOKEN_ROLES) *id = ebm_tokenizer_special(tokenizer, special);
    return *id >= 0 ? ebm_ok() : ebm_tokenizer_add_token(tokenizer, added, id);
}

ebm_status ebm_noise_record_assign(ebm_tokenizer *tokenizer, ebm_noise_roles *roles)
{
    // Tokenizers that put nothing around texts are GPT-2's: one special token, <|endoftext|>, ends a text, the other
    // roles get tokens of their own.
    const bool gpt2 = ebm_tokenizer_special_count(tokenizer, false) == 0;
    EBM_TRY(role(tokenizer, EBM_TOKEN_MASK, "<M>", &roles->mask));
    EBM_TRY(role(tokenizer, gpt2 ? EBM_TOKEN_ROLES : EBM_TOKEN_SEP, "<SEP>", &roles->separator));
    EBM_TRY(role(tokenizer, gpt2 ? EBM_TOKEN_ROLES : EBM_TOKEN_BOS, "<BOS>", &roles->start));
    return role(tokenizer, gpt2 ? EBM_TOKEN_EOS : EBM_TOKEN_PAD, "<END>", &roles->end);
}

static void label_token(size_t index, char text[LABEL_TOKEN]) { snprintf(text, LABEL_TOKEN, "<LABEL_%zu>", index); }

static ebm_status copy_names(ebm_noise_record *r, const char *const *names, size_t count)
{
    r->labels = calloc(count, sizeof *r->labels);
    for (size_t i = 0; r->labels && i < count; i++) {
        r->labels[i] = strdup(names[i]);
        if (!r->labels[i]) break;
        r->roles.label_count++;
    }
    return r->roles.label_count == count ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no host memory for labels");
}

static int32_t find(const ebm_noise_record *r, const char *name)
{
    for (size_t i = 0; i < r->roles.label_count; i++)
        if (strcmp(r->labels[i], name) == 0) return (int32_t)i;
    return -1;
}

ebm_status ebm_noise_record_add_labels(ebm_noise_record *r, ebm_tokenizer *tokenizer, const char *const *names,
                                       size_t count)
{
    char text[LABEL_TOKEN];
    if (r->roles.label_count > 0) {
        for (size_t i = 0; i < count; i++)
            if (find(r, names[i]) < 0)
                return ebm_fail(EBM_ERROR_INPUT, "the noise model knows %zu labels (\"%s\", ...), but not \"%s\"",
                                r->roles.label_count, r->labels[0], names[i]);
        return ebm_ok();
    }
    if (count == 0 || count > MAX_LABELS)
        return ebm_fail(EBM_ERROR_INPUT, "a noise model with labels needs 1 to %d of them, found %zu", MAX_LABELS,
                        count);
    for (size_t i = 0; i < count; i++) {
        int32_t id = -1;
        label_token(i, text);
        EBM_TRY(ebm_tokenizer_add_token(tokenizer, text, &id));
        if (i == 0) r->roles.first_label = id;
        if (id != r->roles.first_label + (int32_t)i)
            return ebm_fail(EBM_ERROR_INPUT, "the vocabulary has a token %s of its own, labels need new ones", text);
    }
    return copy_names(r, names, count);
}

static ebm_status read_roles(const json_t *json, const ebm_tokenizer *tokenizer, ebm_noise_roles *roles)
{
    static const char *const keys[] = {"mask_token", "separator_token", "start_token", "end_token"};
    int32_t *const ids[] = {&roles->mask, &roles->separator, &roles->start, &roles->end};
    for (size_t i = 0; i < 4; i++) {
        const char *token = json_string_value(json_object_get(json, keys[i]));
        *ids[i] = token ? ebm_tokenizer_id(tokenizer, token) : -1;
        if (*ids[i] < 0)
            return ebm_fail(EBM_ERROR_INPUT, "\"%s\" must be a token of the vocabulary, found %s", keys[i],
                            token ? token : "nothing");
    }
    return ebm_ok();
}

static ebm_status read_labels(const json_t *json, const ebm_tokenizer *tokenizer, ebm_noise_record *r)
{
    const json_t *list = json_object_get(json, "labels");
    const size_t count = json_array_size(list);
    if (!list) return ebm_ok();
    if (!json_is_array(list) || count == 0 || count > MAX_LABELS)
        return ebm_fail(EBM_ERROR_INPUT, "\"labels\" must be a list of 1 to %d names", MAX_LABELS);
    const char **names = calloc(count, sizeof *names);
    ebm_status status = names ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no host memory for labels");
    for (size_t i = 0; i < count && status.code == EBM_OK; i++) {
        char text[LABEL_TOKEN];
        label_token(i, text);
        const int32_t id = ebm_tokenizer_id(tokenizer, text);
        if (i == 0) r->roles.first_label = id;
        names[i] = json_string_value(json_array_get(list, i));
        if (!names[i] || id < 0 || id != r->roles.first_label + (int32_t)i)
            status = ebm_fail(EBM_ERROR_INPUT,
                              "label %zu must be a name, with %s for it in the vocabulary, one label after the other",
                              i, text);
    }
    if (status.code == EBM_OK) status = copy_names(r, names, count);
    free(names);
    return status;
}

static ebm_status read_kind(const json_t *json, ebm_noise_kind *kind)
{
    const json_t *texts = json_object_get(json, "texts");
    const char *name = json_string_value(texts);
    if (!texts) return ebm_ok();
    for (int i = EBM_NOISE_OF_SINGLE; name && i < EBM_NOISE_KINDS; i++) {
        if (strcmp(name, KINDS[i]) != 0) continue;
        *kind = (ebm_noise_kind)i;
        return ebm_ok();
    }
    return ebm_fail(EBM_ERROR_INPUT, "\"texts\" must be single or pairs, found %s", name ? name : "something else");
}

// Files that say nothing of training are of models with masked prefixes, or of somebody else.
static ebm_status read_training(const json_t *json, ebm_noise_record *r)
{
    const json_t *objective = json_object_get(json, "objective"), *mask = json_object_get(json, "mask_probability");
    if (!objective) return ebm_ok();
    const char *name = json_string_value(objective);
    if (!name || !ebm_noise_objective_by_name(name, &r->training.objective))
        return ebm_fail(EBM_ERROR_INPUT, "\"objective\" must be masked, plain, label or label-masked, found %s",
                        name ? name : "something else");
    const double M = mask ? json_number_value(mask) : 0;
    if (!json_is_number(mask) || !(M >= 0 && M <= 1))
        return ebm_fail(EBM_ERROR_INPUT, "\"mask_probability\" must be a number from 0 to 1");
    if (ebm_noise_objective_has_label(r->training.objective) && r->roles.label_count == 0)
        return ebm_fail(EBM_ERROR_INPUT, "objective %s, but no \"labels\"", name);
    r->training.mask_probability = (float)M;
    r->training.is_recorded = true;
    return read_kind(json, &r->training.kind);
}

ebm_status ebm_noise_record_read(const char *directory, const ebm_tokenizer *tokenizer, ebm_noise_record *r,
                                 bool *found)
{
    json_t *json = NULL;
    EBM_TRY(ebm_json_file_read(directory, RECORD_FILE, &json));
    *found = json != NULL;
    if (!json) return ebm_ok();
    ebm_status status = read_roles(json, tokenizer, &r->roles);
    if (status.code == EBM_OK) status = read_labels(json, tokenizer, r);
    if (status.code == EBM_OK) status = read_training(json, r);
    json_decref(json);
    return ebm_in(status, "%s/%s", directory, RECORD_FILE);
}

// As somebody wrote it, not with the digits of a float.
static json_t *json_of_float(float value)
{
    char text[32];
    snprintf(text, sizeof text, "%.7g", (double)value);
    return json_real(strtod(text, NULL));
}

static int set_labels(json_t *json, const ebm_noise_record *r)
{
    if (r->roles.label_count == 0) return 0;
    json_t *list = json_array();
    int failed = json_object_set_new(json, "labels", list);
    for (size_t i = 0; i < r->roles.label_count; i++) failed |= json_array_append_new(list, json_string(r->labels[i]));
    return failed;
}

ebm_status ebm_noise_record_write(const ebm_noise_record *r, const ebm_tokenizer *t, const char *directory)
{
    json_t *json = json_pack("{s:s s:s s:s s:s}", "mask_token", ebm_tokenizer_text(t, r->roles.mask), "separator_token",
                             ebm_tokenizer_text(t, r->roles.separator), "start_token",
                             ebm_tokenizer_text(t, r->roles.start), "end_token", ebm_tokenizer_text(t, r->roles.end));
    int failed = json ? 0 : -1;
    if (json && r->training.is_recorded) {
        failed |= json_object_set_new(json, "objective", json_string(OBJECTIVES[r->training.objective]));
        failed |= json_object_set_new(json, "mask_probability", json_of_float(r->training.mask_probability));
        if (r->training.kind != EBM_NOISE_OF_UNKNOWN)
            failed |= json_object_set_new(json, "texts", json_string(KINDS[r->training.kind]));
    }
    if (json) failed |= set_labels(json, r);
    if (failed) {
        json_decref(json);
        return ebm_fail(EBM_ERROR_MEMORY, "no host memory for %s", RECORD_FILE);
    }
    return ebm_json_file_write(directory, RECORD_FILE, json);
}

void ebm_noise_record_free(ebm_noise_record *r)
{
    for (size_t i = 0; r->labels && i < r->roles.label_count; i++) free(r->labels[i]);
    free(r->labels);
    memset(r, 0, sizeof *r);
}
