#include "check_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LINE = 1024, PATIENCE = 180 }; // seconds without a word after which a driver is taken to hang

extern char **environ;

// ---- the other process

static void print_begin(void *context, const ebm_kernel_check *check)
{
    (void)context;
    printf("begin %zu\n", (size_t)(check - ebm_kernel_checks));
    fflush(stdout);
}

static void print_end(void *context, const ebm_check_result *r)
{
    (void)context;
    printf("end %zu %d %.17g %.17g %s\n", (size_t)(r->check - ebm_kernel_checks), (int)r->status.code, r->worst,
           r->seconds, r->status.message);
    fflush(stdout);
}

static ebm_status check(const char *selector, ebm_kernel_form form, ebm_check_extent extent,
                        const ebm_check_watch *watch, ebm_kernel_verdict *verdict)
{
    ebm_device *device = NULL;
    EBM_TRY(ebm_device_open_form(selector, form, &device));
    const ebm_status status = ebm_kernel_check_all(device, extent, watch, verdict);
    ebm_device_free(device);
    return status;
}

ebm_status ebm_check_process_main(int argc, char **argv)
{
    const ebm_check_watch watch = {NULL, print_begin, print_end};
    const int form = argc == 3 ? atoi(argv[1]) : EBM_FORMS, extent = argc == 3 ? atoi(argv[2]) : 0;
    ebm_kernel_verdict verdict;
    if (form < 0 || form >= EBM_FORMS)
        return ebm_fail(EBM_ERROR_INPUT, "%s: PLATFORM:DEVICE FORM EXTENT expected", EBM_CHECK_COMMAND);
    const ebm_status status = check(argv[0], (ebm_kernel_form)form, (ebm_check_extent)extent, &watch, &verdict);
    if (status.code == EBM_OK)
        puts("done");
    else
        printf("fail %d %s\n", (int)status.code, status.message);
    fflush(stdout);
    _exit(0); // drivers have hung in what they do at an orderly end
}

// ---- this one

typedef struct {
    pid_t child;
    int pipe;
    char text[LINE]; // read and not yet a line
    size_t length;
    const ebm_check_watch *watch;
    ebm_kernel_verdict *verdict;
    const ebm_kernel_check *running;
    bool done, timed_out;
    ebm_status failed;
} watcher;

static const ebm_kernel_check *check_at(size_t index)
{
    return index < ebm_kernel_check_count ? &ebm_kernel_checks[index] : NULL;
}

static void end_check(watcher *w, const ebm_check_result *result)
{
    ebm_kernel_verdict_add(w->verdict, result);
    if (w->watch && w->watch->ended) w->watch->ended(w->watch->context, result);
    w->running = NULL;
}

static void take_line(watcher *w, const char *line)
{
    size_t index = 0;
    int code = 0, used = 0;
    ebm_check_result r = {0};
    if (sscanf(line, "begin %zu", &index) == 1 && check_at(index)) {
        w->running = check_at(index);
        if (w->watch && w->watch->begun) w->watch->begun(w->watch->context, w->running);
    } else if (sscanf(line, "end %zu %d %lf %lf %n", &index, &code, &r.worst, &r.seconds, &used) == 4 &&
               check_at(index)) {
        r.check = check_at(index);
        r.status = code == EBM_OK ? ebm_ok() : ebm_fail((ebm_code)code, "%s", line + used);
        end_check(w, &r);
    } else if (sscanf(line, "fail %d %n", &code, &used) == 1) {
        w->failed = ebm_fail((ebm_code)code, "%s", line + used);
    } else if (strcmp(line, "done") == 0) {
        w->done = true;
    } // else a driver's own words
}

// The lines that are whole; what is longer than a line may be is not ours and is dropped.
static void take_lines(watcher *w)
{
    char *start = w->text;
    for (char *end; (end = memchr(start, '\n', w->length - (size_t)(start - w->text))); start = end + 1) {
        *end = 0;
        take_line(w, start);
    }
    w->length -= (size_t)(start - w->text);
    memmove(w->text, start, w->length);
    if (w->length == sizeof w->text) w->length = 0;
}

static void read_all(watcher *w)
{
    for (;;) {
        struct pollfd poll_for = {.fd = w->pipe, .events = POLLIN};
        const int ready = poll(&poll_for, 1, PATIENCE * 1000);
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0) {
            w->timed_out = true;
            kill(w->child, SIGKILL);
            return;
        }
        const ssize_t got = read(w->pipe, w->text + w->length, sizeof w->text - w->length);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return;
        w->length += (size_t)got;
        take_lines(w);
    }
}

static bool start(watcher *w, char *selector, ebm_kernel_form form, ebm_check_extent extent)
{
    char command[] = EBM_CHECK_COMMAND, name[] = "ebmcl", form_text[12], extent_text[12];
    char *argv[] = {name, command, selector, form_text, extent_text, NULL};
    int ends[2];
    snprintf(form_text, sizeof form_text, "%d", (int)form);
    snprintf(extent_text, sizeof extent_text, "%d", (int)extent);
    if (pipe(ends) != 0) return false;
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0); // a crash's last words
    const bool started = posix_spawn(&w->child, "/proc/self/exe", &actions, NULL, argv, environ) == 0;
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    w->pipe = ends[0];
    if (!started) close(ends[0]);
    return started;
}

// What is to be said of a check that the other process did not come back from.
static ebm_status end_of(const watcher *w, int status)
{
    const int by = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    if (w->timed_out) return ebm_fail(EBM_ERROR_DEVICE, "no answer for %d s", PATIENCE);
    if (by == SIGINT || by == SIGTERM || by == SIGHUP || by == SIGKILL)
        return ebm_fail(EBM_ERROR_INTERRUPTED, "stopped while kernels were checked");
    if (by) return ebm_fail(EBM_ERROR_DEVICE, "the driver crashed (%s)", strsignal(by));
    return ebm_fail(EBM_ERROR_DEVICE, "the driver ended the process (exit code %d)", WEXITSTATUS(status));
}

static ebm_status finish(watcher *w)
{
    int status = 0;
    close(w->pipe);
    while (waitpid(w->child, &status, 0) < 0 && errno == EINTR) continue;
    if (w->done) return ebm_ok();
    if (w->failed.code != EBM_OK) return w->failed;
    const ebm_check_result r = {.check = w->running ? w->running : ebm_kernel_checks, .status = end_of(w, status)};
    if (r.status.code == EBM_ERROR_INTERRUPTED) return r.status;
    end_check(w, &r);
    return ebm_ok();
}

ebm_status ebm_check_process_of(const char *selector, ebm_kernel_form form, ebm_check_extent extent,
                                const ebm_check_watch *watch, ebm_kernel_verdict *verdict)
{
    char place[32];
    watcher w = {.watch = watch, .verdict = verdict};
    *verdict = (ebm_kernel_verdict){.right = true};
    snprintf(place, sizeof place, "%s", selector);
    if (!start(&w, place, form, extent)) return check(selector, form, extent, watch, verdict);
    read_all(&w);
    return finish(&w);
}

ebm_status ebm_check_process(void *context, const char *selector, ebm_kernel_form form, const ebm_check_watch *watch,
                             ebm_kernel_verdict *verdict)
{
    (void)context;
    return ebm_check_process_of(selector, form, EBM_CHECK_USED, watch, verdict);
}
