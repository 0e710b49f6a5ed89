/* int8 to bits, four channels at a time: a byte of 1, 2, 4 ... 128 for each that is set, and their sum.
 *
 * in [rows][in_c], out [rows][words]; no alignment needed of the input. 9 instructions for 8 channels. No scratch. Bit-equal to
 * binarise_s8_flat_ref.
 */
#include "../bits.h"
#include "../dsp.h"
#include "../kernel.h"

bool binarise_s8_flat_lanes_supports(const void *params) {
    (void)params;
    return true;
}

uint32_t binarise_s8_flat_lanes_scratch_bytes(const void *params) {
    (void)params;
    return 0;
}

static uint32_t word_of(const int8_t *in, uint32_t zeros) {
    uint32_t word = 0;
#pragma GCC unroll 4
    for (int32_t i = 0; i < 32; i += 8) {
        const uint32_t low = select_less(load_word(in + i), zeros, 0x08040201u);
        const uint32_t high = select_less(load_word(in + i + 4), zeros, 0x80402010u);
        word |= (uint32_t)usada8(high, 0, usada8(low, 0, 0)) << i;
    }
    return word;
}

void binarise_s8_flat_lanes(const struct kernel_args *args) {
    const struct binarise_params *p = args->params;
    const uint32_t zeros = (uint32_t)(uint8_t)p->input_zero * 0x01010101u;
    const int8_t *in = args->in0;
    uint32_t *out = (void *)args->out;
    for (int32_t row = 0; row < p->rows; row++) {
        int32_t left = p->in_c;
        for (; left >= 32; left -= 32, in += 32) *out++ = word_of(in, zeros);
        if (left == 0) continue;
        uint32_t word = 0;
        for (int32_t i = 0; i < left; i++) word |= (uint32_t)(*in++ < p->input_zero) << i;
        *out++ = word;
    }
}
