// Runs this program once more as a process of its own, with a file of options. What it prints goes to a log.
//
//     int code = 0;
//     EBM_TRY(ebm_program_again((const char *const[]){"train", "cell/train.json", NULL}, "cell/log.txt", &code));
//
// A signal to stop (ebm_program_stop_flag) is handed on once, so that the other process keeps its checkpoint and ends;
// then EBM_ERROR_INTERRUPTED. Descriptors without FD_CLOEXEC stay open in it.
#ifndef EBM_AGAIN_H
#define EBM_AGAIN_H

#include <jansson.h>
#include <stddef.h>

#include "status.h"

// arguments: what stands behind the program's name, NULL-terminated. The log is written anew.
ebm_status ebm_program_again(const char *const *arguments, const char *log, int *exit_code);

// Options of a training into `directory`: to go on from the newest checkpoint that one which was stopped left there,
// else to replace what it holds.
ebm_status ebm_program_go_on(const char *directory, json_t *options);

// The last line of a log that says what went wrong, for a message; "" when there is none.
void ebm_program_last_words(const char *log, char *text, size_t size);

#endif
