/* int8 to planes of bits, four channels at a time: levels in bytes, and a multiplication that moves a bit of each to one nibble.
 *
 * in [rows][in_c], out [rows][planes][words]; no alignment needed of the input. No scratch. Bit-equal to bit_planes_s8_flat_ref.
 */
#include "../bits.h"
#include "../dsp.h"
#include "../kernel.h"

#define BYTES 0x01010101u

bool bit_planes_s8_flat_lanes_supports(const void *params) {
    (void)params;
    return true;
}

uint32_t bit_planes_s8_flat_lanes_scratch_bytes(const void *params) {
    (void)params;
    return 0;
}

/* Levels of four bytes. Above 127 the difference saturates, which the largest level, at most 15, hides. */
static uint32_t levels_of(uint32_t x, uint32_t zeros, uint32_t most) {
    const uint32_t above = qsub8(x, zeros);
    const uint32_t level = above & ~select_less(above, 0, UINT32_MAX);
    const uint32_t large = select_less(most, level, UINT32_MAX);
    return (level & ~large) | (most & large);
}

/* The lowest bit of each byte, as bits 0 to 3. */
static uint32_t gather_bits(uint32_t bytes) {
    return (bytes & BYTES) * 0x01020408u >> 24;
}

void bit_planes_s8_flat_lanes(const struct kernel_args *args) {
    const struct bit_planes_params *p = args->params;
    const int32_t words = bit_words(p->in_c), planes = p->planes;
    const uint32_t zeros = (uint32_t)(uint8_t)p->input_zero * BYTES, most = ((1u << planes) - 1) * BYTES;
    const int8_t *in = args->in0;
    uint32_t *out = (void *)args->out;
    for (int32_t row = 0; row < p->rows; row++, out += planes * words) {
        for (int32_t begin = 0; begin < p->in_c; begin += 32) {
            const int32_t end = p->in_c - begin < 32 ? p->in_c - begin : 32;
            uint32_t bits[4] = {0, 0, 0, 0};
            for (int32_t i = 0; i < end; i += 4, in += 4) {
                const bool whole = end - i >= 4;
                const uint32_t x = whole ? load_word(in) : load_bytes(in, end - i);
                uint32_t levels = levels_of(x, zeros, most);
                if (!whole) levels &= (1u << 8 * (end - i)) - 1;
                for (int32_t plane = 0; plane < planes; plane++)
                    bits[plane] |= gather_bits(levels >> plane) << i;
            }
            in -= -end & 3;
            for (int32_t plane = 0; plane < planes; plane++) out[plane * words + begin / 32] = bits[plane];
        }
    }
}
