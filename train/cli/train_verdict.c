#include "train_verdict.h"

#include <math.h>

#include "program.h"

enum { FEW_TEXTS = 100 }; // fewer say nothing of chance

// Where labels are hard to learn their gradients begin small; NCE's, which are clipped together with them, can then be
// all that is left. The correlation of independent labels has a standard deviation of 1 / sqrt(texts).
void ebm_program_say_guessing(const ebm_trainer *trainer, size_t texts, const char *advice)
{
    ebm_trainer_evaluation best;
    if (texts < FEW_TEXTS || !ebm_trainer_best(trainer, &best)) return;
    const double matthews = best.value[EBM_MATTHEWS], chance = 2 / sqrt((double)texts);
    if (!(matthews < chance)) return;
    ebm_program_say("warning: the predicted labels cannot be told from guessing: their correlation with the true ones "
                    "(Matthews) is %.3f, of %zu texts chance alone gives up to %.3f; %s",
                    matthews, texts, chance, advice);
}

static double number(const json_t *results, const char *key)
{
    return json_number_value(json_object_get(results, key));
}

// Mean probability of the predicted labels.
static double mean_confidence(const json_t *results)
{
    const json_t *bin;
    size_t i;
    double sum = 0, count = 0;
    json_array_foreach(json_object_get(results, "reliability"), i, bin)
    {
        sum += number(bin, "count") * number(bin, "confidence");
        count += number(bin, "count");
    }
    return count > 0 ? sum / count : 0;
}

void ebm_program_say_calibration(const json_t *results, bool focal)
{
    const double texts = number(results, "examples"), right = number(results, "accuracy");
    const double sure = mean_confidence(results);
    if (texts < FEW_TEXTS || !json_object_get(results, "ece_class_wise_floor_p")) return;
    ebm_program_say("calibration, %.0f texts: predicted labels have a probability of %.3f on average, %.3f of them are "
                    "right; class-wise ECE %.3f, of a calibrated model %.3f (95 %%: up to %.3f)",
                    texts, sure, right, number(results, "ece_class_wise"), number(results, "ece_class_wise_floor"),
                    number(results, "ece_class_wise_floor_95"));
    if (number(results, "ece_class_wise_floor_p") > 0.05) return;
    ebm_program_say("its probabilities are too %s: `ebmcl calibrate` fits a temperature to held-out texts%s",
                    sure > right ? "high" : "low",
                    focal && sure > right ? "; --focal_gamma auto or joint training lower them without any" : "");
}
