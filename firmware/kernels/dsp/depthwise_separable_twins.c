/* The passes of depthwise_separable.S in C: their definition, and what runs where there is no DSP extension. */
#include "depthwise_separable.h"

#include "../dsp.h"

#if !defined(__ARM_FEATURE_DSP)

/* Two neighbouring sums: the first begins at the low half of words[0], the second at its high half. Words are `step` apart. */
static void sums(const uint32_t *words, int32_t step, const uint32_t *weights, int32_t taps, int32_t *first,
                 int32_t *second) {
    const uint32_t *even = weights, *odd = weights + taps / 2;
    for (int32_t i = 0; i < taps / 2; i++) *first = smlad(words[i * step], even[i], *first);
    *first = smlabt(words[taps / 2 * step], odd[taps / 2 - 1], *first);
    *second = smlatb(words[0], even[0], *second);
    for (int32_t i = 0; i < taps / 2; i++) *second = smlad(words[(i + 1) * step], odd[i], *second);
}

static void across(const struct separable_across *pass, const uint32_t *weights, int32_t taps) {
    for (int32_t pair = 0; pair < pass->pairs; pair++) {
        for (int32_t y = 0; y < pass->rows_bytes / 4; y += 2) {
            const uint32_t *from = pass->from + pair * (SEPARABLE_COLUMN / 4) + y;
            uint32_t *to = pass->to + pair * (SEPARABLE_SUMS / 4) + y;
            int32_t upper[2] = {0, 0}, lower[2] = {0, 0};
            sums(from, SEPARABLE_COLUMN / 4, weights, taps, &upper[0], &upper[1]);
            sums(from + 1, SEPARABLE_COLUMN / 4, weights, taps, &lower[0], &lower[1]);
            for (int32_t i = 0; i < 2; i++) to[i] = pkhbt_lsl16((uint32_t)upper[i], (uint32_t)lower[i]);
        }
    }
}

static int8_t linear(int32_t x, const uint32_t *record, int32_t zero) {
    (void)zero;
    return (int8_t)ssat8(smmla((uint32_t)x, record[1], (int32_t)record[2]) >> PLANES_LINEAR_SHIFT);
}

static int8_t twice(int32_t x, const uint32_t *record, int32_t zero) {
    const int32_t y = smmlar((uint32_t)x, record[1], x);
    return (int8_t)ssat8(smmlar((uint32_t)y, record[2], zero));
}

static void down(const struct separable_down *pass, const uint32_t *weights, const uint32_t *record,
                 int32_t taps, int8_t form(int32_t x, const uint32_t *record, int32_t zero)) {
    for (int32_t pair = 0; pair < pass->pairs; pair++) {
        for (int32_t y = 0; y < pass->rows_bytes / 4; y += 2) {
            const uint32_t *from = pass->from + pair * (SEPARABLE_SUMS / 4) + y;
            int8_t *out = pass->out + y * pass->row_step + 2 * pair * pass->out_step;
            int32_t x[2][2]; /* [column][row] */
            for (int32_t i = 0; i < 2; i++) {
                x[i][0] = x[i][1] = (int32_t)record[0];
                sums(from + i, 2, weights, taps, &x[i][0], &x[i][1]);
            }
            for (int32_t row = 1; row >= 0; row--)
                for (int32_t i = 1; i >= 0; i--)
                    out[row * pass->row_step + i * pass->out_step] = form(x[i][row], record, pass->zero);
        }
    }
}

    #define ACROSS(name, taps)                                                                               \
        void name(const struct separable_across *pass, const uint32_t *weights) {                            \
            across(pass, weights, taps);                                                                     \
        }
    #define DOWN(name, taps, form)                                                                           \
        void name(const struct separable_down *pass, const uint32_t *weights, const uint32_t *record) {      \
            down(pass, weights, record, taps, form);                                                         \
        }

ACROSS(separable_across_3, 3)
ACROSS(separable_across_5, 5)
ACROSS(separable_across_7, 7)
DOWN(separable_down_3_linear, 3, linear)
DOWN(separable_down_5_linear, 5, linear)
DOWN(separable_down_7_linear, 7, linear)
DOWN(separable_down_3_double, 3, twice)
DOWN(separable_down_5_double, 5, twice)
DOWN(separable_down_7_double, 7, twice)

#endif
