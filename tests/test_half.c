// Halves against a reference in double precision: every half there is, every tie between two, and edge sizes.
#include <float.h>
#include <string.h>

#include "half.h"
#include "on_device.h"

// Nearest half of a float, ties to even, from the definition: whole multiples of its last bit's value.
static uint16_t reference_half(float x)
{
    const double size = fabs((double)x);
    const uint16_t sign = signbit(x) ? 0x8000 : 0;
    if (isnan(x)) return sign | 0x7e00;
    if (size >= 65520) return sign | 0x7c00;
    const int exponent = size < 0x1p-14 ? -14 : ilogb(size);
    const int multiple = (int)nearbyint(ldexp(size, 10 - exponent)); // up to 2048, which carries into the exponent
    return (uint16_t)(sign | (multiple + (size < 0x1p-14 ? 0 : (exponent + 14) * 1024)));
}

static float reference_float(uint16_t half)
{
    const int exponent = half >> 10 & 31, fraction = half & 1023;
    const double size = exponent == 31 ? (double)(fraction ? NAN : INFINITY)
                        : exponent     ? ldexp(1024 + fraction, exponent - 25)
                                       : ldexp(fraction, -24);
    return (float)(half & 0x8000 ? -size : size);
}

static float from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static bool same(float a, float b) { return isnan(a) ? isnan(b) : bits_of(a) == bits_of(b); }

static void *room(size_t bytes)
{
    void *memory = calloc(bytes + 4, 1);
    assert_non_null(memory);
    return memory;
}

// Packs and unpacks `count` floats; the other half of the last element, with an odd count, must stay.
static void there_and_back(const float *x, size_t count, float scale)
{
    const size_t elements = ebm_half_elements(count);
    uint16_t *halves = room(4 * elements);
    float *back = room(4 * count);
    memset(halves, 0x5a, 4 * elements);
    const ebm_slice from = put(x, count), packed = put(halves, elements), to = put(NULL, count);
    assert_ok(ebm_half_pack(device, packed, from, count, scale));
    assert_ok(ebm_half_unpack(device, to, packed, count, scale));
    get(packed, elements, halves);
    get(to, count, back);
    if (count % 2) assert_int_equal(halves[count], 0x5a5a);
    for (size_t i = 0; i < count; i++) {
        const uint16_t expected = reference_half(x[i] * scale);
        const float value = reference_float(expected) / scale;
        if (halves[i] != expected)
            fail_msg("%zu of %zu: %a times %g gave %04x, expected %04x", i, count, (double)x[i], (double)scale,
                     (unsigned)halves[i], (unsigned)expected);
        if (!same(back[i], value)) fail_msg("%04x gave %a, expected %a", expected, (double)back[i], (double)value);
    }
    free(halves);
    free(back);
}

static void every_half_comes_back(void **state)
{
    const size_t step = small_test() ? 61 : 1;
    uint16_t *halves = room(4 * 65536), *again = room(4 * 65536);
    float *x = room(4 * 65536);
    size_t count = 0;
    for (size_t h = 0; h < 65536; h += step) halves[count++] = (uint16_t)h;
    const ebm_slice packed = put(halves, ebm_half_elements(count)), wide = put(NULL, count);
    assert_ok(ebm_half_unpack(device, wide, packed, count, 1));
    get(wide, count, x);
    assert_ok(ebm_half_pack(device, packed, wide, count, 1));
    get(packed, ebm_half_elements(count), again);
    for (size_t i = 0; i < count; i++) {
        if (!same(x[i], reference_float(halves[i]))) fail_msg("%04x gave %a", halves[i], (double)x[i]);
        if (!isnan(x[i])) assert_int_equal(again[i], halves[i]);
        if (isnan(x[i])) assert_int_equal(again[i], (halves[i] & 0x8000) | 0x7e00);
    }
    free(halves);
    free(again);
    free(x);
}

// The middle of two neighbours, exact as a float, and the floats beside it.
static void ties_go_to_even(void **state)
{
    const size_t step = small_test() ? 127 : 1;
    float *x = room(4 * 6 * 31744);
    size_t count = 0;
    for (size_t h = 0; h < 31744; h += step) { // the last one is that of 65504 and what would follow: 65520
        const double here = (double)reference_float((uint16_t)h);
        const double next = h == 31743 ? 65536 : (double)reference_float((uint16_t)(h + 1));
        const float middle = (float)((here + next) / 2);
        for (int sign = -1; sign <= 1; sign += 2) {
            x[count++] = (float)sign * middle;
            x[count++] = (float)sign * nextafterf(middle, 0);
            x[count++] = (float)sign * nextafterf(middle, INFINITY);
        }
    }
    there_and_back(x, count, 1);
    free(x);
}

static void what_is_special(void **state)
{
    const float special[] = {0.0f,
                             -0.0f,
                             INFINITY,
                             -INFINITY,
                             NAN,
                             -NAN,
                             FLT_MAX,
                             -FLT_MAX,
                             FLT_MIN,
                             from_bits(1),
                             65504,
                             65519.9f,
                             65520,
                             65536,
                             from_bits(0x7f800001),
                             0x1p-14f,
                             0x1p-24f,
                             0x1p-25f,
                             0x1.000002p-25f,
                             0x1.8p-24f,
                             0x1p-126f,
                             1e-30f,
                             from_bits(0x7fffff),
                             0x1.ffcp-15f,
                             0x1.ffep-15f};
    there_and_back(special, sizeof special / sizeof *special, 1);
    const float scaled[] = {65504, 1e6f, 1e5f, 3.14159f, -1e-4f, 0x1p-20f, 1048064, 1048320, -0.0f, INFINITY};
    there_and_back(scaled, sizeof scaled / sizeof *scaled, 0x1p-4f);
    there_and_back(scaled, sizeof scaled / sizeof *scaled, 0x1p10f);
}

static void any_size(void **state)
{
    static const size_t sizes[] = {1, 2, 3, 7, 15, 16, 17, 31, 33, 63, 257, 4095, 4096, 4097, 8192, 12301};
    uint32_t random = 12345;
    float *x = room(4 * 12301);
    for (size_t i = 0; i < 12301; i++) { // all exponents that a half has, and some beyond on both sides
        random = random * 1664525u + 1013904223u;
        x[i] = from_bits((random & 0x807fffff) | (100 + (random >> 24) % 46) << 23);
    }
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        if (!small_test() || sizes[s] < 300) there_and_back(x, sizes[s], s % 2 ? 1.0f : 0.5f);
    const ebm_slice from = put(x, 4), to = put(NULL, 2);
    assert_ok(ebm_half_pack(device, to, from, 0, 1));
    free(x);
}

static void what_does_not_fit_is_refused(void **state)
{
    ebm_slice x = put(NULL, 5), halves = put(NULL, 3);
    x.count = 5;
    halves.count = 3;
    assert_ok(ebm_half_pack(device, halves, x, 5, 1));
    assert_fails(ebm_half_pack(device, halves, x, 6, 1), EBM_ERROR_DEVICE, "6 elements need slices of 3 and 6");
    assert_fails(ebm_half_unpack(device, x, halves, 7, 1), EBM_ERROR_DEVICE, "half_unpack: 7 elements");
    static const float wrong[] = {0, 3, -1, 0.3f, NAN, INFINITY, 0x1p25f, 0x1p-25f};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_fails(ebm_half_pack(device, halves, x, 5, wrong[i]), EBM_ERROR_INPUT, "must be a power of two");
    assert_ok(ebm_half_pack(device, halves, x, 5, 0x1p24f));
    assert_ok(ebm_half_pack(device, halves, x, 5, 0x1p-24f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(every_half_comes_back, free_slices),
        cmocka_unit_test_teardown(ties_go_to_even, free_slices),
        cmocka_unit_test_teardown(what_is_special, free_slices),
        cmocka_unit_test_teardown(any_size, free_slices),
        cmocka_unit_test_teardown(what_does_not_fit_is_refused, free_slices),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
