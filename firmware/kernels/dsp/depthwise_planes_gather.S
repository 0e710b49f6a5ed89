/* planes_gather, _stride2 and _wide, and planes_words4 (depthwise_planes.h): pixels of four channels to words of two int16.
 *
 * 16 pixels an iteration: 4 LDR, 4 PKH, 8 SXTB16, 4 STRD, 3 for addresses and loop: 23 instructions (wide: 8 SSUB16 more).
 * LDR takes any alignment; scratch is aligned to 4, which is all that STRD asks for.
 *
 *     r0 from   r1 to   r2 r3 r4 offsets b c d   r5 step   r6 count left   r7-r11 r12 data   lr zero (wide)
 */
#include "depthwise_planes.h"

#if defined(__ARM_FEATURE_DSP)
    .syntax unified
    .thumb
    .text

/* One channel: bytes 0 and 2 of \x and \y, after rotating right by \turn; stored \offset bytes from `to`. */
.macro CHANNEL x, y, turn, wide
  .if \turn
    sxtb16  r9, \x, ror #8
    sxtb16  r12, \y, ror #8
  .else
    sxtb16  r9, \x
    sxtb16  r12, \y
  .endif
  .if \wide
    ssub16  r9, r9, lr
    ssub16  r12, r12, lr
  .endif
.endm

.macro GATHER name, channel, column, wide
    .section .text.\name, "ax", %progbits
    .global \name
    .type \name, %function
    .balign 8
\name:
    push    {r4-r11, lr}
  .if \wide
    ldr     lr, [r0, #28]
  .endif
    ldm     r0, {r0-r6}
    .balign 4
1:  ldr     r7, [r0]
    ldr     r8, [r0, r2]
    ldr     r9, [r0, r3]
    ldr     r10, [r0, r4]
    add     r0, r5
    pkhbt   r11, r7, r8, lsl #16        /* channels 0, 1 of a and b */
    pkhtb   r8, r8, r7, asr #16         /* channels 2, 3 */
    pkhbt   r7, r9, r10, lsl #16        /* the same of c and d */
    pkhtb   r10, r10, r9, asr #16
    CHANNEL r11, r7, 1, \wide
    strd    r9, r12, [r1, #\channel]
    CHANNEL r8, r10, 0, \wide
    strd    r9, r12, [r1, #2*\channel]
    CHANNEL r8, r10, 1, \wide
    strd    r9, r12, [r1, #3*\channel]
    CHANNEL r11, r7, 0, \wide
    strd    r9, r12, [r1], #\column
    subs    r6, #1
    bne     1b
    pop     {r4-r11, pc}
    .size \name, . - \name
.endm

    GATHER  planes_gather, PLANES_CHANNEL, PLANES_COLUMN, 0
    GATHER  planes_gather_stride2, PLANES_STRIDE2_CHANNEL, PLANES_STRIDE2_COLUMN, 0
    GATHER  planes_gather_wide, PLANES_WIDE_CHANNEL, PLANES_WIDE_COLUMN, 1

/* 8 pixels an iteration. r0 a   r1 b   r2 to   r3 r4 steps   r5 count left   r6 zero   r7 bytes of a channel   r8-r10 data */
.macro WORDS4 wide
    .balign 4
1:  ldr     r8, [r0]
    ldr     r9, [r1]
    add     r0, r3
    add     r1, r4
    pkhbt   r10, r8, r9, lsl #16
    pkhtb   r9, r9, r8, asr #16
    sxtb16  r8, r10
    sxtb16  r10, r10, ror #8
  .if \wide
    ssub16  r8, r8, r6
    ssub16  r10, r10, r6
  .endif
    str     r10, [r2, r7]
    str     r8, [r2]
    add     r2, r2, r7, lsl #1
    sxtb16  r8, r9
    sxtb16  r10, r9, ror #8
  .if \wide
    ssub16  r8, r8, r6
    ssub16  r10, r10, r6
  .endif
    str     r10, [r2, r7]
    str     r8, [r2]
    add     r2, r2, r7, lsl #1
    subs    r5, #1
    bne     1b
    pop     {r4-r10, pc}
.endm

    .section .text.planes_words4, "ax", %progbits
    .global planes_words4
    .type planes_words4, %function
    .balign 8
planes_words4:
    push    {r4-r10, lr}
    ldm     r0, {r0-r7}
    lsl     r7, #2
    cbnz    r6, 2f
    WORDS4  0
2:  WORDS4  1
    .size planes_words4, . - planes_words4
#endif
