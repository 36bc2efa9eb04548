#include "program_cache.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    char magic[8];
    uint32_t version, identity_length;
    uint64_t binary_length, checksum;
} header;

static const char MAGIC[8] = {'E', 'B', 'M', 'C', 'L', 'P', 'R', 'G'};
enum { VERSION = 1 };
static const uint64_t FNV_START = 14695981039346656037u;

static uint64_t fnv(uint64_t hash, const void *data, size_t length)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < length; i++) hash = (hash ^ bytes[i]) * 1099511628211u;
    return hash;
}

uint64_t ebm_cache_key(const char *identity) { return fnv(FNV_START, identity, strlen(identity)); }

static bool is_enabled(const ebm_device *device)
{
    const char *setting = getenv("EBMCL_CACHE");
    if (setting && strcmp(setting, "on") == 0) return true;
    if (setting && strcmp(setting, "off") == 0) return false;
    return !strstr(device->info.platform_name, "Portable Computing Language") &&
           !strstr(device->info.platform_name, "NVIDIA");
}

bool ebm_cache_folder(char *folder, size_t size)
{
    const char *own = getenv("EBMCL_CACHE_DIR"), *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (own && *own)
        snprintf(folder, size, "%s", own);
    else if (xdg && *xdg)
        snprintf(folder, size, "%s/ebmcl", xdg);
    else if (home && *home)
        snprintf(folder, size, "%s/.cache/ebmcl", home);
    else
        return false;
    return true;
}

static void make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(path, 0777);
        *slash = '/';
    }
    mkdir(path, 0777);
}

static void make_identity(const ebm_device *device, const char *source, const char *options, char *text, size_t size)
{
    snprintf(text, size, "%s\n%s\n%s\n%s\n%016" PRIx64, device->info.platform_name, device->info.name,
             device->info.driver, options, fnv(FNV_START, source, strlen(source)));
}

static bool find_path(const ebm_device *device, const char *identity, char *folder, size_t folder_size, char *path,
                      size_t path_size)
{
    if (!is_enabled(device) || !ebm_cache_folder(folder, folder_size)) return false;
    const int length = snprintf(path, path_size, "%s/%016" PRIx64 ".bin", folder, ebm_cache_key(identity));
    return length > 0 && (size_t)length < path_size;
}

// The binary of a file that is whole and is about this program, or NULL.
static unsigned char *read_entry(FILE *file, const char *identity, size_t *length)
{
    header head;
    char found[1536];
    const size_t expected = strlen(identity);
    if (fread(&head, sizeof head, 1, file) != 1 || memcmp(head.magic, MAGIC, sizeof MAGIC) != 0 ||
        head.version != VERSION || head.identity_length != expected || expected > sizeof found ||
        head.binary_length == 0 || head.binary_length > (1u << 30))
        return NULL;
    if (fread(found, 1, expected, file) != expected || memcmp(found, identity, expected) != 0) return NULL;
    unsigned char *binary = malloc(head.binary_length);
    if (!binary) return NULL;
    const bool whole = fread(binary, 1, head.binary_length, file) == head.binary_length && fgetc(file) == EOF &&
                       fnv(fnv(FNV_START, identity, expected), binary, head.binary_length) == head.checksum;
    if (!whole) {
        free(binary);
        return NULL;
    }
    *length = head.binary_length;
    return binary;
}

cl_program ebm_program_cache_load(const ebm_device *device, const char *source, const char *options)
{
    char identity[1536], folder[512], path[640];
    make_identity(device, source, options, identity, sizeof identity);
    if (!find_path(device, identity, folder, sizeof folder, path, sizeof path)) return NULL;
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    size_t length = 0;
    unsigned char *binary = read_entry(file, identity, &length);
    fclose(file);
    if (!binary) return NULL;
    cl_int code = CL_SUCCESS, loaded = CL_SUCCESS;
    const unsigned char *view = binary;
    cl_program program = clCreateProgramWithBinary(device->context, 1, &device->id, &length, &view, &loaded, &code);
    free(binary);
    if (code == CL_SUCCESS && loaded == CL_SUCCESS) return program;
    if (program) clReleaseProgram(program);
    return NULL;
}

static bool write_entry(const char *path, const char *identity, const unsigned char *binary, size_t length)
{
    char temporary[700];
    snprintf(temporary, sizeof temporary, "%s.%ld", path, (long)getpid());
    FILE *file = fopen(temporary, "wb");
    if (!file) return false;
    header head = {.version = VERSION, .identity_length = (uint32_t)strlen(identity), .binary_length = length};
    memcpy(head.magic, MAGIC, sizeof MAGIC);
    head.checksum = fnv(fnv(FNV_START, identity, strlen(identity)), binary, length);
    bool good = fwrite(&head, sizeof head, 1, file) == 1;
    good = good && fwrite(identity, 1, head.identity_length, file) == head.identity_length;
    good = good && fwrite(binary, 1, length, file) == length;
    good = (fclose(file) == 0) && good;
    if (!good || rename(temporary, path) != 0) {
        unlink(temporary);
        return false;
    }
    return true;
}

void ebm_program_cache_store(const ebm_device *device, const char *source, const char *options, cl_program program)
{
    char identity[1536], folder[512], path[640];
    make_identity(device, source, options, identity, sizeof identity);
    if (!find_path(device, identity, folder, sizeof folder, path, sizeof path)) return;
    size_t length = 0;
    if (clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof length, &length, NULL) != CL_SUCCESS || !length)
        return;
    unsigned char *binary = malloc(length);
    if (!binary) return;
    if (clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof binary, &binary, NULL) == CL_SUCCESS) {
        make_folders(folder);
        write_entry(path, identity, binary, length);
    }
    free(binary);
}
