/* SOFTMAX over rows of depth elements; output scale 1/256, zero point -128. No scratch; the output may be the
 * input's place. Integers only, gemmlowp's fixed point with LiteRT's layout of it. Bit-equal to LiteRT 2.3
 * BUILTIN_REF.
 *
 * weights: int32[256], exp(-scale * d) in Q0.31 for d = row maximum - x; entry 0 is 2^31 - 1. A row's sum,
 * Q12.19, is in [2^19, 4095 * 2^19].
 *
 * Source: gemmlowp fixedpoint/fixedpoint.h; LiteRT reference/softmax.h.
 */
#include "../kernel.h"
#include "../requant.h"

bool softmax_s8_flat_ref_supports(const void *params) {
    (void)params;
    return true;
}

uint32_t softmax_s8_flat_ref_scratch_bytes(const void *params) {
    (void)params;
    return 0;
}

static int32_t shift_left_saturating(int32_t x, int32_t left) {
    const int64_t shifted = (int64_t)x * (1 << left);
    return shifted > INT32_MAX ? INT32_MAX : shifted < INT32_MIN ? INT32_MIN : (int32_t)shifted;
}

/* 1 / (1 + a) for a in [0, 1), Q0.31 to Q0.31: three Newton-Raphson steps in Q2.29 from 48/17 - 32/17 * x. */
static int32_t one_over_one_plus(int32_t a) {
    const int32_t half_denominator = (int32_t)(((int64_t)a + INT32_MAX + 1) >> 1);
    int32_t x = 1515870810 + rounding_doubling_high_mul(half_denominator, -1010580540);
    for (int32_t i = 0; i < 3; i++) {
        const int32_t error = (1 << 29) - rounding_doubling_high_mul(half_denominator, x);
        x += shift_left_saturating(rounding_doubling_high_mul(x, error), 2);
    }
    return shift_left_saturating(x, 1);
}

static void softmax_row(const int8_t *in, int8_t *out, int32_t depth, const int32_t *table) {
    int32_t most = INT8_MIN;
    for (int32_t i = 0; i < depth; i++)
        if (in[i] > most) most = in[i];
    uint32_t total = 0;
    for (int32_t i = 0; i < depth; i++) total += (uint32_t)rounding_divide_by_pot(table[most - in[i]], 12);

    const int32_t headroom = __builtin_clz(total); /* 1 .. 12 */
    const int32_t scale = one_over_one_plus((int32_t)((total << headroom) - 0x80000000u));
    const int32_t exponent = 35 - headroom;
    for (int32_t i = 0; i < depth; i++) {
        const int32_t y = rounding_doubling_high_mul(table[most - in[i]], scale);
        /* y / 2^32 and less rounds to 0 */
        out[i] = (int8_t)add_clamp(exponent > 31 ? 0 : rounding_divide_by_pot(y, exponent), -128, -128, 127);
    }
}

void softmax_s8_flat_ref(const struct kernel_args *args) {
    const struct softmax_params *p = args->params;
    for (int32_t row = 0; row < p->rows; row++)
        softmax_row(args->in0 + row * p->depth, args->out + row * p->depth, p->depth, args->weights);
}
