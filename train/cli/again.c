#include "again.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "checkpoint_parts.h"
#include "file.h"
#include "program.h"
#include "program_ranks.h"

enum { MOST_ARGUMENTS = 16, MOST_LOG = 1 << 26 };

// This very program, not one of its name in the PATH. Where the system has no such link, the PATH it is.
static const char *own_path(void) { return access("/proc/self/exe", X_OK) == 0 ? "/proc/self/exe" : "ebmcl"; }

// posix_spawn's arguments are not const for the sake of old programs; it does not write to them.
static int start(pid_t *child, const posix_spawn_file_actions_t *files, const posix_spawnattr_t *attributes,
                 const char *const *list)
{
    char *copy[MOST_ARGUMENTS + 2], **environment = ebm_program_environment_of_one();
    if (!environment) return ENOMEM;
    memcpy(copy, list, sizeof copy);
    const int error = posix_spawnp(child, own_path(), files, attributes, copy, environment);
    free(environment);
    return error;
}

static int spawn(const char *const *arguments, const char *log, pid_t *child)
{
    const char *list[MOST_ARGUMENTS + 2] = {"ebmcl"};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    for (size_t i = 0; arguments[i] && i < MOST_ARGUMENTS; i++) list[i + 1] = arguments[i];
    if (posix_spawn_file_actions_init(&files) != 0) return ENOMEM;
    if (posix_spawnattr_init(&attributes) != 0) {
        posix_spawn_file_actions_destroy(&files);
        return ENOMEM;
    }
    int error = posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, log, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (!error) error = posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
    if (!error) error = posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    // A group of its own: what a terminal sends at Ctrl-C arrives once, through us.
    if (!error) error = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    if (!error) error = start(child, &files, &attributes, list);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return error;
}

ebm_status ebm_program_again(const char *const *arguments, const char *log, int *exit_code)
{
    const volatile sig_atomic_t *stop = ebm_program_stop_flag();
    pid_t child = 0;
    int state = 0;
    bool told = false;
    *exit_code = -1;
    if (*stop) return ebm_fail(EBM_ERROR_INTERRUPTED, "stopped");
    const int error = spawn(arguments, log, &child);
    if (error) return ebm_fail(EBM_ERROR_IO, "ebmcl %s could not be started: %s", arguments[0], strerror(error));
    while (waitpid(child, &state, 0) < 0) {
        if (errno != EINTR) return ebm_fail(EBM_ERROR_IO, "ebmcl %s: %m", arguments[0]);
        if (*stop && !told) kill(child, SIGTERM);
        told = *stop;
    }
    *exit_code = WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
    return *stop ? ebm_fail(EBM_ERROR_INTERRUPTED, "stopped") : ebm_ok();
}

ebm_status ebm_program_go_on(const char *directory, json_t *options)
{
    char *checkpoint = NULL;
    EBM_TRY(ebm_checkpoint_newest(directory, &checkpoint));
    json_object_set_new(options, "output_dir", json_string(directory));
    if (checkpoint) json_object_set_new(options, "resume_from_checkpoint", json_string(checkpoint));
    if (!checkpoint) json_object_set_new(options, "overwrite_output_dir", json_true());
    free(checkpoint);
    return ebm_ok();
}

void ebm_program_last_words(const char *log, char *text, size_t size)
{
    char *content = NULL;
    *text = 0;
    if (ebm_file_read(log, MOST_LOG, &content, NULL).code != EBM_OK) return;
    for (char *rest = content, *line; (line = strsep(&rest, "\n"));) // complaints begin with the program's name
        if (strncmp(line, "ebmcl: ", 7) == 0) snprintf(text, size, "%s", line + 7);
    free(content);
}
