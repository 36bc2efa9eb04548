// Programs, built on demand: source with its includes -> disk cache or compiler -> kernels, kept until the device
// closes.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device_internal.h"
#include "kernel_sources.h"
#include "program_cache.h"

enum { MAX_INCLUDE_DEPTH = 8, BUCKETS = 256 };

typedef struct built_program {
    struct built_program *next;
    char *key; // file, a newline, options
    cl_program program;
} built_program;

typedef struct built_kernel {
    struct built_kernel *next;
    char *key; // kernel name, a newline, the program's key
    cl_kernel kernel;
} built_kernel;

struct ebm_program_table {
    built_program *programs;
    built_kernel *buckets[BUCKETS];
};

typedef struct {
    char *text;
    size_t length, capacity;
} text_buffer;

static ebm_status append(text_buffer *out, const char *text, size_t length)
{
    if (out->length + length + 1 > out->capacity) {
        const size_t capacity = 2 * (out->length + length + 1);
        char *more = realloc(out->text, capacity);
        if (!more) return ebm_fail(EBM_ERROR_MEMORY, "no memory for kernel source");
        out->text = more;
        out->capacity = capacity;
    }
    memcpy(out->text + out->length, text, length);
    out->length += length;
    out->text[out->length] = 0;
    return ebm_ok();
}

static ebm_status read_from_disk(const char *folder, const char *name, char **text)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (!file) return ebm_fail(EBM_ERROR_INPUT, "EBMCL_KERNEL_DIR: %s cannot be read", path);
    text_buffer all = {0};
    char block[4096];
    size_t got;
    ebm_status status = append(&all, "", 0);
    while (status.code == EBM_OK && (got = fread(block, 1, sizeof block, file)) > 0) status = append(&all, block, got);
    fclose(file);
    *text = all.text;
    return status;
}

// The text of one file, embedded or on disk; *owned is to be freed and may be NULL.
static ebm_status find_source(const char *name, const char **text, char **owned)
{
    const char *folder = getenv("EBMCL_KERNEL_DIR");
    *owned = NULL;
    if (folder && *folder) {
        const ebm_status status = read_from_disk(folder, name, owned);
        *text = *owned;
        return status;
    }
    for (size_t i = 0; i < ebm_kernel_source_count; i++)
        if (strcmp(ebm_kernel_sources[i].name, name) == 0) {
            *text = ebm_kernel_sources[i].text;
            return ebm_ok();
        }
    return ebm_fail(EBM_ERROR_DEVICE, "kernel file %s is not part of the library", name);
}

uint64_t ebm_program_sources_hash(void)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < ebm_kernel_source_count; i++) {
        const char *text = NULL;
        char *owned = NULL;
        if (find_source(ebm_kernel_sources[i].name, &text, &owned).code == EBM_OK)
            hash = hash * 1099511628211u ^ ebm_cache_key(text);
        free(owned);
    }
    return hash;
}

static ebm_status append_file(text_buffer *out, const char *name, int depth);

// `#include "name"` lines are replaced by the file: compilers of drivers have no include path into our library.
static ebm_status append_line(text_buffer *out, const char *line, size_t length, const char *file, int depth)
{
    static const char directive[] = "#include \"";
    if (strncmp(line, directive, sizeof directive - 1) != 0) return append(out, line, length);
    const char *start = line + sizeof directive - 1, *end = memchr(start, '"', (size_t)(line + length - start));
    char name[64];
    if (!end || (size_t)(end - start) >= sizeof name)
        return ebm_fail(EBM_ERROR_DEVICE, "kernel file %s: broken include line", file);
    snprintf(name, sizeof name, "%.*s", (int)(end - start), start);
    return append_file(out, name, depth + 1);
}

static ebm_status append_file(text_buffer *out, const char *name, int depth)
{
    if (depth > MAX_INCLUDE_DEPTH) return ebm_fail(EBM_ERROR_DEVICE, "kernel file %s: includes nest too deeply", name);
    const char *text = NULL;
    char *owned = NULL;
    ebm_status status = find_source(name, &text, &owned);
    while (status.code == EBM_OK && *text) {
        const char *newline = strchr(text, '\n');
        const size_t length = newline ? (size_t)(newline - text) + 1 : strlen(text);
        status = append_line(out, text, length, name, depth);
        text += length;
    }
    free(owned);
    return status;
}

static ebm_status build_failed(ebm_device *device, cl_program program, const char *file, const char *options,
                               cl_int code)
{
    size_t size = 0;
    clGetProgramBuildInfo(program, device->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &size);
    char *log = calloc(size + 1, 1);
    if (log) clGetProgramBuildInfo(program, device->id, CL_PROGRAM_BUILD_LOG, size, log, NULL);
    const char *first = log ? strstr(log, "error") : NULL; // the sentence has room for the first error, not for the log
    while (first && first > log && first[-1] != '\n') first--;
    const char *said = first ? first : log ? log + strspn(log, " \n") : "no log";
    const size_t line = strcspn(said, "\n");
    const ebm_status status = ebm_fail(EBM_ERROR_DEVICE, "building %s with '%s' on %s failed (%d): %.*s", file, options,
                                       device->info.name, code, (int)(line < 200 ? line : 200), said);
    const char *keep = getenv("EBMCL_BUILD_LOG"); // the whole log, for developers
    FILE *out = keep && *keep && log ? fopen(keep, "w") : NULL;
    if (out) {
        fprintf(out, "%s\n%s\n%s\n", file, options, log);
        fclose(out);
    }
    free(log);
    return status;
}

static ebm_status compile(ebm_device *device, const char *file, const char *source, const char *options,
                          cl_program *out)
{
    cl_int code = CL_SUCCESS;
    cl_program program = ebm_program_cache_load(device, source, options);
    if (program) {
        if (clBuildProgram(program, 1, &device->id, options, NULL, NULL) == CL_SUCCESS) {
            *out = program;
            return ebm_ok();
        }
        clReleaseProgram(program); // stale for a reason the key does not know: build it anew
    }
    program = clCreateProgramWithSource(device->context, 1, &source, NULL, &code);
    EBM_TRY_CL(code, "%s: creating a program", file);
    code = clBuildProgram(program, 1, &device->id, options, NULL, NULL);
    if (code != CL_SUCCESS) {
        const ebm_status status = build_failed(device, program, file, options, code);
        clReleaseProgram(program);
        return status;
    }
    ebm_program_cache_store(device, source, options, program);
    *out = program;
    return ebm_ok();
}

// EBMCL_PROGRAM_LIST=FILE: a line for each program that is built, its file and its options, is added to FILE;
// tests/vendor compiles what is listed with the compilers of GPU vendors.
static ebm_status list_program(const char *file, const char *options)
{
    const char *list = getenv("EBMCL_PROGRAM_LIST");
    if (!list || !*list) return ebm_ok();
    FILE *out = fopen(list, "a");
    if (!out) return ebm_fail(EBM_ERROR_INPUT, "EBMCL_PROGRAM_LIST: %s cannot be written", list);
    const bool written = fprintf(out, "%s %s\n", file, options) > 0;
    if (fclose(out) != 0 || !written) return ebm_fail(EBM_ERROR_INPUT, "EBMCL_PROGRAM_LIST: writing %s failed", list);
    return ebm_ok();
}

static ebm_status get_program(ebm_device *device, const char *file, const char *macros, const char *key,
                              cl_program *out)
{
    for (built_program *p = device->programs->programs; p; p = p->next)
        if (strcmp(p->key, key) == 0) {
            *out = p->program;
            return ebm_ok();
        }
    char options[512];
    snprintf(options, sizeof options, "-cl-std=CL1.2 -cl-mad-enable -DLANES=%d -DGROUP=%d %s", device->lanes,
             device->group, macros);
    text_buffer source = {0};
    ebm_status status = append_file(&source, file, 0);
    cl_program program = NULL;
    if (status.code == EBM_OK) status = compile(device, file, source.text, options, &program);
    free(source.text);
    if (status.code == EBM_OK) status = list_program(file, options);
    if (status.code != EBM_OK) {
        if (program) clReleaseProgram(program);
        return status;
    }
    built_program *entry = calloc(1, sizeof *entry);
    char *kept = strdup(key);
    if (!entry || !kept) {
        free(entry);
        free(kept);
        clReleaseProgram(program);
        return ebm_fail(EBM_ERROR_MEMORY, "no memory for program %s", file);
    }
    *entry = (built_program){device->programs->programs, kept, program};
    device->programs->programs = entry;
    *out = program;
    return ebm_ok();
}

static size_t bucket_of(const char *key)
{
    uint32_t hash = 2166136261u; // FNV-1a
    for (; *key; key++) hash = (hash ^ (unsigned char)*key) * 16777619u;
    return hash % BUCKETS;
}

static ebm_status add_kernel(ebm_device *device, const char *file, const char *name, const char *macros,
                             const char *key, built_kernel **bucket, cl_kernel *out)
{
    cl_program program = NULL;
    EBM_TRY(get_program(device, file, macros, strchr(key, '\n') + 1, &program));
    cl_int code = CL_SUCCESS;
    cl_kernel kernel = clCreateKernel(program, name, &code);
    EBM_TRY_CL(code, "%s: kernel %s", file, name);
    built_kernel *entry = calloc(1, sizeof *entry);
    char *kept = strdup(key);
    if (!entry || !kept) {
        free(entry);
        free(kept);
        clReleaseKernel(kernel);
        return ebm_fail(EBM_ERROR_MEMORY, "no memory for kernel %s", name);
    }
    *entry = (built_kernel){*bucket, kept, kernel};
    *bucket = entry;
    *out = kernel;
    return ebm_ok();
}

ebm_status ebm_program_kernel(ebm_device *device, const char *file, const char *kernel, const char *macros,
                              cl_kernel *out)
{
    if (!device->programs) device->programs = calloc(1, sizeof *device->programs);
    if (!device->programs) return ebm_fail(EBM_ERROR_MEMORY, "no memory for the program table");
    char key[640];
    const int length = snprintf(key, sizeof key, "%s\n%s\n%s", kernel, file, macros);
    if (length < 0 || length >= (int)sizeof key) return ebm_fail(EBM_ERROR_DEVICE, "%s: macros too long", kernel);
    built_kernel **bucket = &device->programs->buckets[bucket_of(key)];
    for (built_kernel *k = *bucket; k; k = k->next)
        if (strcmp(k->key, key) == 0) {
            *out = k->kernel;
            return ebm_ok();
        }
    return add_kernel(device, file, kernel, macros, key, bucket, out);
}

void ebm_program_table_free(ebm_program_table *table)
{
    if (!table) return;
    for (size_t i = 0; i < BUCKETS; i++)
        for (built_kernel *k = table->buckets[i], *next; k; k = next) {
            next = k->next;
            clReleaseKernel(k->kernel);
            free(k->key);
            free(k);
        }
    for (built_program *p = table->programs, *next; p; p = next) {
        next = p->next;
        clReleaseProgram(p->program);
        free(p->key);
        free(p);
    }
    free(table);
}
