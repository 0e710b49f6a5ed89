/* separable_across_*, separable_down_* (depthwise_separable.h): an odd number of taps, two rows of two columns at a time.
 *
 * Instructions for four sums, loops included: across 17, 21, 26 for 3, 5, 7 taps; down with LINEAR 30, 35, 40, with DOUBLE 3 more.
 *
 *     r0 from   r1 to, out   r2-r7 weights A0 A1 A2 B0 B1 B2, as many as there are   r8 r9 two words of data   r10-r12 lr sums
 *     s0 bias   s1 s2 constants   s3 output_zero   s4 end of the words   s5 row_step   s6 out_step
 *     s8 from, s9 to or out of the pair of columns   s10 pairs left   s11 rows_bytes   s12 from, kept
 */
#include "depthwise_separable.h"

#if defined(__ARM_FEATURE_DSP)
    .syntax unified
    .thumb
    .text
    .altmacro

.macro MULTIPLY op, sum, data, weight
    \op     \sum, \data, r\weight, \sum
.endm

/* Word \d of two windows that begin in its halves: sums \x0 \x1 of r8, \y0 \y1 of r9. */
.macro TAKE d, half, x0, x1, y0, y1
  .if \d < \half
    MULTIPLY smlad, \x0, r8, %(2+\d)
    MULTIPLY smlad, \y0, r9, %(2+\d)
  .else
    MULTIPLY smlabt, \x0, r8, %(2+2*\half-1)
    MULTIPLY smlabt, \y0, r9, %(2+2*\half-1)
  .endif
    MULTIPLY smlad, \x1, r8, %(2+\half+\d-1)
    MULTIPLY smlad, \y1, r9, %(2+\half+\d-1)
.endm

.macro WORDS half, step, x0, x1, y0, y1
  .irp d, 1, 2, 3
    .if \d <= \half
    ldrd    r8, r9, [r0, #\step*\d-8]
    TAKE    \d, \half, \x0, \x1, \y0, \y1
    .endif
  .endr
.endm

.macro LOAD_WEIGHTS half
  .if \half == 1
    ldm     r1, {r2-r3}
  .elseif \half == 2
    ldm     r1, {r2-r5}
  .else
    ldm     r1, {r2-r7}
  .endif
.endm

.macro FUNCTION name
    .section .text.\name, "ax", %progbits
    .global \name
    .type \name, %function
    .balign 8
\name:
.endm

/* Sums of two rows: r10 r11 of r8, the upper, r12 lr of r9. */
.macro ACROSS name, half
    FUNCTION \name
    push    {r4-r11, lr}
    ldm     r0, {r3-r6}                 /* from, to, rows_bytes, pairs */
    vmov    s8, s9, r3, r4
    vmov    s10, s11, r6, r5
    LOAD_WEIGHTS \half
1:  vmov    r0, r1, s8, s9
    vmov    r8, s11
    add     r8, r0
    vmov    s4, r8
    .balign 4
2:  ldrd    r8, r9, [r0], #8
    smuad   r10, r8, r2
    smultb  r11, r8, r2
    smuad   r12, r9, r2
    smultb  lr, r9, r2
    WORDS   \half, SEPARABLE_COLUMN, r10, r11, r12, lr
    pkhbt   r10, r10, r12, lsl #16
    pkhbt   r11, r11, lr, lsl #16
    strd    r10, r11, [r1], #8
    vmov    r8, s4
    cmp     r0, r8
    bne     2b
    vmov    r0, r1, s8, s9
    add     r0, #SEPARABLE_COLUMN
    add     r1, #SEPARABLE_SUMS
    vmov    s8, s9, r0, r1
    vmov    r8, s10
    subs    r8, #1
    vmov    s10, r8
    bne     1b
    pop     {r4-r11, pc}
    .size \name, . - \name
.endm

    ACROSS  separable_across_3, 1
    ACROSS  separable_across_5, 2
    ACROSS  separable_across_7, 3

.macro LINEAR x
    smmla   \x, \x, r8, r9
    ssat    \x, #8, \x, asr #PLANES_LINEAR_SHIFT
.endm

.macro DOUBLE x
    smmlar  \x, \x, r8, \x
    smmlar  \x, \x, r9, r0
    ssat    \x, #8, \x
.endm

/* Sums of two columns: r10 r11 of r8, the first, r12 lr of r9; r11 and lr are the lower row's. */
.macro DOWN name, half, form
    FUNCTION \name
    push    {r4-r11, lr}
    ldm     r2, {r3-r5}                 /* bias and constants */
    vmov    s0, s1, r3, r4
    vmov    s2, r5
    ldm     r0, {r3-r9}                 /* from, out, rows_bytes, pairs, row_step, out_step, zero */
    vmov    s3, r9
    vmov    s8, s9, r3, r4
    vmov    s10, s11, r6, r5
    vmov    s5, r7
    vmov    s6, r8
    LOAD_WEIGHTS \half
1:  vmov    r0, r1, s8, s9
    vmov    r8, s11
    add     r8, r0
    vmov    s4, r8
    .balign 4
2:  vmov    lr, s0
    ldrd    r8, r9, [r0], #8
    smlad   r10, r8, r2, lr
    smlatb  r11, r8, r2, lr
    smlad   r12, r9, r2, lr
    smlatb  lr, r9, r2, lr
    WORDS   \half, 8, r10, r11, r12, lr
    vmov    r8, r9, s1, s2
  .ifc \form, DOUBLE
    vmov    s12, r0
    vmov    r0, s3
  .endif
    \form   r10
    \form   r11
    \form   r12
    \form   lr
  .ifc \form, DOUBLE
    vmov    r0, s12
  .endif
    vmov    r8, r9, s5, s6
    add     r8, r1
    strb    lr, [r8, r9]
    strb    r11, [r8]
    strb    r12, [r1, r9]
    strb    r10, [r1]
    rsb     r1, r1, r8, lsl #1
    vmov    r8, s4
    cmp     r0, r8
    bne     2b
    vmov    r0, r1, s8, s9
    vmov    r8, s6
    add     r0, #SEPARABLE_SUMS
    add     r1, r1, r8, lsl #1
    vmov    s8, s9, r0, r1
    vmov    r8, s10
    subs    r8, #1
    vmov    s10, r8
    bne     1b
    pop     {r4-r11, pc}
    .size \name, . - \name
.endm

    DOWN    separable_down_3_linear, 1, LINEAR
    DOWN    separable_down_5_linear, 2, LINEAR
    DOWN    separable_down_7_linear, 3, LINEAR
    DOWN    separable_down_3_double, 1, DOUBLE
    DOWN    separable_down_5_double, 2, DOUBLE
    DOWN    separable_down_7_double, 3, DOUBLE
#endif
