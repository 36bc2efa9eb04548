// ebmcl bench tokenizer: times the encoding of text files, one text a line, on one thread.
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <zlib.h>

#include "bench_result.h"
#include "command_bench.h"
#include "text_file.h"
#include "timing.h"
#include "tokenizer.h"

typedef struct {
    const char *tokenizer;
    ebm_string_list text_files;
    size_t repeats;
    bool json;
} tokenizer_options;

#define AT(member) offsetof(tokenizer_options, member)
static const ebm_option OPTIONS[] = {
    {"tokenizer", EBM_OPTION_STRING, AT(tokenizer), NULL, .help = "Directory of the tokenizer", .required = true},
    {"text_files", EBM_OPTION_LIST, AT(text_files), NULL,
     .help = "Plain text (.gz), one text a line; blank lines are passed over", .required = true},
    {"repeats", EBM_OPTION_SIZE, AT(repeats), "15", .help = "Timed passes, after a first one with an empty word cache",
     .least = 1, .most = 100000},
    {"json", EBM_OPTION_FLAG, AT(json), NULL, .help = "The result as one JSON object on standard output"},
};
static const ebm_option_table TABLE = {"ebmcl bench tokenizer", "Times the encoding of texts on one thread.", OPTIONS,
                                       sizeof OPTIONS / sizeof *OPTIONS};

typedef struct {
    double wall, cpu; // seconds; cpu: of this process in user mode
} pass_time;

typedef struct {
    tokenizer_options set;
    ebm_options *parsed;
    ebm_tokenizer *tokenizer;
    ebm_text_lines *files;
    size_t file_count;
    ebm_encoding encoding;
    size_t lines, bytes, tokens;
    unsigned long check; // CRC-32 of all ids, little-endian
    pass_time first;
    ebm_timing wall, cpu;
    ebm_bench_result *result;
} tokenizer_run;

static ebm_status read_texts(tokenizer_run *r)
{
    const ebm_string_list *names = &r->set.text_files;
    r->files = calloc(names->count, sizeof *r->files);
    if (!r->files) return ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu files", names->count);
    for (; r->file_count < names->count; r->file_count++) {
        ebm_text_lines *file = &r->files[r->file_count];
        EBM_TRY(ebm_text_lines_read(names->items[r->file_count], EBM_TEXT_LINES, file));
        r->lines += file->count;
        for (size_t i = 0; i < file->count; i++) r->bytes += file->items[i].length;
    }
    return ebm_ok();
}

static double user_seconds(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)used.ru_utime.tv_sec + 1e-6 * (double)used.ru_utime.tv_usec;
}

static ebm_status encode(tokenizer_run *r, const ebm_text_line *line)
{
    return ebm_tokenizer_encode(r->tokenizer, line->text, line->length, NULL, 0, 0, &r->encoding);
}

static ebm_status time_pass(tokenizer_run *r, pass_time *time)
{
    const double wall = ebm_now(), cpu = user_seconds();
    for (size_t f = 0; f < r->file_count; f++)
        for (size_t i = 0; i < r->files[f].count; i++) EBM_TRY(encode(r, &r->files[f].items[i]));
    *time = (pass_time){ebm_now() - wall, user_seconds() - cpu};
    return ebm_ok();
}

// What was computed, so that two programs' times are known to be of the same work; not timed.
static ebm_status check_pass(tokenizer_run *r)
{
    r->check = crc32(0, NULL, 0);
    for (size_t f = 0; f < r->file_count; f++)
        for (size_t i = 0; i < r->files[f].count; i++) {
            EBM_TRY(ebm_in(encode(r, &r->files[f].items[i]), "%s:%zu", r->set.text_files.items[f],
                           r->files[f].items[i].line));
            r->tokens += r->encoding.tokens;
            r->check =
                crc32(r->check, (const Bytef *)r->encoding.ids, (uInt)(r->encoding.tokens * sizeof *r->encoding.ids));
        }
    return ebm_ok();
}

static ebm_status measure(tokenizer_run *r)
{
    const size_t repeats = r->set.repeats;
    double *wall = calloc(2 * repeats, sizeof *wall), *cpu = wall + repeats;
    ebm_status status = wall ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu times", repeats);
    EBM_CHECK(status, end);
    EBM_CHECK(time_pass(r, &r->first), end);
    for (size_t i = 0; i < repeats; i++) {
        pass_time time = {0};
        EBM_CHECK(time_pass(r, &time), end);
        wall[i] = time.wall;
        cpu[i] = time.cpu;
    }
    r->wall = ebm_timing_of(wall, repeats);
    r->cpu = ebm_timing_of(cpu, repeats);
    status = check_pass(r);
end:
    free(wall);
    return status;
}

static json_t *timing_json(const ebm_timing *t)
{
    return json_pack("{s:f, s:f, s:f}", "median_s", t->median, "min_s", t->least, "max_s", t->most);
}

static void set_settings(const tokenizer_run *r)
{
    char check[9];
    snprintf(check, sizeof check, "%08lx", r->check);
    ebm_bench_result_set(r->result, "tokenizer", json_string(r->set.tokenizer));
    ebm_bench_result_set(r->result, "lines", json_integer((json_int_t)r->lines));
    ebm_bench_result_set(r->result, "bytes", json_integer((json_int_t)r->bytes));
    ebm_bench_result_set(r->result, "tokens", json_integer((json_int_t)r->tokens));
    ebm_bench_result_set(r->result, "repeats", json_integer((json_int_t)r->set.repeats));
    ebm_bench_result_set(r->result, "first", json_pack("{s:f, s:f}", "wall_s", r->first.wall, "cpu_s", r->first.cpu));
    ebm_bench_result_set(r->result, "wall", timing_json(&r->wall));
    ebm_bench_result_set(r->result, "cpu", timing_json(&r->cpu));
    ebm_bench_result_set(r->result, "mb_per_s", json_real(1e-6 * (double)r->bytes / r->wall.median));
    ebm_bench_result_set(r->result, "tokens_per_s", json_real((double)r->tokens / r->wall.median));
    ebm_bench_result_set(r->result, "ids_crc32", json_string(check));
}

static ebm_status add(tokenizer_run *r, const char *what, ebm_timing seconds)
{
    ebm_bench_row row = {.repeats = r->set.repeats, .seconds = seconds, .unit = "MB/s"};
    row.amount = 1e-6 * (double)r->bytes;
    snprintf(row.name, sizeof row.name, "%zu lines, %zu tokens, ids %08lx, %s", r->lines, r->tokens, r->check, what);
    return ebm_bench_result_add(r->result, &row);
}

static ebm_status report(tokenizer_run *r)
{
    EBM_TRY(ebm_bench_result_create("tokenizer", NULL, NULL, &r->result));
    set_settings(r);
    EBM_TRY(add(r, "wall", r->wall));
    if (r->cpu.least > 0) EBM_TRY(add(r, "user", r->cpu)); // a short pass may take less than the clock shows
    return ebm_bench_result_print(r->result, r->set.json);
}

static ebm_status run(tokenizer_run *r)
{
    EBM_TRY(ebm_tokenizer_load(r->set.tokenizer, &r->tokenizer));
    EBM_TRY(read_texts(r));
    EBM_TRY(measure(r));
    return report(r);
}

ebm_status ebm_command_bench_tokenizer(int argc, char **argv)
{
    tokenizer_run r = {0};
    bool done = false;
    ebm_status status = ebm_program_options(&TABLE, argc, argv, &r.set, &r.parsed, &done);
    if (status.code == EBM_OK && !done) status = run(&r);
    for (size_t i = 0; i < r.file_count; i++) ebm_text_lines_free(&r.files[i]);
    free(r.files);
    ebm_bench_result_free(r.result);
    ebm_encoding_free(&r.encoding);
    ebm_tokenizer_free(r.tokenizer);
    ebm_options_free(r.parsed);
    return status;
}
