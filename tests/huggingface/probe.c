// Which command, and how a status becomes an exit code.
#include "probe.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int arguments;
    probe_command *run;
    const char *usage;
} COMMANDS[] = {
    {"tokens", 3, probe_tokens, "MODEL REQUESTS ANSWERS"},
    {"hidden", 3, probe_hidden, "MODEL BATCH ANSWER"},
    {"outputs", 3, probe_outputs, "MODEL BATCH ANSWER"},
    {"gradients", 6, probe_gradients, "MODEL BATCH ANSWER ce|ENERGY K separate|shared"},
    {"train", 6, probe_train, "MODEL BATCH ANSWER ce|ENERGY K separate|shared"},
    {"decoder", 3, probe_decoder, "MODEL BATCH ANSWER"},
    {"decoder-gradients", 3, probe_decoder_gradients, "MODEL BATCH ANSWER"},
    {"decoder-train", 3, probe_decoder_train, "MODEL BATCH ANSWER"},
    {"generate", 4, probe_generate, "MODEL PROMPTS SAVED TOP_K"},
};
enum { COMMAND_COUNT = sizeof COMMANDS / sizeof *COMMANDS };

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < COMMAND_COUNT; i++) {
        if (strcmp(argv[1], COMMANDS[i].name) != 0 || argc - 2 != COMMANDS[i].arguments) continue;
        const ebm_status status = COMMANDS[i].run(argv + 2);
        if (status.code != EBM_OK) fprintf(stderr, "%s: %s\n", COMMANDS[i].name, status.message);
        return status.code == EBM_OK ? 0 : 1;
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(stderr, "%s %s %s\n", argv[0], COMMANDS[i].name, COMMANDS[i].usage);
    return 2;
}
