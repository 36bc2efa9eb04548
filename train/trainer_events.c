// The lines of the log once more as TensorBoard's events, with the tags that transformers' Trainer gives them:
// train/loss, eval/accuracy.
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "event_file.h"
#include "file.h"
#include "trainer_internal.h"

#define NAME "events.out.tfevents."
enum { MOST_SCALARS = 64, TAG_BYTES = 80 };

static double wall_time(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int is_event_file(const struct dirent *entry) { return strncmp(entry->d_name, NAME, strlen(NAME)) == 0; }

// The newest that is there, or a new name.
static char *choose_name(const char *folder)
{
    struct dirent **entries = NULL;
    char *name = NULL;
    const int count = scandir(folder, &entries, is_event_file, alphasort);
    if (count > 0)
        name = strdup(entries[count - 1]->d_name);
    else if (asprintf(&name, NAME "%010lld.ebmcl.%ld", (long long)time(NULL), (long)getpid()) < 0)
        name = NULL;
    for (int i = 0; i < count; i++) free(entries[i]);
    if (count >= 0) free(entries);
    return name;
}

static ebm_status open_events(ebm_trainer *t)
{
    if (t->events) return ebm_ok();
    char *folder = ebm_path_join(t->set.output_dir, "runs");
    ebm_status status = folder ? ebm_directory_make(folder) : ebm_fail(EBM_ERROR_MEMORY, "no host memory for a path");
    char *name = status.code == EBM_OK ? choose_name(folder) : NULL, *path = name ? ebm_path_join(folder, name) : NULL;
    if (status.code == EBM_OK && !path) status = ebm_fail(EBM_ERROR_MEMORY, "no host memory for a path");
    if (status.code == EBM_OK && !ebm_file_exists(path)) status = ebm_event_file_create(path, wall_time());
    if (status.code == EBM_OK) {
        t->events = path;
        path = NULL;
    }
    free(path);
    free(name);
    free(folder);
    return status;
}

ebm_status ebm_trainer_events_add(ebm_trainer *t, json_t *line)
{
    ebm_scalar scalars[MOST_SCALARS];
    char tags[MOST_SCALARS][TAG_BYTES];
    size_t count = 0;
    const char *key;
    json_t *value;
    if (!t->set.tensorboard) return ebm_ok();
    EBM_TRY(open_events(t));
    json_object_foreach(line, key, value)
    {
        const bool evaluated = strncmp(key, "eval_", 5) == 0;
        if (!json_is_number(value) || strcmp(key, "step") == 0 || count == MOST_SCALARS) continue;
        snprintf(tags[count], TAG_BYTES, "%s/%s", evaluated ? "eval" : "train", key + (evaluated ? 5 : 0));
        scalars[count] = (ebm_scalar){tags[count], json_number_value(value)};
        count++;
    }
    return ebm_event_file_append(t->events, wall_time(), json_integer_value(json_object_get(line, "step")), scalars,
                                 count);
}

ebm_status ebm_trainer_events_cut(ebm_trainer *t)
{
    if (!t->set.tensorboard) return ebm_ok();
    EBM_TRY(open_events(t));
    EBM_TRY(ebm_event_file_cut(t->events, (int64_t)t->done));
    return ebm_ok();
}
