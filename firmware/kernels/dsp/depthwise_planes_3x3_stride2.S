/* planes_3x3_stride2_linear, planes_3x3_stride2_double (depthwise_planes.h): 3x3, stride 2, up to four channels.
 *
 * Goes from column to column with two rows of outputs: the five words of a column begin its own two sums (\n0, \n1) and end
 * those of the column before it (\f0, \f1). 3 loads and 12 multiplications for 2 outputs; 26 instructions (LINEAR) besides
 * the loop's, which holds two columns because the sums change places.
 *
 *     r0 plane   r1 out   r2-r7 weights S0 S1 S2 F0 F1 F2   r8-r11 sums   r12 lr data, then constants
 *     s0 bias   s1 s2 constants   s3 output_zero   s4 s5 out_step, row_step   s6 end of the loop   s7 plane   s8 out
 *     s9 bytes of an even number of columns   s10 channels left   s11 1 if their number is odd   sp: the record
 */
#include "depthwise_planes.h"

#if defined(__ARM_FEATURE_DSP)
    .syntax unified
    .thumb
    .text

.macro REQUANT form, x, y
  .if \form == 0
    vmov    r12, lr, s1, s2
    smmla   \x, \x, r12, lr
    ssat    \x, #8, \x, asr #PLANES_LINEAR_SHIFT
    smmla   \y, \y, r12, lr
    ssat    \y, #8, \y, asr #PLANES_LINEAR_SHIFT
  .else
    vmov    r12, s1
    smmlar  \x, \x, r12, \x
    smmlar  \y, \y, r12, \y
    vmov    r12, lr, s2, s3
    smmlar  \x, \x, r12, lr
    ssat    \x, #8, \x
    smmlar  \y, \y, r12, lr
    ssat    \y, #8, \y
  .endif
.endm

/* Ends sums f0 and f1, begins n0 and n1 with the column after r0. */
.macro COLUMN form, f0, f1, n0, n1
    vmov    \n1, s0
    ldrd    r12, lr, [r0, #PLANES_STRIDE2_COLUMN]!
    smlad   \f0, r12, r5, \f0
    smlad   \n0, r12, r2, \n1
    smlad   \f0, lr, r6, \f0
    smlad   \n0, lr, r3, \n0
    ldrd    r12, lr, [r0, #8]
    smlad   \f0, r12, r7, \f0
    smlad   \n0, r12, r4, \n0
    smlad   \f1, r12, r5, \f1
    smlad   \n1, r12, r2, \n1
    smlad   \f1, lr, r6, \f1
    smlad   \n1, lr, r3, \n1
    ldr     r12, [r0, #16]
    smlad   \f1, r12, r7, \f1
    smlad   \n1, r12, r4, \n1
    REQUANT \form, \f0, \f1
    vmov    r12, lr, s4, s5
    strb    \f1, [r1, lr]               /* first, for row_step 0 drops it */
    strb    \f0, [r1]
    add     r1, r12
.endm

.macro STRIP name, form
    .section .text.\name, "ax", %progbits
    .global \name
    .type \name, %function
    .balign 8
\name:
    push    {r2, r4-r11, lr}
    ldm     r3!, {r8-r12}               /* columns, rows, out_step, row_step, zero */
    ldr     r3, [r3]                    /* channels */
    vmov    s3, r12
    vmov    s4, s5, r10, r11
    and     r9, r8, #1
    vmov    s10, s11, r3, r9
    sub     r8, r9
    mov     r9, #PLANES_STRIDE2_COLUMN
    mul     r8, r8, r9
    vmov    s9, r8
1:  ldr     r2, [sp]
    vmov    s7, s8, r0, r1
    vldmia  r2!, {s0-s2}
    add     r12, r2, #24
    str     r12, [sp]
    vmov    r12, s9
    add     r12, r0
    vmov    s6, r12
    ldm     r2, {r2-r7}
    vmov    r9, s0
    ldrd    r12, lr, [r0]               /* the first column begins its sums */
    smlad   r8, r12, r2, r9
    smlad   r8, lr, r3, r8
    ldrd    r12, lr, [r0, #8]
    smlad   r8, r12, r4, r8
    smlad   r9, r12, r2, r9
    smlad   r9, lr, r3, r9
    ldr     r12, [r0, #16]
    smlad   r9, r12, r4, r9
    vmov    r12, s6
    cmp     r0, r12
    beq     3f
    .balign 4
2:  COLUMN  \form, r8, r9, r10, r11
    COLUMN  \form, r10, r11, r8, r9
    vmov    r12, s6
    cmp     r0, r12
    bne     2b
3:  vmov    r12, s11
    cmp     r12, #0
    beq     4f
    COLUMN  \form, r8, r9, r10, r11
4:  vmov    r12, s10
    vmov    r0, r1, s7, s8
    add     r0, #PLANES_STRIDE2_CHANNEL
    add     r1, #1
    subs    r12, #1
    vmov    s10, r12
    bne     1b
    pop     {r2, r4-r11, pc}
    .size \name, . - \name
.endm

    STRIP   planes_3x3_stride2_linear, 0
    STRIP   planes_3x3_stride2_double, 1
#endif
