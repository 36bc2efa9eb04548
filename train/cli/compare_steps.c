#include "compare_steps.h"

#include <dirent.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "training_log.h"

static ebm_status no_memory(void) { return ebm_fail(EBM_ERROR_MEMORY, "no memory for the steps of a training"); }

char *compare_step_path(const char *model, int64_t step)
{
    char *path = NULL;
    return asprintf(&path, "%s/predictions/step-%" PRId64 ".jsonl", model, step) < 0 ? NULL : path;
}

static int by_step(const void *a, const void *b)
{
    const int64_t x = ((const compare_step *)a)->step, y = ((const compare_step *)b)->step;
    return (x > y) - (x < y);
}

static ebm_status list_files(const char *model, compare_steps *s)
{
    char *folder = ebm_path_join(model, "predictions");
    DIR *open = folder ? opendir(folder) : NULL;
    ebm_status status = open ? ebm_ok() : ebm_fail(EBM_ERROR_INPUT, "%s: no predictions", model);
    for (const struct dirent *entry; status.code == EBM_OK && (entry = readdir(open));) {
        int64_t step = 0;
        int end = 0;
        if (sscanf(entry->d_name, "step-%" SCNd64 ".jsonl%n", &step, &end) != 1 || !end || entry->d_name[end]) continue;
        compare_step *more = realloc(s->steps, (s->count + 1) * sizeof *more);
        if (!more) {
            status = no_memory();
            break;
        }
        s->steps = more;
        s->steps[s->count++] = (compare_step){step, NAN};
    }
    if (open) closedir(open);
    free(folder);
    if (status.code == EBM_OK && s->count == 0) status = ebm_fail(EBM_ERROR_INPUT, "%s: no predictions", model);
    if (status.code == EBM_OK) qsort(s->steps, s->count, sizeof *s->steps, by_step);
    return status;
}

// A line of the log is a mean over the steps since the line before; it belongs to the evaluation at or after its step.
typedef struct {
    size_t at;          // evaluation being filled
    int64_t last;       // step of the last line
    double sum, weight; // of the lines of this evaluation
} fill;

static void add_line(compare_steps *s, fill *f, const json_t *line)
{
    const json_t *ce = json_object_get(line, "cross_entropy");
    const int64_t step = (int64_t)json_integer_value(json_object_get(line, "step"));
    if (!json_is_number(ce) || step <= f->last) return;
    while (f->at + 1 < s->count && step > s->steps[f->at].step) {
        f->at++;
        f->sum = f->weight = 0;
    }
    f->sum += json_number_value(ce) * (double)(step - f->last);
    f->weight += (double)(step - f->last);
    f->last = step;
    s->steps[f->at].cross_entropy = f->sum / f->weight;
}

static ebm_status read_log(const char *model, compare_steps *s)
{
    json_t *log = NULL;
    fill f = {0};
    EBM_TRY(ebm_training_log_read(model, &log));
    size_t i;
    const json_t *line;
    json_array_foreach(log, i, line) add_line(s, &f, line);
    json_decref(log);
    return ebm_ok();
}

ebm_status compare_steps_read(const char *model, compare_steps *steps)
{
    *steps = (compare_steps){0};
    ebm_status status = list_files(model, steps);
    if (status.code == EBM_OK) status = read_log(model, steps);
    if (status.code != EBM_OK) compare_steps_free(steps);
    return status;
}

void compare_steps_free(compare_steps *steps)
{
    free(steps->steps);
    *steps = (compare_steps){0};
}
