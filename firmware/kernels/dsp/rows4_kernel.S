/* rows4_multiply of rows4.h for Cortex-M4 and up.
 *
 *     r0 input   r1 blob   r4-r7 sums   r8-r11 weights   r2 r3 r12 lr two groups of the input
 *     s0 end of the input   s1 blocks left   s2 output_zero   s3 entry into the copies   s4 out   s5 input
 *
 * Eight inputs of four channels are 27 instructions for 32 products; a block takes 28 besides, 3 of them for each run through
 * the copies. The blob is word-aligned, for LDM. Flash feeds four bytes a product of weights: on slow flash that is the limit.
 */
#include "rows4.h"

#if defined(__ARM_FEATURE_DSP)
    .syntax unified
    .thumb

.macro FOUR_ROWS x, y
    ldm     r1!, {r8-r11}
    smlad   r4, r8, \x, r4
    smlad   r5, r9, \x, r5
    smlad   r6, r10, \x, r6
    smlad   r7, r11, \x, r7
    sxtb16  r8, r8
    sxtb16  r9, r9
    sxtb16  r10, r10
    sxtb16  r11, r11
    smlad   r4, r8, \y, r4
    smlad   r5, r9, \y, r5
    smlad   r6, r10, \y, r6
    smlad   r7, r11, \y, r7
.endm

#define COPY_BYTES 108

    .section .text.rows4_multiply, "ax", %progbits
    .balign 4
    .global rows4_multiply
    .type   rows4_multiply, %function
    .thumb_func
rows4_multiply:
    push    {r4-r11, lr}
    ldm     r3, {r4-r7}
    vmov    s0, s1, r4, r5
    vmov    s4, s5, r2, r0
    mov     r4, #COPY_BYTES
    adr.w   r5, 2f
    mla     r5, r7, r4, r5
    orr     r5, #1
    vmov    s2, s3, r6, r5
1:  /* four channels */
    ldm     r1!, {r4-r7}
    vmov    r0, s5
    vmov    r2, s3
    bx      r2
    .balign 4
2:
  .rept ROWS4_COPIES
    ldm     r0!, {r2, r3, r12, lr}
    FOUR_ROWS r2, r3
    FOUR_ROWS r12, lr
  .endr
3:
  .if 3b - 2b != ROWS4_COPIES * COPY_BYTES
    .error "COPY_BYTES"
  .endif
    vmov    r2, s0
    cmp     r0, r2
    bne     2b
    ldm     r1!, {r8-r11}
    smmul   r4, r4, r8
    smmul   r5, r5, r9
    smmul   r6, r6, r10
    smmul   r7, r7, r11
    ldm     r1!, {r8-r11}
    vmov    r2, s2
    smmlar  r4, r4, r8, r2
    smmlar  r5, r5, r9, r2
    smmlar  r6, r6, r10, r2
    smmlar  r7, r7, r11, r2
    vmov    r2, s4
    ssat    r4, #8, r4
    ssat    r5, #8, r5
    ssat    r6, #8, r6
    ssat    r7, #8, r7
    strb    r4, [r2], #1
    strb    r5, [r2], #1
    strb    r6, [r2], #1
    strb    r7, [r2], #1
    vmov    s4, r2
    vmov    r2, s1
    subs    r2, #1
    vmov    s1, r2
    bne     1b
    pop     {r4-r11, pc}
    .size   rows4_multiply, . - rows4_multiply
#endif
