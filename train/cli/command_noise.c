// ebmcl noise: its two commands.
#include <stdio.h>
#include <string.h>

#include "command_noise.h"
#include "program.h"

ebm_status ebm_command_noise(int argc, char **argv)
{
    if (argc > 0 && strcmp(argv[0], "train") == 0) return ebm_command_noise_train(argc - 1, argv + 1);
    if (argc > 0 && strcmp(argv[0], "sample") == 0) return ebm_command_noise_sample(argc - 1, argv + 1);
    if (argc > 0 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)) {
        puts("usage: ebmcl noise train [options]      trains a noise model\n"
             "       ebmcl noise sample [options]     writes its samples to a file");
        return ebm_ok();
    }
    return ebm_fail(EBM_ERROR_INPUT, "ebmcl noise takes 'train' or 'sample', found %.60s",
                    argc > 0 ? argv[0] : "nothing");
}
