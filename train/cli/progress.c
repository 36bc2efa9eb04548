#include "progress.h"

#include <inttypes.h>
#include <stdio.h>

#include "program.h"

static void show_step(void *context, const ebm_progress *p)
{
    char left[16], noise[64] = "";
    ebm_program_duration(p->seconds_left, left);
    if (p->joint)
        snprintf(noise, sizeof noise, "  ce %.3f nce %.3f noise %2.0f %%", p->cross_entropy, p->nce,
                 100 * p->noise_share);
    if (p->half_changed)
        ebm_program_say("step %" PRIu64 ": activations in half are scaled by %g from now on (%" PRIu64
                        " steps skipped so far)",
                        p->step, p->half_scale, p->skipped);
    ebm_program_progress("step %" PRIu64 "/%" PRIu64 "  loss %.4f%s  %.0f tokens/s  %s left", p->step, p->total_steps,
                         p->loss, noise, p->tokens_per_second, left);
}

static void show_evaluation(void *context, const ebm_trainer_evaluation *e)
{
    char noise[112] = "";
    if (e->has_noise)
        snprintf(noise, sizeof noise, "  told apart %.3f (AUROC %.3f)  mean e^-E %.2f  effective %.3f", e->told_apart,
                 e->auroc, e->mean_exp, e->effective_share);
    ebm_program_say("step %" PRIu64 " (epoch %.2f): accuracy %.4f  NLL %.4f  class-wise ECE %.4f%s%s", e->step,
                    e->epoch, e->value[EBM_ACCURACY], e->value[EBM_NLL], e->value[EBM_ECE_CLASS_WISE], noise,
                    e->is_best ? "  best" : "");
}

static void show_saved(void *context, const char *name) { ebm_program_progress("saved %s", name); }

ebm_trainer_listener ebm_program_trainer_listener(void)
{
    const ebm_trainer_listener listener = {NULL, show_step, show_evaluation, show_saved};
    return listener;
}

static void show_noise_step(void *context, const ebm_noise_progress *p)
{
    char left[16];
    ebm_program_duration(p->seconds_left, left);
    ebm_program_progress("step %" PRIu64 "/%" PRIu64 "  loss %.4f  %.0f tokens/s  %s left", p->step, p->total_steps,
                         p->loss, p->tokens_per_second, left);
}

static void show_noise_evaluation(void *context, const ebm_noise_evaluation *e)
{
    ebm_program_say("step %" PRIu64 " (epoch %.2f): held-out perplexity %.2f%s", e->step, e->epoch, e->perplexity,
                    e->is_best ? "  best" : "");
}

ebm_noise_listener ebm_program_noise_listener(void)
{
    const ebm_noise_listener listener = {NULL, show_noise_step, show_noise_evaluation};
    return listener;
}
