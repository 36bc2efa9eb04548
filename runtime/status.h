// Errors are values with a sentence.
//
//     ebm_status load(const char *path, model **out)
//     {
//         EBM_TRY(check_path(path));                       // nothing owned yet: return at once
//         ebm_status status = ebm_ok();
//         char *text = NULL;
//         EBM_CHECK(read_text(path, &text), end);          // something owned: leave by the one label
//         if (!*text) status = ebm_fail(EBM_ERROR_INPUT, "%s: the file is empty", path);
//     end:
//         free(text);
//         return status;
//     }
//
// The sentence names the thing (file and line, tensor, option, kernel), what was expected and what was found, without a
// final full stop. The library never prints and never exits; assert is for our own mistakes only.
#ifndef EBM_STATUS_H
#define EBM_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    EBM_OK = 0,
    EBM_ERROR_INPUT,       // a file, an option or an argument is wrong: the user can mend it
    EBM_ERROR_IO,          // reading or writing failed: full disk, no permission
    EBM_ERROR_MEMORY,      // host or device memory does not suffice
    EBM_ERROR_DEVICE,      // an OpenCL call or a kernel build failed
    EBM_ERROR_UNSUPPORTED, // valid, but not something this program can do
    EBM_ERROR_NONFINITE,   // a loss or gradient is NaN or infinite
    EBM_ERROR_INTERRUPTED, // a signal asked to stop
} ebm_code;

typedef struct {
    ebm_code code;
    char message[508]; // UTF-8, zero-terminated, cut at a character when too long; empty when code is EBM_OK
} ebm_status;

ebm_status ebm_ok(void);

// A status with a formatted sentence; code must not be EBM_OK. Ill-formed UTF-8 in it (names of broken files, names
// that the format cut) and control characters become '?'.
ebm_status ebm_fail(ebm_code code, const char *format, ...) __attribute__((format(printf, 2, 3), cold));

// The same status with "<context>: " put before its sentence; an EBM_OK status is returned as it is.
ebm_status ebm_in(ebm_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define EBM_TRY(expression)                                                                                            \
    do {                                                                                                               \
        const ebm_status ebm_status_of_call_ = (expression);                                                           \
        if (ebm_status_of_call_.code != EBM_OK) return ebm_status_of_call_;                                            \
    } while (0)

// Sets the variable `status` of the enclosing function and jumps to the label when the call failed.
#define EBM_CHECK(expression, label)                                                                                   \
    do {                                                                                                               \
        status = (expression);                                                                                         \
        if (status.code != EBM_OK) goto label;                                                                         \
    } while (0)

#ifdef __cplusplus
}
#endif
#endif
