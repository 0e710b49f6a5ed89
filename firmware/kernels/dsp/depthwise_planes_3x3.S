/* planes_3x3_linear, planes_3x3_double (depthwise_planes.h): 3x3, stride 1, up to four channels, rows of outputs in pairs.
 *
 * A block is 2x2 outputs: 4 LDRD bring words u, v (rows 2q, 2q + 1 and 2q + 2, 2q + 3) of 4 columns, 24 multiplications use
 * them, 6 an output. All registers are in use, so bias, constants and the loop's bounds live in FPU registers.
 * 48 instructions a block (LINEAR), 53 (DOUBLE); both loops' bodies are below 1 KB together.
 *
 *     r0 plane   r1 out   r2-r7 weights A0 B0 A1 B1 A2 B2   r8-r11 sums of outputs 00 01 10 11   r12 lr data, then constants
 *     s0 bias   s1 s2 constants   s3 output_zero   s4 s5 out_step, row_step   s6 end of the row of blocks
 *     s7 bytes of the blocks in a row - 4   s8 out after the last pair of rows   s9 from its end to the next pair of rows
 *     s10 channels left   s11 bytes of the blocks in a row   s12 bytes of output in pairs of rows   s13 bits 0 and 1: odd rows,
 *     odd columns   s14 s15 plane and out of the channel   sp: its record
 */
#include "depthwise_planes.h"

#if defined(__ARM_FEATURE_DSP)
    .syntax unified
    .thumb
    .text

.macro REQUANT1 form, x
  .if \form == 0
    smmla   \x, \x, r12, lr
    ssat    \x, #8, \x, asr #PLANES_LINEAR_SHIFT
  .else
    smmlar  \x, \x, r12, lr
    ssat    \x, #8, \x
  .endif
.endm

.macro REQUANT form, columns, rows
  .if \form == 0
    vmov    r12, lr, s1, s2
  .else
    vmov    r12, s1
    smmlar  r8, r8, r12, r8
    .if \columns == 2
    smmlar  r9, r9, r12, r9
    .endif
    .if \rows == 2
    smmlar  r10, r10, r12, r10
      .if \columns == 2
    smmlar  r11, r11, r12, r11
      .endif
    .endif
    vmov    r12, lr, s2, s3
  .endif
    REQUANT1 \form, r8
  .if \columns == 2
    REQUANT1 \form, r9
  .endif
  .if \rows == 2
    REQUANT1 \form, r10
    .if \columns == 2
    REQUANT1 \form, r11
    .endif
  .endif
.endm

/* columns, rows: 1 or 2. Leaves r0 one block further for two columns, r1 in any case. */
.macro BLOCK form, columns, rows
    vmov    r11, s0
    ldrd    r12, lr, [r0]
    smlad   r8, r12, r2, r11
    smlabt  r8, lr, r3, r8
  .if \rows == 2
    smlatb  r10, r12, r2, r11
    smlad   r10, lr, r3, r10
  .endif
    ldrd    r12, lr, [r0, #PLANES_COLUMN]
    smlad   r8, r12, r4, r8
    smlabt  r8, lr, r5, r8
  .if \columns == 2
    smlad   r9, r12, r2, r11
    smlabt  r9, lr, r3, r9
  .endif
  .if \rows == 2
    smlatb  r10, r12, r4, r10
    smlad   r10, lr, r5, r10
    .if \columns == 2
    smlatb  r11, r12, r2, r11
    smlad   r11, lr, r3, r11
    .endif
  .endif
  .if \columns == 2
    ldrd    r12, lr, [r0, #2*PLANES_COLUMN]!
  .else
    ldrd    r12, lr, [r0, #2*PLANES_COLUMN]
  .endif
    smlad   r8, r12, r6, r8
    smlabt  r8, lr, r7, r8
  .if \columns == 2
    smlad   r9, r12, r4, r9
    smlabt  r9, lr, r5, r9
  .endif
  .if \rows == 2
    smlatb  r10, r12, r6, r10
    smlad   r10, lr, r7, r10
    .if \columns == 2
    smlatb  r11, r12, r4, r11
    smlad   r11, lr, r5, r11
    .endif
  .endif
  .if \columns == 2
    ldrd    r12, lr, [r0, #PLANES_COLUMN]
    smlad   r9, r12, r6, r9
    smlabt  r9, lr, r7, r9
    .if \rows == 2
    smlatb  r11, r12, r6, r11
    smlad   r11, lr, r7, r11
    .endif
  .endif
    REQUANT \form, \columns, \rows
    vmov    r12, lr, s4, s5
  .if \rows == 2
    strb    r10, [r1, lr]
  .endif
    strb    r8, [r1]
    add     r1, r12
  .if \columns == 2
    .if \rows == 2
    strb    r11, [r1, lr]
    .endif
    strb    r9, [r1]
    add     r1, r12
  .endif
.endm

/* The blocks of one or two rows. */
.macro ROW form, rows
    .balign 4
2:  BLOCK   \form, 2, \rows
    vmov    r12, s6
    cmp     r0, r12
    bne     2b
    vmov    r12, s13
    tst     r12, #2
    beq     3f
    BLOCK   \form, 1, \rows
3:
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
    mul     r4, r8, r10
    rsb     r4, r4, r11, lsl #1
    vmov    s9, s10, r4, r3
    lsl     r4, r8, #1
    bfi     r4, r9, #0, #1
    vmov    s13, r4
    lsr     r8, #1
    mov     r10, #2*PLANES_COLUMN
    mul     r8, r8, r10
    sub     r10, r8, #4
    vmov    s7, r10
    bic     r9, #1
    mul     r11, r9, r11
    vmov    s11, s12, r8, r11
1:  ldr     r2, [sp]
    vmov    s14, s15, r0, r1
    vldmia  r2!, {s0-s2}
    vmov    r8, r9, s11, s12
    add     r8, r0
    add     r9, r1
    vmov    s6, r8
    vmov    s8, r9
    add     r12, r2, #24
    str     r12, [sp]
    cmp     r1, r9
    ldm     r2, {r2-r7}
    beq     6f                          /* a single row */
4:  ROW     \form, 2
    vmov    r12, r8, s6, s7
    vmov    r9, lr, s8, s9
    sub     r0, r8                      /* the next word: two rows further */
    add     r1, lr
    add     r12, #4
    vmov    s6, r12
    cmp.w   r1, r9                      /* wide, so that label 6 is aligned without a NOP */
    bne     4b
    vmov    r12, s13
    tst     r12, #1
    beq     7f
6:  ROW     \form, 1
7:  vmov    r12, s10
    vmov    r0, r1, s14, s15
    add     r0, #PLANES_CHANNEL
    add     r1, #1
    subs    r12, #1
    vmov    s10, r12
    bne     1b
    pop     {r2, r4-r11, pc}
    .size \name, . - \name
.endm

    STRIP   planes_3x3_linear, 0
    STRIP   planes_3x3_double, 1
#endif
