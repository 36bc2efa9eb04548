#include "half_scale.h"

#include <math.h>

static const double LEAST = 1.0 / 256, MOST = 65536;
enum { INTERVAL = 2000 };

static bool is_scale(double scale)
{
    int exponent;
    return scale >= LEAST && scale <= MOST && frexp(scale, &exponent) == 0.5;
}

ebm_status ebm_half_settings_check(const ebm_half_settings *s)
{
    if (!s->on || s->first == 0 || is_scale(s->first)) return ebm_ok();
    return ebm_fail(EBM_ERROR_INPUT,
                    "the first scale of activations in half: a power of two from 2^-8 to 2^16 expected,"
                    " found %g",
                    s->first);
}

ebm_half_scale ebm_half_scale_start(const ebm_half_settings *s)
{
    return (ebm_half_scale){.scale = s->first > 0 ? s->first : 1};
}

void ebm_half_scale_good(ebm_half_scale *h, const ebm_half_settings *s)
{
    if (++h->good < (s->interval ? s->interval : INTERVAL) || h->scale >= 1) return;
    h->scale *= 2;
    h->good = 0;
}

ebm_status ebm_half_scale_back_off(ebm_half_scale *h, ebm_status why)
{
    if (h->scale / 2 < LEAST)
        return ebm_in(why, "with activations in half, scaled by 2^%d", (int)lrint(log2(h->scale)));
    h->scale /= 2;
    h->good = 0;
    h->skipped++;
    return ebm_ok();
}

json_t *ebm_half_scale_json(const ebm_half_scale *h)
{
    return json_pack("{s:f s:I s:I}", "scale", h->scale, "good_steps", (json_int_t)h->good, "skipped_steps",
                     (json_int_t)h->skipped);
}

ebm_status ebm_half_scale_restore(ebm_half_scale *h, const json_t *json)
{
    const json_t *good = json_object_get(json, "good_steps"), *skipped = json_object_get(json, "skipped_steps");
    const double scale = json_number_value(json_object_get(json, "scale"));
    if (!is_scale(scale) || !json_is_integer(good) || json_integer_value(good) < 0 || !json_is_integer(skipped) ||
        json_integer_value(skipped) < 0)
        return ebm_fail(EBM_ERROR_INPUT, "\"half_scale\" must have a scale (a power of two), good_steps and"
                                         " skipped_steps");
    *h = (ebm_half_scale){scale, (uint64_t)json_integer_value(good), (uint64_t)json_integer_value(skipped)};
    return ebm_ok();
}
