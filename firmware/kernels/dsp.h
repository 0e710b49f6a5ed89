/* The only header with intrinsics: instructions of the Arm DSP extension (Cortex-M4, M7, M33 with DSP), and
 * the same results in plain C elsewhere, so that every kernel compiles and is tested on a PC.
 *
 * Names are the instructions' own, in lower case. A word of two int16 lanes is a uint32_t; lane 0 is the low
 * half. Accumulations wrap modulo 2^32, as the instructions do.
 *
 * On Arm, CMSIS-Core's names are used where a framework or pack provides them; otherwise they are mapped to
 * the compiler's arm_acle.h, which is what CMSIS-Core 6 does under GCC. Instructions that neither offers are
 * single lines of assembly.
 */
#ifndef TINYCONV_DSP_H
#define TINYCONV_DSP_H

#include <stdint.h>
#include <string.h>

/* For functions whose inner loop fills the register file. GCC's first scheduling pass hoists the loads of
 * such a loop, runs out of registers and spills accumulators: 1.44 instead of 1.16 instructions a product
 * (GCC 12). */
#if defined(__GNUC__) && !defined(__clang__)
    #define KEEP_ORDER __attribute__((noinline, optimize("no-schedule-insns")))
#else
    #define KEEP_ORDER __attribute__((noinline))
#endif

/* Little-endian word at any address. */
static inline uint32_t load_word(const void *from) {
    uint32_t word;
    memcpy(&word, from, sizeof word);
    return word;
}

/* Little-endian half word at any address. */
static inline uint32_t load_half(const void *from) {
    uint16_t half;
    memcpy(&half, from, sizeof half);
    return half;
}

static inline void store_word(void *to, uint32_t word) {
    memcpy(to, &word, sizeof word);
}

/* The first count bytes, 1 .. 3, as the low bytes of a word; nothing beyond them is read. */
static inline uint32_t load_bytes(const int8_t *from, int32_t count) {
    uint32_t word = (uint8_t)from[0];
    if (count > 1) word |= (uint32_t)(uint8_t)from[1] << 8;
    if (count > 2) word |= (uint32_t)(uint8_t)from[2] << 16;
    return word;
}

#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP

    #if __has_include("cmsis_compiler.h")
        #include "cmsis_compiler.h"
    #else
        #include <arm_acle.h>
        #define __SMLAD(x, y, acc) __smlad((int16x2_t)(x), (int16x2_t)(y), (int32_t)(acc))
        #define __SXTB16(x)        __sxtb16((int8x4_t)(x))
        #define __QADD(x, y)       __qadd((x), (y))
    #endif

    /* An instruction of three registers and a result. */
    #define DSP_MULTIPLY_ACCUMULATE(name)                                                                    \
        static inline int32_t name(uint32_t x, uint32_t y, int32_t acc) {                                    \
            int32_t result;                                                                                  \
            __asm__(#name " %0, %1, %2, %3" : "=r"(result) : "r"(x), "r"(y), "r"(acc));                      \
            return result;                                                                                   \
        }

DSP_MULTIPLY_ACCUMULATE(smlabb)
DSP_MULTIPLY_ACCUMULATE(smlabt)
DSP_MULTIPLY_ACCUMULATE(smlatb)
DSP_MULTIPLY_ACCUMULATE(smlatt)
DSP_MULTIPLY_ACCUMULATE(smmla)
DSP_MULTIPLY_ACCUMULATE(smmlar)
    #undef DSP_MULTIPLY_ACCUMULATE

static inline int32_t smlad(uint32_t x, uint32_t y, int32_t acc) {
    return (int32_t)__SMLAD(x, y, (uint32_t)acc);
}

static inline uint32_t sxtb16(uint32_t x) {
    return (uint32_t)__SXTB16(x);
}

static inline uint32_t sxtb16_ror8(uint32_t x) {
    uint32_t result;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(result) : "r"(x));
    return result;
}

static inline uint32_t sxtab16(uint32_t acc, uint32_t x) {
    uint32_t result;
    __asm__("sxtab16 %0, %1, %2" : "=r"(result) : "r"(acc), "r"(x));
    return result;
}

static inline uint32_t sxtab16_ror8(uint32_t acc, uint32_t x) {
    uint32_t result;
    __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(result) : "r"(acc), "r"(x));
    return result;
}

static inline uint32_t pkhbt_lsl16(uint32_t x, uint32_t y) {
    uint32_t result;
    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(result) : "r"(x), "r"(y));
    return result;
}

static inline uint32_t pkhtb_asr16(uint32_t x, uint32_t y) {
    uint32_t result;
    __asm__("pkhtb %0, %1, %2, asr #16" : "=r"(result) : "r"(x), "r"(y));
    return result;
}

static inline uint32_t ssub16(uint32_t x, uint32_t y) {
    uint32_t result;
    __asm__("ssub16 %0, %1, %2" : "=r"(result) : "r"(x), "r"(y));
    return result;
}

static inline int32_t usada8(uint32_t x, uint32_t y, int32_t acc) {
    int32_t result;
    __asm__("usada8 %0, %1, %2, %3" : "=r"(result) : "r"(x), "r"(y), "r"(acc));
    return result;
}

static inline uint32_t qsub8(uint32_t x, uint32_t y) {
    uint32_t result;
    __asm__("qsub8 %0, %1, %2" : "=r"(result) : "r"(x), "r"(y));
    return result;
}

static inline uint32_t select_less(uint32_t x, uint32_t y, uint32_t bytes) {
    uint32_t result;
    __asm__("ssub8 %0, %1, %2\n\tsel %0, %3, %4" : "=&r"(result) : "r"(x), "r"(y), "r"(0), "r"(bytes) : "cc");
    return result;
}

static inline uint32_t rev16(uint32_t x) {
    uint32_t result;
    __asm__("rev16 %0, %1" : "=r"(result) : "r"(x));
    return result;
}

static inline int32_t qadd(int32_t x, int32_t y) {
    return (int32_t)__QADD(x, y);
}

static inline int32_t ssat8(int32_t x) {
    int32_t result;
    __asm__("ssat %0, #8, %1" : "=r"(result) : "r"(x));
    return result;
}

static inline int32_t ssat8_asr1(int32_t x) {
    int32_t result;
    __asm__("ssat %0, #8, %1, asr #1" : "=r"(result) : "r"(x));
    return result;
}

#else

static inline int32_t dsp_low(uint32_t x) {
    return (int16_t)(uint16_t)x;
}

static inline int32_t dsp_high(uint32_t x) {
    return (int16_t)(uint16_t)(x >> 16);
}

static inline int32_t dsp_add(int32_t x, int32_t y) {
    return (int32_t)((uint32_t)x + (uint32_t)y);
}

static inline uint32_t dsp_lanes(int32_t low, int32_t high) {
    return (uint32_t)(uint16_t)low | (uint32_t)(uint16_t)high << 16;
}

/* acc + low * low + high * high */
static inline int32_t smlad(uint32_t x, uint32_t y, int32_t acc) {
    return dsp_add(dsp_add(acc, dsp_low(x) * dsp_low(y)), dsp_high(x) * dsp_high(y));
}

/* smla<lane of x><lane of y>: acc + one product */
static inline int32_t smlabb(uint32_t x, uint32_t y, int32_t acc) {
    return dsp_add(acc, dsp_low(x) * dsp_low(y));
}

static inline int32_t smlabt(uint32_t x, uint32_t y, int32_t acc) {
    return dsp_add(acc, dsp_low(x) * dsp_high(y));
}

static inline int32_t smlatb(uint32_t x, uint32_t y, int32_t acc) {
    return dsp_add(acc, dsp_high(x) * dsp_low(y));
}

static inline int32_t smlatt(uint32_t x, uint32_t y, int32_t acc) {
    return dsp_add(acc, dsp_high(x) * dsp_high(y));
}

/* acc + the high word of a signed product; r: rounded */
static inline int32_t smmla(uint32_t x, uint32_t y, int32_t acc) {
    const uint64_t product = (uint64_t)((int64_t)(int32_t)x * (int32_t)y);
    return (int32_t)((product + ((uint64_t)(uint32_t)acc << 32)) >> 32);
}

static inline int32_t smmlar(uint32_t x, uint32_t y, int32_t acc) {
    const uint64_t product = (uint64_t)((int64_t)(int32_t)x * (int32_t)y);
    return (int32_t)((product + ((uint64_t)(uint32_t)acc << 32) + 0x80000000u) >> 32);
}

/* Bytes 0 and 2 as int16 lanes. */
static inline uint32_t sxtb16(uint32_t x) {
    return dsp_lanes((int8_t)(uint8_t)x, (int8_t)(uint8_t)(x >> 16));
}

/* Bytes 1 and 3 as int16 lanes. */
static inline uint32_t sxtb16_ror8(uint32_t x) {
    return dsp_lanes((int8_t)(uint8_t)(x >> 8), (int8_t)(uint8_t)(x >> 24));
}

/* Lanes of acc plus bytes 0 and 2, modulo 2^16. */
static inline uint32_t sxtab16(uint32_t acc, uint32_t x) {
    return dsp_lanes(dsp_low(acc) + (int8_t)(uint8_t)x, dsp_high(acc) + (int8_t)(uint8_t)(x >> 16));
}

/* Lanes of acc plus bytes 1 and 3, modulo 2^16. */
static inline uint32_t sxtab16_ror8(uint32_t acc, uint32_t x) {
    return dsp_lanes(dsp_low(acc) + (int8_t)(uint8_t)(x >> 8), dsp_high(acc) + (int8_t)(uint8_t)(x >> 24));
}

/* Low half of x below the low half of y. */
static inline uint32_t pkhbt_lsl16(uint32_t x, uint32_t y) {
    return (x & 0xffffu) | y << 16;
}

/* High half of x above the high half of y. */
static inline uint32_t pkhtb_asr16(uint32_t x, uint32_t y) {
    return (x & 0xffff0000u) | y >> 16;
}

/* Each lane of x minus that of y, modulo 2^16. */
static inline uint32_t ssub16(uint32_t x, uint32_t y) {
    return dsp_lanes(dsp_low(x) - dsp_low(y), dsp_high(x) - dsp_high(y));
}

/* acc plus the absolute differences of unsigned bytes. */
static inline int32_t usada8(uint32_t x, uint32_t y, int32_t acc) {
    for (int32_t i = 0; i < 32; i += 8) {
        const int32_t difference = (int32_t)(x >> i & 255) - (int32_t)(y >> i & 255);
        acc += difference < 0 ? -difference : difference;
    }
    return acc;
}

/* Differences of signed bytes, saturated. */
static inline uint32_t qsub8(uint32_t x, uint32_t y) {
    uint32_t result = 0;
    for (int32_t i = 0; i < 32; i += 8) {
        const int32_t difference = (int8_t)(uint8_t)(x >> i) - (int8_t)(uint8_t)(y >> i);
        const int32_t within = difference < -128 ? -128 : difference > 127 ? 127 : difference;
        result |= (uint32_t)(uint8_t)within << i;
    }
    return result;
}

/* The given bytes where a signed byte of x is less than that of y, elsewhere 0. */
static inline uint32_t select_less(uint32_t x, uint32_t y, uint32_t bytes) {
    uint32_t result = 0;
    for (int32_t i = 0; i < 32; i += 8)
        if ((int8_t)(uint8_t)(x >> i) < (int8_t)(uint8_t)(y >> i)) result |= bytes & (255u << i);
    return result;
}

/* The bytes of each half change places. */
static inline uint32_t rev16(uint32_t x) {
    return (x & 0x00ff00ffu) << 8 | (x >> 8 & 0x00ff00ffu);
}

/* Saturating sum. */
static inline int32_t qadd(int32_t x, int32_t y) {
    const int64_t sum = (int64_t)x + y;
    return sum > INT32_MAX ? INT32_MAX : sum < INT32_MIN ? INT32_MIN : (int32_t)sum;
}

static inline int32_t ssat8(int32_t x) {
    return x > INT8_MAX ? INT8_MAX : x < INT8_MIN ? INT8_MIN : x;
}

static inline int32_t ssat8_asr1(int32_t x) {
    return ssat8(x >> 1);
}

#endif
#endif
