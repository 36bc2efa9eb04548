// Runs the built program in a folder and keeps what it printed.
//
//     ran r = run_program(folder, (const char *const[]){"devices", "--json", NULL}, NULL);
//     assert_int_equal(r.code, 0);
//     free_ran(&r);
#ifndef EBM_TESTS_PROGRAM_H
#define EBM_TESTS_PROGRAM_H

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

typedef struct {
    int code; // exit code, or -signal
    char *out, *err;
} ran;

// What else happens to the child; zeroed: nothing.
typedef struct {
    const char *stdout_to; // a file in place of what is kept
    rlim_t file_bytes;     // no file may become larger: a full disk
} run_with;

static inline char *text_of(FILE *file)
{
    const long size = ftell(file) < 0 || fseek(file, 0, SEEK_END) != 0 ? -1 : ftell(file);
    assert_true(size >= 0);
    char *text = calloc((size_t)size + 1, 1);
    assert_non_null(text);
    rewind(file);
    assert_int_equal(fread(text, 1, (size_t)size, file), size);
    fclose(file);
    return text;
}

static inline void become_program(const char *folder, const char *const *arguments, const run_with *with, int out,
                                  int err)
{
    const char *argv[64] = {PROGRAM};
    for (size_t i = 0; i < 62 && arguments[i]; i++) argv[i + 1] = arguments[i];
    if (with && with->stdout_to) out = open(with->stdout_to, O_WRONLY);
    if (with && with->file_bytes) {
        const struct rlimit limit = {with->file_bytes, with->file_bytes};
        signal(SIGXFSZ, SIG_IGN); // the write fails instead
        setrlimit(RLIMIT_FSIZE, &limit);
    }
    if (chdir(folder) == 0 && dup2(out, 1) == 1 && dup2(err, 2) == 2)
        execv(PROGRAM, (char *const *)(uintptr_t)argv); // execv changes nothing, its prototype is older than const
    _exit(127);
}

// LeakSanitizer's tracer itself dies now and then (of some thousand runs one), after the program has ended: such a run
// is judged by what the program said. A leak is told by every other run.
static inline void forgive_the_tracer(ran *r)
{
    char *end = strstr(r->err, "Tracer caught signal");
    if (!end || !strstr(r->err, "LeakSanitizer has encountered a fatal error")) return;
    *end = 0;
    r->code = strncmp(r->err, "ebmcl: ", 7) == 0 || strstr(r->err, "\nebmcl: ") ? 2 : 0;
}

static inline ran run_program(const char *folder, const char *const *arguments, const run_with *with)
{
    FILE *out = tmpfile(), *err = tmpfile();
    int status = 0;
    assert_non_null(out);
    assert_non_null(err);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) become_program(folder, arguments, with, fileno(out), fileno(err));
    assert_int_equal(waitpid(child, &status, 0), child);
    ran r = {WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), text_of(out), text_of(err)};
    forgive_the_tracer(&r);
    return r;
}

static inline void free_ran(ran *r)
{
    free(r->out);
    free(r->err);
    *r = (ran){0};
}

// The lines on standard error that are a complaint: all but those that say what is used.
static inline size_t count_complaints(const char *err, const char **first)
{
    static const char *const reports[] = {"device ", "data: ", "memory: ", "model: ", "labels: "};
    size_t count = 0;
    for (const char *line = err; *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : line + strlen(line)) {
        bool is_report = false;
        for (size_t i = 0; i < sizeof reports / sizeof *reports; i++)
            is_report |= strncmp(line, reports[i], strlen(reports[i])) == 0;
        if (!is_report && count++ == 0) *first = line;
    }
    return count;
}

#endif
