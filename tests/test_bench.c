// ebmcl bench: that every part prints what it promises and numbers that agree with each other, on small sizes; and what
// it says of wrong options.
#include "check.h"

#include <math.h>

#include "command.h"
#include "products.h"
#include "tiny_model.h"

static int make_files(void **state)
{
    static const char *const names[] = {"negative", "positive"};
    make_folder_with_model("model", names);
    put_texts("dev.tsv", "sentence\tlabel", names);
    put("empty.tsv", "sentence\tlabel\n");
    put("plain.txt", "the film is good .\n\nnot bad\n");
    return 0;
}

// One form is enough for what does not look into the profile.
static void skip_in_gpu_form(void)
{
    const char *form = getenv("EBMCL_KERNELS");
    if (form && strcmp(form, "gpu") == 0) skip();
}

#define PEAKS "--peak_gflops", "100", "--peak_gb_s", "10" // measured ones would take time, and not be known here
#define SMALL "--model_name_or_path", "model", "--batch_size", "3", "--sequence_length", "16"
enum { BATCH = 3, LENGTH = 16, TOKENS = BATCH * LENGTH };

static bool near(double found, double expected) { return fabs(found - expected) <= 1e-6 * fabs(expected); }

static void assert_header(const json_t *b, const char *part)
{
    static const char *const texts[] = {"version", "device",  "platform", "driver",
                                        "opencl",  "kernels", "products", "precision"};
    assert_string_equal(string(b, "bench"), part);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) assert_true(string(b, texts[i])[0] != 0);
    assert_true(number(b, "compute_units") > 0 && number(b, "memory_bytes") > 0);
}

// Times in order; the rate, the floor and the share follow from them.
static void assert_row(const json_t *row, int repeats)
{
    const double median = number(row, "median_s");
    assert_true(string(row, "name")[0] != 0);
    assert_int_equal((int)number(row, "repeats"), repeats);
    assert_true(number(row, "min_s") > 0 && number(row, "min_s") <= median && median <= number(row, "max_s"));
    if (json_object_get(row, "unit")) {
        const double amount = number(row, "rate") * median;
        assert_true(amount > 0);
        assert_true(near(number(row, "rate_min") * number(row, "max_s"), amount));
        assert_true(near(number(row, "rate_max") * number(row, "min_s"), amount));
    }
    if (json_object_get(row, "floor_s")) assert_true(near(number(row, "share") * median, number(row, "floor_s")));
}

static const json_t *results_of(const json_t *b, int repeats)
{
    const json_t *list = json_object_get(b, "results");
    assert_true(json_array_size(list) > 0);
    for (size_t i = 0; i < json_array_size(list); i++) assert_row(json_array_get(list, i), repeats);
    return list;
}

static const json_t *row_named(const json_t *list, const char *name)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(string(json_array_get(list, i), "name"), name) == 0) return json_array_get(list, i);
    fail_msg("no result is named \"%s\"", name);
    return NULL;
}

// The floor at the peaks given by PEAKS.
static void assert_floor(const json_t *row)
{
    const json_t *flops = json_object_get(row, "flops"), *bytes = json_object_get(row, "bytes");
    const double arithmetic = json_number_value(flops) / 100e9, memory = json_number_value(bytes) / 10e9;
    assert_true(near(number(row, "floor_s"), fmax(arithmetic, memory)));
}

static void every_part_has_help(void **state)
{
    assert_prints(run("bench", "--help"),
                  PARTS("device", "gemm", "kernels", "step", "noise", "eval", "tokenizer", "compare"));
    assert_prints(run("bench", "device", "--help"), PARTS("--buffer_mib", "--repeats"));
    assert_prints(run("bench", "gemm", "--help"), PARTS("--backends", "--peak_gflops"));
    assert_prints(run("bench", "kernels", "--help"), PARTS("--sequence_length", "--peak_gb_s"));
    assert_prints(run("bench", "step", "--help"), PARTS("--sequence_length", "--profile", "--curve"));
    assert_prints(run("bench", "noise", "--help"), PARTS("--slots"));
    assert_prints(run("bench", "eval", "--help"), PARTS("--text_file", "--tokenizer"));
    assert_prints(run("bench", "compare", "--help"), PARTS("--files"));
}

static void the_device_is_measured(void **state)
{
    skip_in_gpu_form();
    json_t *b = json_of(run("bench", "device", "--buffer_mib", "2", "--repeats", "3", "--json"));
    const json_t *list = results_of(b, 3);
    double most = 0;
    assert_header(b, "device");
    assert_int_equal((int)number(b, "buffer_bytes"), 2 << 20);
    assert_int_equal(json_array_size(list), json_object_get(b, "peak_bf16_gflop_per_s") ? 8 : 7);
    const json_t *fma = row_named(list, "fma, fp32");
    assert_string_equal(string(fma, "unit"), "GFLOP/s");
    assert_true(near(number(b, "peak_gflop_per_s"), number(fma, "rate_max")));
    static const char *const ways[] = {"memory read", "memory update", "memory copy", "memory triad"};
    static const int buffers[] = {1, 2, 2, 3};
    for (int i = 0; i < 4; i++) {
        const json_t *row = row_named(list, ways[i]);
        assert_string_equal(string(row, "unit"), "GB/s");
        assert_int_equal((int)number(row, "bytes"), buffers[i] * (2 << 20));
        most = fmax(most, number(row, "rate_max"));
    }
    assert_true(near(number(b, "peak_gb_per_s"), most));
    assert_null(json_object_get(row_named(list, "launch, waited for"), "unit"));
    json_decref(b);
    assert_prints(run("bench", "device", "--buffer_mib", "1", "--repeats", "1"), PARTS("median", "GFLOP/s", "launch"));
}

static double profiled_products(const json_t *b)
{
    const json_t *profile = json_object_get(b, "profile");
    double flops = 0;
    for (size_t i = 0; i < json_array_size(profile); i++) {
        const json_t *row = json_array_get(profile, i);
        if (strncmp(string(row, "kernel"), "gemm_", 5) == 0) flops += number(row, "flops");
    }
    return flops;
}

// The list of products comes from the sizes alone; the profile of a step counts those that are run.
static void the_products_are_those_of_a_step(void **state)
{
    json_t *b = json_of(run("bench", "gemm", SMALL, PEAKS, "--backends", "plain", "cpu", "--repeats", "1", "--json"));
    json_t *step = json_of(run("bench", "step", SMALL, PEAKS, "--profile", "--repeats", "1", "--json"));
    const json_t *list = results_of(b, 1);
    assert_header(b, "gemm");
    assert_int_equal((int)number(b, "tokens"), TOKENS);
    for (size_t i = 0; i < json_array_size(list); i++) assert_floor(json_array_get(list, i));
    assert_true(near(number(row_named(list, "cpu: qkv nt 48 x 96 x 32"), "flops"), 2.0 * 48 * 96 * 32));
    assert_true(near(number(row_named(list, "plain: down tn 32 x 128 x 48"), "flops"), 2.0 * 48 * 128 * 32));
    const double all = number(row_named(list, "cpu: all products of a step"), "flops");
    assert_true(near(all, number(row_named(list, "plain: all products of a step"), "flops")));
    assert_true(near(all, profiled_products(step)));
    json_decref(step);
    json_decref(b);
    assert_prints(run("bench", "gemm", SMALL, PEAKS, "--backends", "cpu", "--repeats", "1"),
                  PARTS("floors at 100.0 GFLOP/s and 10.0 GB/s", "share", "cpu: head, logits nn 3 x 32 x 2"));
}

static void products_of_a_noise_model(void **state)
{
    skip_in_gpu_form();
    json_t *b = json_of(run("bench", "gemm", "--random", "noise", "--batch_size", "2", "--sequence_length", "150",
                            "--slots", "2", PEAKS, "--backends", "cpu", "--repeats", "1", "--json"));
    const json_t *list = results_of(b, 1);
    row_named(list, "cpu: vocabulary nt 256 x 30522 x 384");
    row_named(list, "cpu: vocabulary, rest nn 44 x 384 x 30522");
    const double generated = number(row_named(list, "cpu: generation, vocabulary nt 2 x 30522 x 384"), "flops");
    assert_true(near(generated, 2.0 * 2 * 30522 * 384));
    // four layers of 12 C^2 weights and the vocabulary, each used three times by each of 300 tokens
    const double weights = 4.0 * 12 * 384 * 384 + 30522.0 * 384;
    assert_true(near(number(row_named(list, "cpu: all products of a step"), "flops"), 2 * 3 * 300 * weights));
    json_decref(b);
}

// 512 tokens are two whole parts of the vocabulary's loss: no rest, in no form.
static void no_product_is_empty(void **state)
{
    ebm_config *config = NULL;
    ebm_model_product list[EBM_MODEL_PRODUCTS];
    assert_ok(ebm_config_default_gpt2(1, 32, 64, 512, &config));
    for (size_t tokens = 512; tokens <= 513; tokens++) {
        const size_t count = ebm_model_products(config, tokens, 1, list);
        assert_int_equal(count, 3 * (tokens == 512 ? 5 : 6));
        for (size_t i = 0; i < count; i++) assert_true(ebm_model_product_flops(&list[i]) > 0);
    }
    ebm_config_free(config);
}

static void kernels_are_timed(void **state)
{
    json_t *b = json_of(run("bench", "kernels", SMALL, PEAKS, "--repeats", "2", "--json"));
    const json_t *list = results_of(b, 2);
    assert_header(b, "kernels");
    for (size_t i = 0; i < json_array_size(list); i++) assert_floor(json_array_get(list, i));
    assert_true(near(number(row_named(list, "layernorm, 48 x 32"), "bytes"), 8.0 * TOKENS * 32));
    assert_true(near(number(row_named(list, "gelu backward, 48 x 128"), "bytes"), 16.0 * TOKENS * 128));
    assert_true(near(number(row_named(list, "attention, 3 x 16, 1 heads of 32, dropout 0.1"), "flops"),
                     4.0 * BATCH * LENGTH * LENGTH * 32));
    row_named(list, "norm and adamw, 1 x 768");
    json_decref(b);
    json_t *still = json_of(run("bench", "kernels", SMALL, PEAKS, "--repeats", "1", "--no_dropout", "--json"));
    row_named(results_of(still, 1), "attention, 3 x 16, 1 heads of 32");
    row_named(results_of(still, 1), "residual + layernorm, 48 x 32");
    json_decref(still);
    assert_prints(run("bench", "kernels", SMALL, PEAKS, "--repeats", "1"),
                  PARTS("attention backward, 3 x 16, 1 heads of 32, dropout 0.1", "%"));
}

static void kernels_of_the_other_families(void **state)
{
    json_t *gpt2 = json_of(run("bench", "kernels", "--random", "noise", "--batch_size", "1", "--sequence_length", "16",
                               "--slots", "2", PEAKS, "--repeats", "1", "--json"));
    const json_t *list = results_of(gpt2, 1);
    row_named(list, "top-k sampling, 2 x 30522");
    row_named(list, "vocabulary loss and gradient, 256 x 30522");
    row_named(list, "residual + layernorm, 16 x 384, dropout 0.1");
    assert_true(near(number(row_named(list, "attention of a new token, 2 x 384"), "bytes"), 4.0 * 2 * 384 * 132));
    json_decref(gpt2);
    json_t *modern = json_of(run("bench", "kernels", "--random", "modernbert-base", "--batch_size", "1",
                                 "--sequence_length", "16", PEAKS, "--repeats", "1", "--json"));
    list = results_of(modern, 1);
    row_named(list, "geglu backward, 16 x 1152");
    row_named(list, "rotary, 16 x 768");
    row_named(list, "attention within a window, 1 x 16, 12 heads of 64");
    json_decref(modern);
}

// Every kernel of a step states what it costs; shares add up; floors follow from the peaks.
static void assert_profile(const json_t *b)
{
    const json_t *profile = json_object_get(b, "profile");
    double shares = 0, floors = 0;
    bool has_update = false;
    for (size_t i = 0; i < json_array_size(profile); i++) {
        const json_t *row = json_array_get(profile, i);
        const double flops = number(row, "flops"), bytes = number(row, "bytes"), seconds = number(row, "seconds");
        if (!(bytes > 0)) fail_msg("%s moves nothing", string(row, "kernel"));
        assert_true(number(row, "launches") > 0 && seconds > 0);
        assert_true(flops == 0 || near(number(row, "gflop_per_s") * seconds, 1e-9 * flops));
        assert_true(near(number(row, "gb_per_s") * seconds, 1e-9 * bytes));
        assert_true(near(number(row, "floor_s"), fmax(flops / 100e9, bytes / 10e9)));
        assert_true(near(number(row, "share_of_peak") * seconds, number(row, "floor_s")));
        assert_string_equal(string(row, "bound"), flops / 100e9 >= bytes / 10e9 ? "flops" : "bytes");
        shares += number(row, "share_of_kernels");
        floors += number(row, "floor_s");
        has_update |= strcmp(string(row, "kernel"), "adamw") == 0;
    }
    assert_true(has_update && near(shares, 1));
    assert_true(near(number(json_array_get(json_object_get(b, "results"), 0), "floor_s"), floors));
}

static void steps_are_timed(void **state)
{
    json_t *b = json_of(run("bench", "step", SMALL, PEAKS, "--repeats", "3", "--profile", "--json"));
    const json_t *list = results_of(b, 3);
    assert_header(b, "step");
    row_named(list, "ce step, model, 3 x 16");
    assert_int_equal((int)number(b, "tokens"), TOKENS);
    assert_true(number(b, "first_s") > 0 && near(number(b, "tokens_per_s") * number(b, "median_s"), TOKENS));
    assert_profile(b);
    json_decref(b);
    json_t *joint = json_of(run("bench", "step", "--model_name_or_path", "model", "--batch_size", "2",
                                "--sequence_length", "8", "--repeats", "1", "--objective", "joint", "--noise_ratio",
                                "3", "--token_budget", "24", "--profile", PEAKS, "--json"));
    assert_int_equal((int)number(joint, "tokens"), (1 + 1 + 3) * 2 * 8);
    assert_profile(joint);
    json_decref(joint);
    assert_prints(run("bench", "step", SMALL, PEAKS, "--repeats", "1", "--profile"),
                  PARTS("median", "tokens/s", "launches", "of peak", "all kernels"));
}

// The tiny model has positions for 40: lengths 8, 16 and 32 over the length, steps of 256 and 512 tokens before.
static void a_curve_is_measured(void **state)
{
    skip_in_gpu_form();
    static const struct {
        const char *over;
        int tokens, length;
    } wanted[] = {
        {"tokens", 256, 16}, {"tokens", 512, 16}, {"length", 512, 8}, {"length", 512, 16}, {"length", 512, 32}};
    json_t *b = json_of(run("bench", "step", SMALL, "--curve", "--most_tokens", "512", "--repeats", "1", "--json"));
    const json_t *list = json_object_get(b, "curve"), *rows = results_of(b, 1);
    assert_header(b, "step");
    assert_int_equal(json_array_size(list), 5);
    assert_int_equal(json_array_size(rows), 5);
    row_named(rows, "ce step, model, 16 x 32");
    double shares[5];
    for (size_t i = 0; i < 5; i++) {
        const json_t *point = json_array_get(list, i);
        const double rest = 1 - number(point, "attention_share") - number(point, "optimizer_share");
        const double processor = number(point, "processor_us_per_token");
        assert_string_equal(string(point, "over"), wanted[i].over);
        assert_int_equal((int)number(point, "tokens"), wanted[i].tokens);
        assert_int_equal((int)number(point, "sequence_length"), wanted[i].length);
        assert_true(near(number(point, "us_per_token") * wanted[i].tokens, 1e6 * number(point, "median_s")));
        assert_true(processor > 0 && rest > 0 && rest < 1);
        assert_true(near(number(point, "rest_us_per_token"), rest * processor));
        shares[i] = number(point, "attention_share_of_flops");
    }
    assert_true(shares[0] < shares[1] && near(shares[1], shares[3])); // AdamW is more of a smaller step
    assert_true(0 < shares[2] && shares[2] < shares[3] && shares[3] < shares[4] && shares[4] < 1);
    json_decref(b);
    assert_prints(run("bench", "step", SMALL, "--curve", "--most_tokens", "256", "--repeats", "1"),
                  PARTS("us a token", "of flops", "over the length the rest of a token takes"));
    assert_bad("leave --text_file out", "bench", "step", SMALL, "--curve", "--text_file", "dev.tsv");
    assert_bad("leave --profile out", "bench", "step", SMALL, "--curve", "--profile");
    assert_bad("leave --objective out", "bench", "step", SMALL, "--curve", "--objective", "joint");
    assert_bad("--most_tokens", "bench", "step", SMALL, "--curve", "--most_tokens", "255");
    assert_bad("texts of 41 tokens, but the model has positions for 40", "bench", "step", "--model_name_or_path",
               "model", "--sequence_length", "41", "--curve");
}

// Two special tokens and three to five words a text.
static void steps_of_real_texts(void **state)
{
    skip_in_gpu_form();
    json_t *b = json_of(run("bench", "step", "--model_name_or_path", "model", "--text_file", "dev.tsv", "--batch_size",
                            "4", "--objective", "joint", "--noise_ratio", "2", "--repeats", "3", "--json"));
    const json_t *list = results_of(b, 3);
    row_named(list, "joint step, hidden, K = 2, separate, model, 4 of dev.tsv");
    assert_true(number(b, "tokens") > 16 * (2 + 2) && number(b, "tokens") < 16 * (2 + 6));
    assert_null(json_object_get(b, "sequence_length"));
    json_decref(b);
    json_t *cut = json_of(run("bench", "step", "--model_name_or_path", "model", "--text_file", "dev.tsv",
                              "--max_seq_length", "4", "--batch_size", "4", "--repeats", "1", "--json"));
    assert_true(number(cut, "tokens") <= 16);
    json_decref(cut);
}

static void generation_is_timed(void **state)
{
    json_t *b = json_of(run("bench", "noise", "--random", "--layers", "1", "--hidden", "32", "--vocabulary", "64",
                            "--slots", "4", "--new_tokens", "8", "--prompt_tokens", "3", "--repeats", "2", "--json"));
    const json_t *list = results_of(b, 2);
    assert_header(b, "noise");
    assert_string_equal(string(json_array_get(list, 0), "unit"), "tokens/s");
    assert_true(number(b, "tokens") >= 2 * 8 && number(b, "tokens") <= 2 * 8 * 8); // 2 runs of 8 texts of 1 to 8 tokens
    assert_true(number(b, "tokens_per_s") > 0);
    json_decref(b);
}

static void evaluation_is_timed(void **state)
{
    skip_in_gpu_form();
    json_t *b = json_of(run("bench", "eval", "--model_name_or_path", "model", "--text_file", "dev.tsv", PEAKS,
                            "--repeats", "3", "--json"));
    const json_t *list = results_of(b, 3);
    assert_header(b, "eval");
    const json_t *all = row_named(list, "eval, model, dev.tsv");
    assert_int_equal((int)number(b, "texts"), ROWS);
    assert_true(number(b, "tokens") > ROWS * 4 && number(b, "tokens") < ROWS * 9);
    assert_true(near(number(b, "texts_per_s") * number(b, "median_s"), ROWS));
    assert_true(near(number(all, "rate"), number(b, "texts_per_s")));
    assert_true(number(row_named(list, "its predictions, model, dev.tsv"), "min_s") <= number(all, "max_s"));
    assert_true(number(all, "floor_s") > 0);
    assert_null(json_object_get(row_named(list, "its tokens, model, dev.tsv"), "floor_s"));
    json_decref(b);
    json_t *random = json_of(run("bench", "eval", "--random", "minilm-l6", "--tokenizer", "model", "--text_file",
                                 "dev.tsv", PEAKS, "--token_budget", "512", "--repeats", "1", "--json"));
    assert_string_equal(string(random, "model"), "minilm-l6");
    json_decref(random);
}

static void encoding_is_timed(void **state)
{
    skip_in_gpu_form();
    json_t *b = json_of(
        run("bench", "tokenizer", "--tokenizer", "model", "--text_files", "plain.txt", "--repeats", "2", "--json"));
    const json_t *list = results_of(b, 2);
    assert_string_equal(string(b, "bench"), "tokenizer");
    assert_int_equal((int)number(b, "lines"), 2);
    assert_int_equal((int)number(b, "tokens"), 7 + 4);
    assert_int_equal(strncmp(string(json_array_get(list, 0), "name"), "2 lines, 11 tokens, ids ", 24), 0);
    json_decref(b);
}

// ---- side by side

static void put_result(const char *name, const char *device, const char *row, double median, double rate)
{
    char text[600];
    snprintf(
        text, sizeof text,
        "{\"bench\": \"step\", \"version\": \"1.0\", \"device\": \"%s\", \"driver\": \"7\", \"results\": [{\"name\""
        ": \"%s\", \"median_s\": %g, \"min_s\": %g, \"max_s\": %g, \"unit\": \"tokens/s\", \"rate\": %g,"
        " \"rate_min\": %g, \"rate_max\": %g, \"share\": 0.5}]}",
        device, row, median, 0.5 * median, 2 * median, rate, 0.5 * rate, 2 * rate);
    put(name, text);
}

static void results_stand_side_by_side(void **state)
{
    put_result("a.json", "fast", "a|step", 0.5, 30);
    put_result("b.json", "slow", "a|step", 1.5, 10);
    put_result("c.json", "fast", "another", 1, 8);
    assert_prints(run("bench", "compare", "a.json", "b.json", "c.json"),
                  PARTS("- A: fast, ?, driver 7", "ebmcl 1.0 (a.json, c.json)", "- B: slow",
                        "| a/step  | 30.0 tokens/s (15.0-60.0), 50 % | 10.0 tokens/s (5.0-20.0), 50 % | 0.33  |",
                        "| another | 8.0 tokens/s (4.0-16.0), 50 %   |                                |       |"));
    // the same device with the same rows again: two versions of a program
    assert_prints(run("bench", "compare", "--files", "a.json", "a.json"), PARTS("- B: fast", "| B / A |", "| 1.00  |"));
}

static void what_the_parts_print_can_be_compared(void **state)
{
    skip_in_gpu_form();
    ran step = run("bench", "step", SMALL, "--repeats", "1", "--json");
    ran device = run("bench", "device", "--buffer_mib", "1", "--repeats", "1", "--json");
    ran tokens = run("bench", "tokenizer", "--tokenizer", "model", "--text_files", "plain.txt", "--json");
    put("step.json", step.out);
    put("device.json", device.out);
    put("tokens.json", tokens.out);
    ran page = run("bench", "compare", "step.json", "device.json", "tokens.json");
    assert_int_equal(page.code, 0);
    assert_non_null(strstr(page.out, "(step.json, device.json, tokens.json)"));
    assert_non_null(strstr(page.out, "| ce step, model, 3 x 16 "));
    assert_non_null(strstr(page.out, "| launch, many queued "));
    assert_non_null(strstr(page.out, "2 lines, 11 tokens"));
    assert_null(strstr(page.out, "- B: "));
    free_ran(&step), free_ran(&device), free_ran(&tokens), free_ran(&page);
}

// ---- what is wrong

static void wrong_parts_and_models(void **state)
{
    skip_in_gpu_form();
    assert_bad("expected a part: device, gemm", "bench");
    assert_bad("unknown part 'stpe'; did you mean 'step'?", "bench", "stpe");
    assert_bad("one of them", "bench", "gemm");
    assert_bad("one of them", "bench", "kernels");
    assert_bad("one of them", "bench", "step");
    assert_bad("one of them", "bench", "step", "--random", "minilm-l6", "--model_name_or_path", "model");
    assert_bad("one of them", "bench", "eval", "--text_file", "dev.tsv");
    assert_bad("one of them", "bench", "noise");
    assert_bad("--noise_model: model/nothing: no such directory", "bench", "noise", "--noise_model", "model/nothing");
}

static void wrong_sizes(void **state)
{
    skip_in_gpu_form();
    assert_bad("--repeats", "bench", "device", "--repeats", "0");
    assert_bad("MiB", "bench", "device", "--buffer_mib", "1000000");
    assert_bad("--backends: expected some of cpu, bf16, clblast, plain, found 'cup'", "bench", "gemm", "--random",
               "minilm-l6", "--backends", "cup");
    assert_bad("--backends: cpu is there twice", "bench", "gemm", "--random", "minilm-l6", "--backends", "cpu", "cpu");
    assert_bad("texts of 41 tokens, but the model has positions for 40", "bench", "step", "--model_name_or_path",
               "model", "--sequence_length", "41");
    assert_bad("texts of 41 tokens, but the model has positions for 40", "bench", "kernels", "--model_name_or_path",
               "model", "--sequence_length", "41");
    assert_bad("expected at most 256 together", "bench", "noise", "--random", "--prompt_tokens", "200", "--new_tokens",
               "100");
}

static void wrong_texts(void **state)
{
    skip_in_gpu_form();
    assert_bad("texts are needed: --text_file", "bench", "eval", "--model_name_or_path", "model");
    assert_bad("needs --tokenizer", "bench", "eval", "--random", "minilm-l6", "--text_file", "dev.tsv");
    assert_bad("needs --tokenizer", "bench", "step", "--random", "minilm-l6", "--text_file", "dev.tsv");
    assert_bad("none.tsv", "bench", "eval", "--model_name_or_path", "model", "--text_file", "none.tsv");
    assert_bad("empty.tsv", "bench", "step", "--model_name_or_path", "model", "--text_file", "empty.tsv");
    assert_bad("colour", "bench", "eval", "--model_name_or_path", "model", "--text_file", "dev.tsv", "--text_column",
               "colour");
}

static void wrong_results(void **state)
{
    put("broken.json", "{\n\"bench\": ");
    put("other.json", "{\"accuracy\": 1}");
    put("negative.json",
        "{\"bench\": \"step\", \"version\": \"1\", \"results\": [{\"name\": \"x\", \"median_s\": -1}]}");
    assert_bad("--files is required", "bench", "compare");
    assert_bad("gone.json", "bench", "compare", "gone.json");
    assert_bad("broken.json:", "bench", "compare", "broken.json");
    assert_bad("other.json: expected what ebmcl bench --json prints", "bench", "compare", "other.json");
    assert_bad("negative.json: result 1", "bench", "compare", "negative.json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_part_has_help),
        cmocka_unit_test(the_device_is_measured),
        cmocka_unit_test(the_products_are_those_of_a_step),
        cmocka_unit_test(products_of_a_noise_model),
        cmocka_unit_test(no_product_is_empty),
        cmocka_unit_test(kernels_are_timed),
        cmocka_unit_test(kernels_of_the_other_families),
        cmocka_unit_test(steps_are_timed),
        cmocka_unit_test(a_curve_is_measured),
        cmocka_unit_test(steps_of_real_texts),
        cmocka_unit_test(generation_is_timed),
        cmocka_unit_test(evaluation_is_timed),
        cmocka_unit_test(encoding_is_timed),
        cmocka_unit_test(results_stand_side_by_side),
        cmocka_unit_test(what_the_parts_print_can_be_compared),
        cmocka_unit_test(wrong_parts_and_models),
        cmocka_unit_test(wrong_sizes),
        cmocka_unit_test(wrong_texts),
        cmocka_unit_test(wrong_results),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
