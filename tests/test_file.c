// Files and directories: what stands under the final name is always whole, and nothing else is left.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "file.h"
#include "file_internal.h"
#include "folder.h"

static void assert_content(const char *path, const char *expected)
{
    char *text = NULL;
    size_t size = 0;
    assert_ok(ebm_file_read(path, 1 << 20, &text, &size));
    assert_string_equal(text, expected);
    assert_int_equal(size, strlen(expected));
    free(text);
}

static void test_read(void **state)
{
    const char *folder = *state;
    char *path = in_folder(folder, "text"), *text = NULL;
    put_file(path, "ab\0c", 4);
    size_t size = 0;
    assert_ok(ebm_file_read(path, 4, &text, &size));
    assert_int_equal(size, 4);
    assert_memory_equal(text, "ab\0c", 5);
    free(text);
    assert_fails(ebm_file_read(path, 3, &text, &size), EBM_ERROR_INPUT, "text: expected at most 3 bytes, found 4");
    assert_fails(ebm_file_read(folder, 3, &text, &size), EBM_ERROR_INPUT, "expected a file, found a directory");
    assert_fails(ebm_file_read(NULL, 3, &text, &size), EBM_ERROR_MEMORY, "out of host memory");
    unlink(path);
    assert_fails(ebm_file_read(path, 3, &text, &size), EBM_ERROR_INPUT, "text: cannot open: No such file or directory");
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_fails(ebm_file_read(path, 3, &text, &size), EBM_ERROR_INPUT, "expected a file, found something else");
    free(path);
}

static void test_map(void **state)
{
    char *path = in_folder(*state, "mapped");
    put_file(path, "data", 4);
    ebm_mapping mapping;
    assert_ok(ebm_file_map(path, &mapping));
    assert_int_equal(mapping.size, 4);
    assert_memory_equal(mapping.bytes, "data", 4);
    ebm_file_unmap(&mapping);
    assert_null(mapping.bytes);
    put_file(path, "", 0);
    assert_ok(ebm_file_map(path, &mapping));
    assert_int_equal(mapping.size, 0);
    ebm_file_unmap(&mapping);
    free(path);
}

static void test_write_replaces_and_keeps_mode(void **state)
{
    const char *folder = *state;
    char *path = in_folder(folder, "out"), *link_path = in_folder(folder, "link");
    assert_ok(ebm_file_write(path, "one", 3));
    assert_content(path, "one");
    assert_int_equal(chmod(path, 0640), 0);
    assert_ok(ebm_file_write(path, "", 0));
    assert_content(path, "");
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0640);
    assert_int_equal(symlink("out", link_path), 0);
    assert_ok(ebm_file_write(link_path, "through", 7));
    assert_content(path, "through");
    assert_int_equal(lstat(link_path, &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    assert_int_equal(entries_of(folder), 2);
    assert_fails(ebm_file_write(folder, "x", 1), EBM_ERROR_INPUT, "expected a file, found a directory");
    char *pipe_path = in_folder(folder, "pipe");
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    assert_fails(ebm_file_write(pipe_path, "x", 1), EBM_ERROR_INPUT, "pipe: expected a file, found something else");
    assert_false(ebm_file_exists(pipe_path));
    free(pipe_path);
    free(path);
    free(link_path);
}

static void test_unfinished_write_leaves_the_old_file(void **state)
{
    const char *folder = *state;
    char *path = in_folder(folder, "out");
    put_file(path, "old", 3);
    ebm_file_writer *writer = NULL;
    assert_ok(ebm_file_writer_open(path, &writer));
    assert_ok(ebm_file_writer_append(writer, "new", 3));
    ebm_file_writer_free(writer);
    assert_content(path, "old");
    assert_int_equal(entries_of(folder), 1);
    ebm_file_writer_free(NULL);
    free(path);
}

// Pieces around the writer's buffer of 64 KiB.
static void test_write_in_pieces(void **state)
{
    char *path = in_folder(*state, "out"), *text = NULL;
    static char bytes[200000];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (char)(i * 31 >> 3);
    static const size_t pieces[] = {1, 65534, 1, 1, 65535, 65536, 0, 3392};
    ebm_file_writer *writer = NULL;
    assert_ok(ebm_file_writer_open(path, &writer));
    size_t done = 0, size = 0;
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        assert_ok(ebm_file_writer_append(writer, bytes + done, pieces[i]));
        done += pieces[i];
    }
    assert_int_equal(done, sizeof bytes);
    assert_ok(ebm_file_writer_finish(writer));
    assert_ok(ebm_file_writer_finish(writer));
    ebm_file_writer_free(writer);
    assert_ok(ebm_file_read(path, sizeof bytes, &text, &size));
    assert_int_equal(size, sizeof bytes);
    assert_memory_equal(text, bytes, sizeof bytes);
    free(text);
    free(path);
}

// A limit on the size of files stands for the full disk: write(2) fails in the same place.
static void test_failed_write_leaves_nothing(void **state)
{
    const char *folder = *state;
    char *path = in_folder(folder, "out");
    put_file(path, "old", 3);
    static const char bytes[100000];
    struct rlimit before, limited;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limited = before;
    limited.rlim_cur = 1000;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limited), 0);
    const ebm_status large = ebm_file_write(path, bytes, sizeof bytes);
    const ebm_status buffered = ebm_file_write(path, bytes, 2000); // fails when the buffer is flushed, in finish
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_fails(large, EBM_ERROR_IO, "out: cannot write: File too large");
    assert_fails(buffered, EBM_ERROR_IO, "out: cannot write: File too large");
    assert_content(path, "old");
    assert_int_equal(entries_of(folder), 1);
    free(path);
}

static void test_missing_folder(void **state)
{
    char *path = in_folder(*state, "no/out");
    assert_fails(ebm_file_write(path, "x", 1), EBM_ERROR_INPUT, "no/out: cannot create: No such file or directory");
    free(path);
}

static void test_make_and_remove_directories(void **state)
{
    const char *folder = *state;
    char *deep = in_folder(folder, "a//b/c/"), *top = in_folder(folder, "a"), *file = in_folder(folder, "a/b/file");
    assert_ok(ebm_directory_make(deep));
    assert_true(ebm_directory_exists(deep));
    assert_ok(ebm_directory_make(deep));
    put_file(file, "x", 1);
    assert_false(ebm_directory_is_empty(top));
    assert_true(ebm_directory_is_empty(deep));
    char *below = in_folder(file, "below");
    assert_false(ebm_directory_is_empty(file));
    assert_true(ebm_directory_is_empty(below)); // there is none
    free(below);
    assert_fails(ebm_directory_make(file), EBM_ERROR_INPUT, "a/b/file: expected a directory, found a file");
    assert_fails(ebm_directory_make(""), EBM_ERROR_INPUT, "empty");
    char *outside = in_folder(folder, "outside"), *link_path = in_folder(folder, "a/link");
    put_file(outside, "kept", 4);
    assert_int_equal(symlink("..", link_path), 0);
    assert_ok(ebm_directory_remove(top));
    assert_false(ebm_directory_exists(top));
    assert_true(ebm_directory_is_empty(top));
    assert_content(outside, "kept");
    assert_ok(ebm_directory_remove(top));
    free(outside), free(link_path), free(deep), free(top), free(file);
}

static void write_in(ebm_directory_writer *writer, const char *text)
{
    char *path = ebm_path_join(ebm_directory_writer_path(writer), "state");
    assert_ok(ebm_file_write(path, text, strlen(text)));
    free(path);
}

static void test_directory_appears_whole(void **state)
{
    const char *folder = *state;
    char *path = in_folder(folder, "checkpoint/"), *inside = in_folder(folder, "checkpoint/state");
    ebm_directory_writer *writer = NULL;
    assert_ok(ebm_directory_writer_open(path, &writer));
    write_in(writer, "one");
    assert_false(ebm_directory_exists(path));
    assert_ok(ebm_directory_writer_finish(writer, false));
    assert_ok(ebm_directory_writer_finish(writer, false));
    ebm_directory_writer_free(writer);
    assert_content(inside, "one");

    assert_ok(ebm_directory_writer_open(path, &writer));
    write_in(writer, "two");
    assert_fails(ebm_directory_writer_finish(writer, false), EBM_ERROR_INPUT, "found one that is not empty");
    assert_content(inside, "one");
    assert_ok(ebm_directory_writer_finish(writer, true));
    ebm_directory_writer_free(writer);
    assert_content(inside, "two");

    assert_ok(ebm_directory_writer_open(path, &writer));
    write_in(writer, "never");
    ebm_directory_writer_free(writer);
    assert_content(inside, "two");
    assert_int_equal(entries_of(folder), 1);
    free(path), free(inside);
}

static void test_empty_directory_is_replaced(void **state)
{
    char *path = in_folder(*state, "out"), *inside = in_folder(*state, "out/state");
    assert_ok(ebm_directory_make(path));
    ebm_directory_writer *writer = NULL;
    assert_ok(ebm_directory_writer_open(path, &writer));
    write_in(writer, "one");
    assert_ok(ebm_directory_writer_finish(writer, false));
    ebm_directory_writer_free(writer);
    assert_content(inside, "one");
    put_file(inside, "x", 1);
    assert_fails(ebm_directory_writer_open(inside, &writer), EBM_ERROR_INPUT, "expected a directory, found a file");
    free(path), free(inside);
}

static void test_replacing_in_two_steps_and_recovery(void **state)
{
    const char *folder = *state;
    char *path = in_folder(folder, "out"), *inside = in_folder(folder, "out/state");
    char *previous = in_folder(folder, "out.ebmcl-previous");
    assert_ok(ebm_directory_make(path));
    put_file(inside, "old", 3);
    ebm_directory_writer *writer = NULL;
    assert_ok(ebm_directory_writer_open(path, &writer));
    write_in(writer, "new");
    assert_ok(ebm_directory_replace_in_two_steps(writer));
    ebm_directory_writer_free(writer);
    assert_content(inside, "new");
    assert_int_equal(entries_of(folder), 1);

    // As a process that died between the two renames leaves it.
    assert_int_equal(rename(path, previous), 0);
    assert_ok(ebm_directory_recover(path));
    assert_content(inside, "new");
    assert_false(ebm_directory_exists(previous));
    // Both there: the new one had already appeared.
    assert_ok(ebm_directory_make(previous));
    assert_ok(ebm_directory_recover(path));
    assert_content(inside, "new");
    free(path), free(inside), free(previous);
}

static void test_abandoned_temporaries_go(void **state)
{
    const char *folder = *state;
    char *abandoned = in_folder(folder, "out.ebmcl-tmp-00ab12"), *used = in_folder(folder, "out.ebmcl-tmp-00ab13");
    char *other = in_folder(folder, "outer.ebmcl-tmp-00ab12"), *path = in_folder(folder, "out");
    assert_ok(ebm_directory_make(abandoned));
    assert_ok(ebm_directory_make(used));
    assert_ok(ebm_directory_make(other));
    const int held = open(used, O_RDONLY | O_DIRECTORY);
    assert_int_equal(flock(held, LOCK_EX), 0);
    ebm_directory_writer *writer = NULL;
    assert_ok(ebm_directory_writer_open(path, &writer));
    assert_false(ebm_directory_exists(abandoned));
    assert_true(ebm_directory_exists(used));
    assert_true(ebm_directory_exists(other));
    ebm_directory_writer_free(writer);
    close(held);
    free(abandoned), free(used), free(other), free(path);
}

static void write_generation(const char *path, int generation, bool two_steps)
{
    char text[16];
    snprintf(text, sizeof text, "%d", generation);
    ebm_directory_writer *writer = NULL;
    if (ebm_directory_writer_open(path, &writer).code != EBM_OK) _exit(1);
    for (int i = 0; i < 3; i++) {
        char name[8];
        snprintf(name, sizeof name, "part%d", i);
        char *part = ebm_path_join(ebm_directory_writer_path(writer), name);
        if (ebm_file_write(part, text, strlen(text)).code != EBM_OK) _exit(1);
        free(part);
    }
    const ebm_status status =
        two_steps ? ebm_directory_replace_in_two_steps(writer) : ebm_directory_writer_finish(writer, true);
    if (status.code != EBM_OK) _exit(1);
    ebm_directory_writer_free(writer);
}

// A process that replaces a directory again and again is killed at any moment: what stands there afterwards is one
// whole generation, not older than before.
static void kill_while_replacing(const char *folder, bool two_steps)
{
    char *path = in_folder(folder, "out");
    int newest = 0;
    write_generation(path, newest, false);
    // On a busy disk nothing may be replaced within the short waits; longer ones follow until something was.
    for (useconds_t round = 0; round < 30 || (newest == 0 && round < 60); round++) {
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            for (int generation = newest + 1;; generation++) write_generation(path, generation, two_steps);
        usleep(round < 30 ? 500 + 397 * round : 20000 * (round - 29));
        assert_int_equal(kill(child, SIGKILL), 0);
        int how = 0;
        assert_int_equal(waitpid(child, &how, 0), child);
        assert_true(WIFSIGNALED(how)); // it never failed by itself
        assert_ok(ebm_directory_recover(path));
        assert_int_equal(entries_of(path), 3);
        char *first = NULL;
        for (int i = 0; i < 3; i++) {
            char name[16];
            snprintf(name, sizeof name, "out/part%d", i);
            char *part = in_folder(folder, name);
            if (i == 0)
                assert_ok(ebm_file_read(part, 16, &first, NULL));
            else
                assert_content(part, first);
            free(part);
        }
        assert_true(atoi(first) >= newest);
        newest = atoi(first);
        free(first);
    }
    assert_true(newest > 0); // else nothing was replaced at all
    char *previous = in_folder(folder, "out.ebmcl-previous");
    write_generation(path, newest, two_steps); // and clears away what the last one killed left
    assert_int_equal(entries_of(folder), 1);
    assert_false(ebm_directory_exists(previous));
    free(previous);
    free(path);
}

static void test_killed_while_exchanging(void **state) { kill_while_replacing(*state, false); }
static void test_killed_while_replacing_in_two_steps(void **state) { kill_while_replacing(*state, true); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_own_folder(test_read),
        in_own_folder(test_map),
        in_own_folder(test_write_replaces_and_keeps_mode),
        in_own_folder(test_unfinished_write_leaves_the_old_file),
        in_own_folder(test_write_in_pieces),
        in_own_folder(test_failed_write_leaves_nothing),
        in_own_folder(test_missing_folder),
        in_own_folder(test_make_and_remove_directories),
        in_own_folder(test_directory_appears_whole),
        in_own_folder(test_empty_directory_is_replaced),
        in_own_folder(test_replacing_in_two_steps_and_recovery),
        in_own_folder(test_abandoned_temporaries_go),
        in_own_folder(test_killed_while_exchanging),
        in_own_folder(test_killed_while_replacing_in_two_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
