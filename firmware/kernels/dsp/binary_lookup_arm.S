/* lookup_count and lookup_tables of binary_lookup.h for Cortex-M4 and up.
 *
 * lookup_count:
 *
 *     r0 tables of a word   r1 weights   r2 mask   r3 r4 codes of even and odd nibbles   r5 r6 sums of three   r7 r8 looked up
 *     r9 r10 even lanes   r11 r12 odd lanes   lr end of the tables
 *     s0 tables   s1 totals   s2 skip_bytes   s3 totals_end
 *
 * A word is 50 instructions, a row takes 34 more. Tables, weights and totals are word-aligned, for LDRD and STRD.
 *
 * The odd lanes are summed with the even ones above them, s0 >> 4: a lane of four bits is worth 16 of the byte below. So what the
 * even lanes sum to, one byte down and times 16, is subtracted at the end.
 *
 * lookup_tables:
 *
 *     r0 nibbles   r1 tables   r2 inside   r3 padding   r4 ones   r5-r8 what each weight adds   r9-r12 sums   lr end of the nibbles
 *
 * A nibble is 48 instructions for 16 entries.
 *
 * lookup_put_int8:
 *
 *     r0 totals   r1 channels   r2 out   r3 out_c   r4 all   r5 twice   r6 multiplier   r7 offset   r8 r9 two pixels   r10 out of a pixel
 *     lr end of the channels
 *
 * A channel is 93 instructions for 16 outputs.
 */
#include "binary_lookup.h"

#if defined(__ARM_FEATURE_DSP)
    .syntax unified
    .thumb

.macro FIRST code, turn, nibble
    uxtab   r5, r0, \code, ror #\turn
    ldrd    r5, r6, [r5, #128 * \nibble]
.endm

.macro NEXT code, turn, nibble
    uxtab   r7, r0, \code, ror #\turn
    ldrd    r7, r8, [r7, #128 * \nibble]
    add     r5, r7
    add     r6, r8
.endm

.macro WIDEN
    and     r7, r5, #0x0f0f0f0f
    and     r8, r6, #0x0f0f0f0f
    add     r9, r7
    add     r10, r8
    add     r11, r11, r5, lsr #4
    add     r12, r12, r6, lsr #4
.endm

.macro FLUSH lanes
    ldrd    r5, r6, [r4]
    uxtab16 r5, r5, \lanes
    uxtab16 r6, r6, \lanes, ror #8
    strd    r5, r6, [r4], #8
.endm

    .section .text.lookup_count, "ax", %progbits
    .balign 16
    .global lookup_count
    .type   lookup_count, %function
    .thumb_func
lookup_count:
    push    {r4-r11, lr}
    ldm     r3, {r4-r6}
    vmov    s0, s1, r0, r2
    vmov    s2, s3, r6, r5
    mov     lr, r4
    mov     r2, #0x78787878
1:  /* a row */
    mov     r9, #0
    mov     r10, #0
    mov     r11, #0
    mov     r12, #0
2:  /* a word */
    ldr     r4, [r1], #4
    and     r3, r2, r4, lsl #3
    and     r4, r2, r4, lsr #1
    FIRST   r3, 0, 0
    NEXT    r4, 0, 1
    NEXT    r3, 8, 2
    WIDEN
    FIRST   r4, 8, 3
    NEXT    r3, 16, 4
    NEXT    r4, 16, 5
    WIDEN
    FIRST   r3, 24, 6
    NEXT    r4, 24, 7
    WIDEN
    add     r0, #4 * LOOKUP_TABLE_WORDS
    cmp     r0, lr
    bne     2b
    lsr     r7, r9, #8
    lsr     r8, r10, #8
    sub     r11, r11, r7, lsl #4
    sub     r12, r12, r8, lsl #4
    vmov    r0, r4, s0, s1
    FLUSH   r9
    FLUSH   r11
    FLUSH   r10
    FLUSH   r12
    vmov    r7, r8, s2, s3
    vmov    s1, r4
    add     r1, r7
    cmp     r4, r8
    bne     1b
    pop     {r4-r11, pc}
    .size   lookup_count, . - lookup_count

.macro STORE offset
    str     r9, [r1, #\offset]
    str     r10, [r1, #\offset + 8]
    str     r11, [r1, #\offset + 16]
    str     r12, [r1, #\offset + 24]
.endm

.macro ALL operation, register
    \operation r9, \register
    \operation r10, \register
    \operation r11, \register
    \operation r12, \register
.endm

    .section .text.lookup_tables, "ax", %progbits
    .balign 16
    .global lookup_tables
    .type   lookup_tables, %function
    .thumb_func
lookup_tables:
    push    {r4-r12, lr}
    mov     r4, #0x11111111
    add     lr, r0, #32
1:
    ldr     r8, [r0], #4
    ldr     r9, [r3], #4
    and     r5, r4, r8
    and     r6, r4, r8, lsr #1
    and     r7, r4, r8, lsr #2
    and     r8, r4, r8, lsr #3
    add     r9, r5
    add     r9, r6
    add     r9, r7
    add     r9, r8
    sub     r5, r2, r5, lsl #1
    sub     r6, r2, r6, lsl #1
    sub     r7, r2, r7, lsl #1
    sub     r8, r2, r8, lsl #1
    add     r10, r9, r5
    add     r11, r9, r6
    add     r12, r10, r6
    STORE   0
    ALL     add, r7
    STORE   32
    ALL     add, r8
    STORE   96
    ALL     sub, r7
    STORE   64
    add     r1, #128
    cmp     r0, lr
    bne     1b
    pop     {r4-r12, pc}
    .size   lookup_tables, . - lookup_tables

    .section .text.lookup_put_int8, "ax", %progbits
    .balign 16
    .global lookup_put_int8
    .type   lookup_put_int8, %function
    .thumb_func
lookup_put_int8:
    push    {r4-r10, lr}
    ldm     r3, {r3-r6}
    mov     lr, r3
    mov     r3, r4
    mov     r4, r5
    mov     r5, r6
1:  /* a channel */
    ldm     r1!, {r6, r7}
    mov     r10, r2
    add     r2, #1
  .rept LOOKUP_PIXELS / 2
    ldrh    r8, [r0], #2
    ldrh    r9, [r0], #2
    mls     r8, r8, r5, r4
    mls     r9, r9, r5, r4
    smmla   r8, r8, r6, r7
    smmla   r9, r9, r6, r7
    ssat    r8, #8, r8, asr #LOOKUP_DOWN
    ssat    r9, #8, r9, asr #LOOKUP_DOWN
    strb    r8, [r10]
    strb    r9, [r10, r3]
    add     r10, r10, r3, lsl #1
  .endr
    cmp     r1, lr
    bne     1b
    pop     {r4-r10, pc}
    .size   lookup_put_int8, . - lookup_put_int8
#endif
