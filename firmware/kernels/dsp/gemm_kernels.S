/* The micro-kernels of gemm.h for Cortex-M4 and up; gemm_twins.c says what they compute.
 *
 * All 14 registers hold what the inner loop needs, so the rest sits in FPU registers. The first group of a tile takes the
 * bias as addend, so no accumulator is set up; the others run through GEMM_COPIES copies of the code, entered in the middle
 * the first time. The end of the loop is the end of the pair's weights. A tile costs 48 (TIES 56) instructions besides the
 * groups, 3 for each run through the copies and BYTEPAIRS and SAMPLES 8 more; a tile's code is below 1 KB, for flash caches.
 *
 *     r0 tiles   r1 weights   r2 r3 weights   r4-r7 sums of channel u   r8-r11 of v   r12 lr activations
 *     s0 s1 biases   s2 s3 multiplier and power of u   s4 s5 of v   s6 out   s7 output_zero   s8 out_step   s9 second
 *     s10 pairs left   s11 out of the pair   s12 s13 begin and end of the tiles   s14 weights_bytes   s15 end of the weights
 *     s16 entry into the copies   s17 next record
 *
 * Words are aligned, bytes need not be: LDRD and STM only touch tiles, weights and records.
 */
#include "gemm.h"

#if defined(__ARM_FEATURE_DSP)
    .syntax unified
    .thumb

.macro FUNCTION name
    .section .text.\name, "ax", %progbits
    .balign 4
    .global \name
    .type   \name, %function
    .thumb_func
\name:
.endm

/* Four pixels times two channels. \u0 \v0: what the sums start with, none for themselves. */
.macro MULTIPLY first
    ldrd    r12, lr, [r0], #8
  .if \first      /* r7 and r11 hold the biases until they become sums */
    smlad   r4, r2, r12, r7
    smlad   r5, r2, lr, r7
    smlad   r8, r3, r12, r11
    smlad   r9, r3, lr, r11
    ldrd    r12, lr, [r0], #8
    smlad   r6, r2, r12, r7
    smlad   r7, r2, lr, r7
    smlad   r10, r3, r12, r11
    smlad   r11, r3, lr, r11
  .else
    smlad   r4, r2, r12, r4
    smlad   r5, r2, lr, r5
    smlad   r8, r3, r12, r8
    smlad   r9, r3, lr, r9
    ldrd    r12, lr, [r0], #8
    smlad   r6, r2, r12, r6
    smlad   r7, r2, lr, r7
    smlad   r10, r3, r12, r10
    smlad   r11, r3, lr, r11
  .endif
.endm

.macro GROUP bytepairs, first
  .if \bytepairs
    ldrd    r2, r3, [r1], #8
    MULTIPLY \first
    sxtb16  r2, r2
    sxtb16  r3, r3
    MULTIPLY 0
  .else
    ldr     r3, [r1], #4
    sxtb16  r2, r3
    sxtb16  r3, r3, ror #8
    MULTIPLY \first
    ldr     r3, [r1], #4
    sxtb16  r2, r3
    sxtb16  r3, r3, ror #8
    MULTIPLY 0
  .endif
.endm

#define GROUP_BYTES(bytepairs) (104 - 12 * (bytepairs))

.macro EACH instruction, a, b, c, d, operands:vararg
    \instruction \a, \a, \operands
    \instruction \b, \b, \operands
    \instruction \c, \c, \operands
    \instruction \d, \d, \operands
.endm

/* Sums, 256 times too large if `fraction`, to bytes; r2 multiplier, r3 power, lr output_zero. */
.macro RESCALE fraction, ties, a, b, c, d
  .if \fraction
    EACH    asr, \a, \b, \c, \d, #8
  .endif
    smmlar  \a, \a, r2, \a
    smmlar  \b, \b, r2, \b
    smmlar  \c, \c, r2, \c
    smmlar  \d, \d, r2, \d
  .if \ties
    add     \a, \a, \a, asr #31
    add     \b, \b, \b, asr #31
    add     \c, \c, \c, asr #31
    add     \d, \d, \d, asr #31
  .endif
    EACH    smmlar, \a, \b, \c, \d, r3, lr
    ssat    \a, #8, \a
    ssat    \b, #8, \b
    ssat    \c, #8, \c
    ssat    \d, #8, \d
.endm

/* Bytes of four pixels to r12; r2 out_step, r3 second. */
.macro STORE
    add     lr, r12, r3
    add     r3, r2, r2, lsl #1
    strb    r8, [lr]                    /* v before u, which takes its place if second is 0 */
    strb    r9, [lr, r2]
    strb    r10, [lr, r2, lsl #1]
    strb    r11, [lr, r3]
    strb    r4, [r12]
    strb    r5, [r12, r2]
    strb    r6, [r12, r2, lsl #1]
    strb    r7, [r12, r3]
.endm

/* void (const uint32_t *tiles, const uint32_t *weights, const struct gemm_record *records, const struct gemm_pass *pass) */
.macro KERNEL name, bytepairs, fraction, ties
    FUNCTION \name
    push    {r4-r11, lr}
    vpush   {s16-s17}
    ldm     r3, {r4-r11}
    vmov    s11, r4
    vmov    s8, s9, r5, r6
    vmov    s7, r7
    vmov    s10, r8
    add     r9, r0
    vmov    s12, s13, r0, r9
    vmov    s14, r10
    mov     r4, #GROUP_BYTES(\bytepairs)
    adr.w   r5, 3f
    mla     r5, r11, r4, r5
    orr     r5, #1
    vmov    s16, s17, r5, r2
1:  /* a channel pair */
    vmov    r2, s17
    vldmia  r2!, {s0-s5}
    vmov    s17, r2
    vmov    s6, s11
    vmov    r0, s12
    vmov    r2, s14
    add     r2, r1
    vmov    s15, r2
2:  /* a tile */
    vmov    r7, s0
    vmov    r11, s1
    GROUP   \bytepairs, 1
    vmov    r2, s16
    bx      r2
    .balign 4
3:
  .rept GEMM_COPIES
    GROUP   \bytepairs, 0
  .endr
4:
  .if 4b - 3b != GEMM_COPIES * GROUP_BYTES(\bytepairs)
    .error "GROUP_BYTES"
  .endif
    vmov    r2, s15
    cmp     r1, r2
    bne     3b
    vmov    r12, lr, s6, s7
    vmov    r2, r3, s2, s3
    RESCALE \fraction, \ties, r4, r5, r6, r7
    vmov    r2, r3, s4, s5
    RESCALE \fraction, \ties, r8, r9, r10, r11
    vmov    r2, r3, s8, s9
    STORE
    add     r12, r12, r2, lsl #2
    vmov    s6, r12
    vmov    r2, r3, s13, s14
    sub     r1, r3
    cmp     r0, r2
    bne     2b
    add     r1, r3
    vmov    r2, s11
    adds    r2, #2
    vmov    s11, r2
    vmov    r2, s10
    subs    r2, #1
    vmov    s10, r2
    bne     1b
    vpop    {s16-s17}
    pop     {r4-r11, pc}
    .size   \name, . - \name
.endm

/* void (const uint32_t *tile, const uint32_t *weights, const struct gemm_record *record, int32_t *sums, int32_t groups) */
.macro SUMS name, bytepairs, fraction
    FUNCTION \name
    push    {r3-r11, lr}
    ldr     r12, [sp, #40]
    add     r12, r1, r12, lsl #3
    vmov    s0, r12
    ldrd    r7, r11, [r2]
    mov     r4, r7
    mov     r5, r7
    mov     r6, r7
    mov     r8, r11
    mov     r9, r11
    mov     r10, r11
1:
    GROUP   \bytepairs, 0
    vmov    r2, s0
    cmp     r1, r2
    bne     1b
  .if \fraction
    EACH    asr, r4, r5, r6, r7, #8
    EACH    asr, r8, r9, r10, r11, #8
  .endif
    pop     {r3}
    stm     r3, {r4-r11}
    pop     {r4-r11, pc}
    .size   \name, . - \name
.endm

/* void (const int8_t *from, int32_t step, uint32_t *to, int32_t groups): 19 instructions a group of 16 bytes, PAIRS 15.
 *     r0-r3 pixels   r4-r7 X   r8-r11 their bytes, then Y   r12 to   lr its end */
.macro EXPAND name, bytepairs
    FUNCTION \name
    push    {r4-r11, lr}
    mov     r12, r2
    add     lr, r2, r3, lsl #5
    add     r2, r0, r1, lsl #1
    add     r3, r2, r1
    add     r1, r0
1:
    ldr     r8, [r0], #4
    ldr     r9, [r1], #4
    ldr     r10, [r2], #4
    ldr     r11, [r3], #4
  .if \bytepairs
    sxtb16  r4, r8, ror #8
    sxtb16  r5, r9, ror #8
    sxtb16  r6, r10, ror #8
    sxtb16  r7, r11, ror #8
    rev16   r8, r8
    rev16   r9, r9
    rev16   r10, r10
    rev16   r11, r11
    EACH    eor, r8, r9, r10, r11, #0x007f007f
  .else
    sxtb16  r4, r8
    sxtb16  r5, r9
    sxtb16  r6, r10
    sxtb16  r7, r11
    sxtb16  r8, r8, ror #8
    sxtb16  r9, r9, ror #8
    sxtb16  r10, r10, ror #8
    sxtb16  r11, r11, ror #8
  .endif
    stmia   r12!, {r4-r11}
    cmp     r12, lr
    bne     1b
    pop     {r4-r11, pc}
    .size   \name, . - \name
.endm

/* void (const uint32_t *tiles, const uint32_t *weights, const struct gemm_record *records, const struct gemm_indirect_pass *pass)
 * BYTEPAIRS. A tile costs 65 (TIES 73) instructions besides the groups, each of its runs 11 and 3 for each run through the
 * copies. Registers as KERNEL, but
 *     s12 s13 first and last place of a tile   s14 run_bytes   s15 entry into the copies   s16 the tile's place   s17 next record
 *     s18 s19 next offset and their end   s20 end of the run's weights   s21 out_next   s22 tile_step   s23 first offset
 *     s24 weights of the pair */
.macro INDIRECT name, ties, sums
    FUNCTION \name
    push    {r4-r11, lr}
    vpush   {s16-s24}
    ldm     r3!, {r4-r11}
    vmov    s11, r4
    vmov    s8, s9, r5, r6
    vmov    s7, r7
    vmov    s10, r8
    add     r9, r0
    vmov    s12, s13, r0, r9
    vmov    s21, s22, r10, r11
    ldm     r3, {r4-r7}
    mov     r8, #GROUP_BYTES(1)
    adr.w   r9, 3f
    mla     r9, r5, r8, r9
    orr     r9, #1
    vmov    s14, s15, r4, r9
    add     r7, r6, r7, lsl #1
    vmov    s19, r7
    vmov    s23, r6
    vmov    s17, r2
1:  /* a channel pair */
    vmov    r2, s17
    vldmia  r2!, {s0-s5}
    vmov    s17, r2
    vmov    s6, s11
    vmov    s16, s12
    vmov    s24, r1
2:  /* a tile */
    vmov    r1, s24
    vmov    r4, s0
    mov     r5, r4
    mov     r6, r4
    mov     r7, r4
    vmov    r8, s1
    mov     r9, r8
    mov     r10, r8
    mov     r11, r8
    vmov    r2, s23
5:  /* a run, r2 its offset */
    vmov    r12, s16
    ldrh    r3, [r2], #2
    vmov    s18, r2
    add     r0, r12, r3, lsl #5
    vmov    r2, r3, s14, s15
    add     r2, r1
    vmov    s20, r2
    bx      r3
    .balign 4
3:
  .rept GEMM_COPIES
    GROUP   1, 0
  .endr
4:
  .if 4b - 3b != GEMM_COPIES * GROUP_BYTES(1)
    .error "GROUP_BYTES"
  .endif
    vmov    r2, s20
    cmp     r1, r2
    bne     3b
    vmov    r2, r3, s18, s19
    cmp     r2, r3
    bne     5b
    vmov    r12, lr, s6, s7
  .if \sums
    EACH    asr, r4, r5, r6, r7, #8
    EACH    asr, r8, r9, r10, r11, #8
    stm     r12, {r4-r11}
  .else
    vmov    r2, r3, s2, s3
    RESCALE 1, \ties, r4, r5, r6, r7
    vmov    r2, r3, s4, s5
    RESCALE 1, \ties, r8, r9, r10, r11
    vmov    r2, r3, s8, s9
    STORE
    vmov    r2, r3, s21, s22
    add     r12, r2
    vmov    s6, r12
    vmov    r2, s16
    add     r2, r3
    vmov    s16, r2
    vmov    r3, s13
    cmp     r2, r3
    bne     2b
    vmov    r2, s11
    adds    r2, #2
    vmov    s11, r2
    vmov    r2, s10
    subs    r2, #1
    vmov    s10, r2
    bne     1b
  .endif
    vpop    {s16-s24}
    pop     {r4-r11, pc}
    .size   \name, . - \name
.endm

    KERNEL  gemm_pairs_short, 0, 0, 0
    KERNEL  gemm_pairs_ties, 0, 0, 1
    KERNEL  gemm_bytepairs_short, 1, 1, 0
    KERNEL  gemm_bytepairs_ties, 1, 1, 1
    KERNEL  gemm_samples_short, 0, 1, 0
    KERNEL  gemm_samples_ties, 0, 1, 1
    SUMS    gemm_pairs_sums, 0, 0
    SUMS    gemm_bytepairs_sums, 1, 1
    SUMS    gemm_samples_sums, 0, 1
    EXPAND  gemm_pairs_expand, 0
    EXPAND  gemm_bytepairs_expand, 1
    INDIRECT gemm_indirect_short, 0, 0
    INDIRECT gemm_indirect_ties, 1, 0
    INDIRECT gemm_indirect_sums, 0, 1
#endif
