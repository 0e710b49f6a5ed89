/* planes_3x3_stride2_linear, planes_3x3_stride2_double (depthwise_planes.h): 3x3, stride 2, up to four channels.
 *
 * Goes from column to column with two rows of outputs: the five words of a column begin its own two sums (\n0, \n1) and end
 * those of the column before it (\f0, \f1). 3 loads and 12 multiplications for 2 outputs; 25 instructions (LINEAR) besides
 * the loop's, which holds two columns because the sums change places.
 *
 *     r0 plane   r1 out   r2-r6 weights P0 P1 P2 Q0 Q1   r7-r10 sums   r11 r12 data, then constants   lr bias
 *     s0 bias   s1 s2 constants   s3 output_zero   s4 s5 out_step, row_step   s6 end of the loop   s7 plane   s8 out
 *     s9 record   s10 channels left   s11 columns
 */
#include "depthwise_planes.h"

#if defined(__ARM_FEATURE_DSP)
    .syntax unified
    .thumb
    .text

.macro REQUANT form, x, y
  .if \form == 0
    vmov    r11, r12, s1, s2
    smmla   \x, \x, r11, r12
    ssat    \x, #8, \x, asr #PLANES_LINEAR_SHIFT
    smmla   \y, \y, r11, r12
    ssat    \y, #8, \y, asr #PLANES_LINEAR_SHIFT
  .else
    vmov    r11, s1
    smmlar  \x, \x, r11, \x
    smmlar  \y, \y, r11, \y
    vmov    r11, r12, s2, s3
    smmlar  \x, \x, r11, r12
    ssat    \x, #8, \x
    smmlar  \y, \y, r11, r12
    ssat    \y, #8, \y
  .endif
.endm

/* Ends sums f0 and f1, begins n0 and n1 with the column after r0. */
.macro COLUMN form, f0, f1, n0, n1
    ldrd    r11, r12, [r0, #PLANES_STRIDE2_COLUMN]!
    smlabb  \f0, r11, r5, \f0
    smlad   \n0, r11, r2, lr
    smlabt  \f0, r12, r5, \f0
    smlad   \n0, r12, r3, \n0
    ldrd    r11, r12, [r0, #8]
    smlabb  \f0, r11, r6, \f0
    smlad   \n0, r11, r4, \n0
    smlabb  \f1, r11, r5, \f1
    smlad   \n1, r11, r2, lr
    smlabt  \f1, r12, r5, \f1
    smlad   \n1, r12, r3, \n1
    ldr     r11, [r0, #16]
    smlabb  \f1, r11, r6, \f1
    smlad   \n1, r11, r4, \n1
    REQUANT \form, \f0, \f1
    vmov    r11, r12, s4, s5
    strb    \f1, [r1, r12]              /* first, for row_step 0 drops it */
    strb    \f0, [r1]
    add     r1, r11
.endm

.macro STRIP name, form
    .section .text.\name, "ax", %progbits
    .global \name
    .type \name, %function
    .balign 8
\name:
    push    {r4-r11, lr}
    ldm     r3!, {r8-r12}               /* columns, rows, out_step, row_step, zero */
    ldr     r3, [r3]                    /* channels */
    vmov    s3, r12
    vmov    s4, s5, r10, r11
    vmov    s10, r3
    vmov    s11, r8
1:  vmov    s7, s8, r0, r1
    vldmia  r2!, {s0-s2}
    add     r12, r2, #20
    vmov    s9, r12
    vmov    r12, s11
    bic     r12, #1
    mov     r11, #PLANES_STRIDE2_COLUMN
    mla     r12, r12, r11, r0
    vmov    s6, r12
    ldm     r2, {r2-r6}
    vmov    lr, s0
    ldrd    r11, r12, [r0]              /* the first column begins its sums */
    smlad   r7, r11, r2, lr
    smlad   r7, r12, r3, r7
    ldrd    r11, r12, [r0, #8]
    smlad   r7, r11, r4, r7
    smlad   r8, r11, r2, lr
    smlad   r8, r12, r3, r8
    ldr     r11, [r0, #16]
    smlad   r8, r11, r4, r8
    vmov    r11, s6
    cmp     r0, r11
    beq     3f
    .balign 4
2:  COLUMN  \form, r7, r8, r9, r10
    COLUMN  \form, r9, r10, r7, r8
    vmov    r11, s6
    cmp     r0, r11
    bne     2b
3:  vmov    r11, s11
    lsls    r11, #31
    beq     4f
    COLUMN  \form, r7, r8, r9, r10
4:  vmov    r11, s10
    vmov    r0, r1, s7, s8
    vmov    r2, s9
    add     r0, #PLANES_STRIDE2_CHANNEL
    add     r1, #1
    subs    r11, #1
    vmov    s10, r11
    bne     1b
    pop     {r4-r11, pc}
    .size \name, . - \name
.endm

    STRIP   planes_3x3_stride2_linear, 0
    STRIP   planes_3x3_stride2_double, 1
#endif
