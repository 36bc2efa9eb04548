#include "verdict.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device_internal.h"
#include "file.h"
#include "program_cache.h"

enum { FILE_LIMIT = 4096 };

void ebm_verdict_identity(const ebm_device *device, unsigned version, char identity[EBM_VERDICT_IDENTITY])
{
    const ebm_device_info *info = &device->info;
    const int length = snprintf(identity, EBM_VERDICT_IDENTITY, "ebmcl check\n%u\n%s\n%s\n%s\n%s\n%s\n%016" PRIx64 "\n",
                                version, info->platform_name, info->name, info->driver, info->version,
                                ebm_kernel_form_name(ebm_device_form(device)), ebm_program_sources_hash());
    if (length < 0 || length >= EBM_VERDICT_IDENTITY) identity[0] = 0;
}

char *ebm_verdict_path(const char *identity)
{
    char folder[512], name[64];
    if (!identity[0] || !ebm_cache_folder(folder, sizeof folder)) return NULL;
    snprintf(name, sizeof name, "check-%016" PRIx64 ".txt", ebm_cache_key(identity));
    return ebm_path_join(folder, name);
}

// The value of the next line, moved past; false when there is none or it is too long.
static bool take_line(const char **text, char *value, size_t size)
{
    const size_t length = strcspn(*text, "\n");
    if ((*text)[length] != '\n' || length >= size) return false;
    memcpy(value, *text, length);
    value[length] = 0;
    *text += length + 1;
    return true;
}

static bool parse(const char *text, const char *identity, ebm_verdict *v)
{
    const char *at = text;
    char right[8], worst[40], sum[24], expected[24];
    if (strncmp(text, identity, strlen(identity)) != 0) return false;
    at += strlen(identity);
    if (!take_line(&at, right, sizeof right) || !take_line(&at, v->family, sizeof v->family) ||
        !take_line(&at, v->sentence, sizeof v->sentence) || !take_line(&at, worst, sizeof worst))
        return false;
    char *body = strndup(text, (size_t)(at - text));
    if (!body) return false;
    snprintf(expected, sizeof expected, "%016" PRIx64, ebm_cache_key(body));
    free(body);
    v->right = strcmp(right, "right") == 0;
    v->worst = strtod(worst, NULL);
    return take_line(&at, sum, sizeof sum) && strcmp(sum, expected) == 0 && *at == 0;
}

bool ebm_verdict_load(const char *identity, ebm_verdict *verdict)
{
    char *path = ebm_verdict_path(identity), *text = NULL;
    size_t size = 0;
    *verdict = (ebm_verdict){0};
    const bool found = path && ebm_file_read(path, FILE_LIMIT, &text, &size).code == EBM_OK && strlen(text) == size &&
                       parse(text, identity, verdict);
    free(text);
    free(path);
    return found;
}

static bool write_text(const char *path, const char *text)
{
    char folder[512];
    return ebm_cache_folder(folder, sizeof folder) && ebm_directory_make(folder).code == EBM_OK &&
           ebm_file_write(path, text, strlen(text)).code == EBM_OK;
}

static void without_newlines(char *text)
{
    for (; *text; text++)
        if (*text == '\n') *text = ' ';
}

bool ebm_verdict_store(const char *identity, const ebm_verdict *verdict)
{
    char text[FILE_LIMIT], *path = ebm_verdict_path(identity);
    ebm_verdict v = *verdict;
    without_newlines(v.family);
    without_newlines(v.sentence);
    if (!path) return false;
    const int length = snprintf(text, sizeof text, "%s%s\n%s\n%s\n%.17g\n", identity, v.right ? "right" : "wrong",
                                v.family, v.sentence, v.worst);
    snprintf(text + length, sizeof text - (size_t)length, "%016" PRIx64 "\n", ebm_cache_key(text));
    const bool stored = write_text(path, text);
    free(path);
    return stored;
}
