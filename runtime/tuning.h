// What `ebmcl tune` found out about a device: who does which products, and with which parameters of CLBlast.
//
// One JSON file for each device, driver and kernel form, tuning-<name>-<key>.json in the folder of the program cache
// (program_cache.h: $EBMCL_CACHE_DIR, else $XDG_CACHE_HOME/ebmcl, else ~/.cache/ebmcl; key: FNV-1a of platform, name,
// driver and form):
//     {"format": 1, "platform": "...", "device": "...", "driver": "...", "kernels": "gpu",
//      "products": {"nn": {"1-64": "plain", "65-512": "clblast", "513-": "clblast"}, "nt": {...}, "tn": {...}},
//      "clblast": {"name": "pascal", "Xgemm": {"GEMMK": 0, ...}, ...}}       kernels that are not there: its database
//
// gemm.h reads it before the first product. EBMCL_TUNING=FILE names another file, which then must be good; off: none. A
// file of that folder that is broken or was copied from elsewhere is not used, and ebm_gemm_note says so: defaults are
// in force, nothing fails. The file is part of what makes bits come out the same.
#ifndef EBM_TUNING_H
#define EBM_TUNING_H

#include "clblast_parameters.h"
#include "device.h"
#include "gemm.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { EBM_BACKEND_CPU, EBM_BACKEND_CLBLAST, EBM_BACKEND_PLAIN, EBM_BACKENDS } ebm_backend;
const char *ebm_backend_name(ebm_backend backend); // "cpu", "clblast", "plain"

// Classes of products: the form, and the rows of C.
enum { EBM_GEMM_FORMS = EBM_GEMM_TN + 1, EBM_ROW_CLASSES = 3 };
size_t ebm_row_class(size_t m);              // up to 64 rows, up to 512, more
const char *ebm_row_class_name(size_t rows); // "1-64", "65-512", "513-"
const char *ebm_gemm_form_name(ebm_gemm_form form);

typedef struct {
    ebm_backend backend[EBM_GEMM_FORMS][EBM_ROW_CLASSES];
    char name[32]; // of the set of parameters
    ebm_clblast_parameters parameters;
} ebm_tuning;

// The file of this device in the cache's folder, whether it is there or not, for the caller to free(). NULL without
// error when there is no such folder to be had (no HOME).
ebm_status ebm_tuning_path(const ebm_device *device, char **path);
// EBM_ERROR_INPUT for a file that is broken or about another device. Backends that the device's kernel form does not
// have and parameters that CLBlast cannot have are refused.
ebm_status ebm_tuning_read(const ebm_device *device, const char *path, ebm_tuning *tuning);
// Makes the folder when it is not there.
ebm_status ebm_tuning_write(const ebm_device *device, const char *path, const ebm_tuning *tuning);

#ifdef __cplusplus
}
#endif
#endif
