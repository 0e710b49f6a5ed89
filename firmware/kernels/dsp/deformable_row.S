/* The loops of deformable_row.h for Cortex-M4 and up; deformable_row_twins.c says what they compute.
 *
 * A tap inside the image costs 44 instructions, with a mask 49, at its edge 34 more; four channels 33, with a mask 38. Two
 * pixels' bytes of a channel meet in the two lanes of a word without being unpacked first: PKHBT puts two bytes of the right
 * pixel above two of the left, and SXTB16 takes each second one.
 *
 *     a tap         r0 row   r1 to   r7 r8 position, then pixel   r4 r5 weights of the top and bottom row   others: see there
 *     its channels  r0 top   r1 to   r2 bottom   r3 right   r4 r5   r6 start   r7-r10 values of channels 0 .. 3   r11 r12 lr bytes
 *     s0 end of the tap's channels   s1 factor   s2 half of a masked sample   s3 row
 *
 * Pixels and offsets are bytes or half words anywhere: LDR, LDRSB, LDRSH alone. LDM, LDRD, STRD and STR touch the row and the tile,
 * which are words.
 */
#include "deformable_row.h"

#if defined(__ARM_FEATURE_DSP)
    .syntax unified
    .thumb

.macro ROW name, wide, masked
    .section .text.\name, "ax", %progbits
    .balign 4
    .global \name
    .type   \name, %function
    .thumb_func
\name:
    push    {r4-r11, lr}
  .if \masked
    mov     r2, #0x4000
    vmov    s2, r2
  .endif
1:  /* a tap: r7 r8 position */
    vmov    s3, r0
    ldrd    r11, r12, [r0, #ROW_OFFSETS]
  .if \wide
    ldrsh   r7, [r11], #2
    ldrsh   r8, [r11], #2
  .else
    ldrsb   r7, [r11], #1
    ldrsb   r8, [r11], #1
  .endif
  .if \masked
    ldrsb   r9, [r12], #1
    ldr     r10, [r0, #ROW_MASK_ZERO]
    sub     r9, r10
    vmov    s1, r9
    str     r12, [r0, #ROW_OFFSETS + 4]
  .endif
    str     r11, [r0, #ROW_OFFSETS]
    ldrd    r11, r12, [r0, #ROW_MULTIPLIER]
    ldrd    r9, r10, [r0, #ROW_Y]
    rsb     r7, r12, r7, lsl #15
    rsb     r8, r12, r8, lsl #15
    smmlar  r7, r7, r11, r9
    smmlar  r8, r8, r11, r10
    ldr     r11, [r0, #ROW_STEP]
    add     r10, r11
    str     r10, [r0, #ROW_X]
    /* weights: r11 fy, then w10; r12 fx, then w00; r9 w01; r10 w11 */
    ubfx    r11, r7, #0, #12
    ubfx    r12, r8, #0, #12
    asr     r7, #12
    asr     r8, #12
    mul     r10, r11, r12
    add     r10, #512
    lsr     r10, #10
    rsb     r11, r10, r11, lsl #2
    rsb     r9, r10, r12, lsl #2
    add     r12, r11, r12, lsl #2
    rsb     r12, r12, #0x4000
    pkhbt   r4, r12, r9, lsl #16
    pkhbt   r5, r11, r10, lsl #16
    ldr     r9, [r0, #ROW_RUN_BYTES]
    add     r9, r1
    vmov    s0, r9
    ldm     r0, {r0, r2, r3, r6, r9, r10} /* in, row_bytes, c, start, last_y, last_x */
    cmp     r7, r9
    it      lo
    cmplo   r8, r10
    bhs     4f
    mla     r0, r7, r2, r0
    mla     r0, r8, r3, r0
2:
    add     r2, r0
3:  /* four channels */
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
    str     r7, [r1], #ROW_GROUP_BYTES
    vmov    r11, s0
    cmp     r1, r11
    bne     3b
    vmov    r0, s3
    ldrd    r11, r12, [r0, #ROW_GAP_BYTES]
    add     r1, r11
    subs    r12, #1
    str     r12, [r0, #ROW_TAPS]
    bne     1b
    mov     r0, r1
    pop     {r4-r11, pc}
4:  /* a cell that is not wholly inside: r7 r8 pixel, r9 r10 the image's last */
    add     r11, r7, #1
    add     r12, r8, #1
    cmp     r8, r10
    itt     hi
    bfchi   r4, #0, #16
    bfchi   r5, #0, #16
    cmp     r12, r10
    itt     hi
    uxthhi  r4, r4
    uxthhi  r5, r5
    cmp     r7, r9
    it      hi
    movhi   r4, #0
    cmp     r11, r9
    it      hi
    movhi   r5, #0
    mov     r11, #0x00010001
    smuad   r12, r4, r11
    smlad   r12, r5, r11, r12
    rsb     r12, r12, #0x4000
    vmov    r11, s3
    ldr     r11, [r11, #ROW_ZERO]
    mla     r6, r11, r12, r6
    cmp     r7, r9
    it      hi
    movhi   r7, #0
    mla     r0, r7, r2, r0
    it      hs
    movhs   r2, #0
    cmp     r8, r10
    it      hi
    movhi   r8, #0
    mla     r0, r8, r3, r0
    it      hs
    movhs   r3, #0
    b       2b
    .size   \name, . - \name
.endm

    ROW     deformable_row_s8, 0, 0
    ROW     deformable_row_s16, 1, 0
    ROW     deformable_row_s8_masked, 0, 1
    ROW     deformable_row_s16_masked, 1, 1
#endif
