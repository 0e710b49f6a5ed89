/* planes_registers_3x3 (depthwise_planes.h): 3x3 on planes of 3x3 with a border of one pixel, in place, one channel at a time.
 *
 * The nine pixels fit three registers, rows 0 and 1 as halves, then row 2 in the place of row 0. Products with the border are not
 * formed: 28 multiplications for 9 outputs, 96 instructions in all, no branch but the loop's. Loop body: 376 bytes.
 *
 *     r0 pixel (0, 0)   r1 record   r2-r4 pixels of columns 0 1 2, minus input_zero   r5 bias   r6 r7 constants
 *     r8-r10 weights B0 B1 B2 or A0 A1 A2, then addresses   r11 r12 lr sums of a row
 *     s0 s1 step, 3 * step   s2 end   s3 input_zero twice   s4 input_zero in the low half
 */
#include "depthwise_planes.h"

#if defined(__ARM_FEATURE_DSP)
    .syntax unified
    .thumb
    .text

/* Three sums: \op of pixels and weights of neighbouring columns, from \s0 \s1 \s2. */
.macro MULTIPLY op, s0, s1, s2
    \op     r11, r2, r9, \s0
    \op     r12, r2, r8, \s1
    \op     lr, r3, r8, \s2
    \op     r11, r3, r10, r11
    \op     r12, r3, r9, r12
    \op     lr, r4, r9, lr
    \op     r12, r4, r10, r12
.endm

/* Requantises the sums and stores them at \at; r8 is step. */
.macro STORE at
    smmla   r11, r11, r6, r7
    ssat    r11, #8, r11, asr #PLANES_LINEAR_SHIFT
    strb    r11, [\at]
    smmla   r12, r12, r6, r7
    ssat    r12, #8, r12, asr #PLANES_LINEAR_SHIFT
    strb    r12, [\at, r8]
    smmla   lr, lr, r6, r7
    ssat    lr, #8, lr, asr #PLANES_LINEAR_SHIFT
    strb    lr, [\at, r8, lsl #1]
.endm

    .section .text.planes_registers_3x3, "ax", %progbits
    .global planes_registers_3x3
    .type planes_registers_3x3, %function
    .balign 8
planes_registers_3x3:                   /* (pixels, record, channels, input_zero) */
    push    {r4-r11, lr}
    add     r4, r2, r2, lsl #1
    vmov    s0, s1, r2, r4
    add     r2, r0
    vmov    s2, r2
    uxth    r3, r3
    pkhbt   r4, r3, r3, lsl #16
    vmov    s3, s4, r4, r3
    .balign 4
1:  vmov    r9, r10, s0, s1
    add     r11, r0, r10
    ldrsb   r2, [r0]
    ldrsb   r3, [r0, r9]
    ldrsb   r4, [r0, r9, lsl #1]
    ldrsb   r5, [r11]
    ldrsb   r6, [r11, r9]
    ldrsb   r7, [r11, r9, lsl #1]
    vmov    r8, s3
    pkhbt   r2, r2, r5, lsl #16         /* (row 0, row 1) */
    pkhbt   r3, r3, r6, lsl #16
    pkhbt   r4, r4, r7, lsl #16
    ssub16  r2, r2, r8
    ssub16  r3, r3, r8
    ssub16  r4, r4, r8
    ldm     r1!, {r5-r10}               /* bias, constants, B */
    MULTIPLY smlad, r5, r5, r5          /* row 0: kernel rows 1, 2 */
    vmov    r8, s0
    STORE   r0
    ldm     r1!, {r8-r10}               /* A */
    MULTIPLY smlad, r5, r5, r5          /* row 1: kernel rows 0, 1 */
    vmov    r8, r9, s0, s1
    add     r10, r0, r9, lsl #1
    ldrsb   r9, [r10]
    pkhbt   r2, r9, r2                  /* (row 2, row 1) */
    ldrsb   r9, [r10, r8]
    pkhbt   r3, r9, r3
    ldrsb   r9, [r10, r8, lsl #1]
    pkhbt   r4, r9, r4
    vmov    r9, s4
    ssub16  r2, r2, r9
    ssub16  r3, r3, r9
    ssub16  r4, r4, r9
    sub     r1, #24
    ldm     r1!, {r8-r10}               /* B */
    MULTIPLY smlabt, r11, r12, lr       /* kernel row 2 */
    vmov    r8, r9, s0, s1
    add     r10, r0, r9
    STORE   r10
    ldm     r1!, {r8-r10}               /* A */
    MULTIPLY smladx, r5, r5, r5         /* row 2: kernel rows 0, 1 */
    vmov    r8, r9, s0, s1
    add     r10, r0, r9, lsl #1
    STORE   r10
    add     r0, #1
    vmov    r8, s2
    cmp     r0, r8
    bne     1b
    pop     {r4-r11, pc}
    .size planes_registers_3x3, . - planes_registers_3x3
#endif
