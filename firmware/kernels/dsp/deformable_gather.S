/* The loops of deformable_gather.h for Cortex-M4 and up; deformable_gather_twins.c says what they compute.
 *
 * Four channels take 33 instructions, with a mask 38. Two pixels' bytes of a channel meet in the two lanes of a word without
 * being unpacked first: PKHBT puts two bytes of the right pixel above two of the left, and SXTB16 takes each second one.
 *
 *     r0 top   r1 to   r2 bottom   r3 right   r4 r5 weights of the top and bottom row   r6 start   r7-r10 values of channels 0 .. 3
 *     r11 r12 lr bytes   s0 end of `to`   s1 factor   s2 half of a masked sample
 *
 * Pixels are bytes anywhere: LDR alone. LDM and STR touch the cell and the tile, which are words.
 */
#include "deformable_gather.h"

#if defined(__ARM_FEATURE_DSP)
    .syntax unified
    .thumb

.macro GATHER name, masked
    .section .text.\name, "ax", %progbits
    .balign 4
    .global \name
    .type   \name, %function
    .thumb_func
\name:
    push    {r4-r11, lr}
    add     r2, r1, r2, lsl #5
    vmov    s0, r2
  .if \masked
    ldr     r2, [r0, #CELL_FACTOR]
    mov     r3, #0x4000
    vmov    s1, s2, r2, r3
  .endif
    ldm     r0, {r0, r2, r3, r4, r5, r6}
1:  /* four channels */
    ldr     r12, [r0, r3]
    ldr     r11, [r0], #4
    pkhbt   r8, r11, r12, lsl #16
    pkhtb   r12, r12, r11, asr #16
    sxtb16  r7, r8
    sxtb16  r8, r8, ror #8
    sxtb16  r9, r12
    sxtb16  r10, r12, ror #8
    smlad   r7, r7, r4, r6
    smlad   r8, r8, r4, r6
    smlad   r9, r9, r4, r6
    smlad   r10, r10, r4, r6
    ldr     r12, [r2, r3]
    ldr     r11, [r2], #4
    pkhbt   lr, r11, r12, lsl #16
    pkhtb   r12, r12, r11, asr #16
    sxtb16  r11, lr
    sxtb16  lr, lr, ror #8
    smlad   r7, r11, r5, r7
    smlad   r8, lr, r5, r8
    sxtb16  r11, r12
    sxtb16  r12, r12, ror #8
    smlad   r9, r11, r5, r9
    smlad   r10, r12, r5, r10
  .if \masked
    vmov    r11, r12, s1, s2
    mla     r7, r7, r11, r12
    mla     r8, r8, r11, r12
    mla     r9, r9, r11, r12
    mla     r10, r10, r11, r12
    lsl     r9, #1
    lsl     r10, #1
    pkhtb   r7, r9, r7, asr #15
    pkhtb   r8, r10, r8, asr #15
  .else
    lsl     r9, #10
    lsl     r10, #10
    pkhtb   r7, r9, r7, asr #6
    pkhtb   r8, r10, r8, asr #6
  .endif
    str     r8, [r1, #16]
    str     r7, [r1], #32
    vmov    r11, s0
    cmp     r1, r11
    bne     1b
    pop     {r4-r11, pc}
    .size   \name, . - \name
.endm

    GATHER  deformable_gather, 0
    GATHER  deformable_gather_masked, 1
#endif
