/* binary_words_count of binary_words.h for Cortex-M4 and up.
 *
 *     r0 x   r1 weights   r2 words left   r3 total   r4-r9 words of both   r10 r11 r12 masks   lr 0
 *
 * Three words become a word of ones and a word of twos (carry-save adder), which are counted in fields of 2, 4 and 8 bits:
 * 27 instructions for 96 products; a word alone takes 14. Both arrays are word-aligned, for LDM.
 */
#include "binary_words.h"

#if defined(__ARM_FEATURE_DSP)
    .syntax unified
    .thumb

/* counts of four bits each in place */
.macro NIBBLES word, spare
    and     \spare, r10, \word, lsr #1
    sub     \word, \word, \spare
    and     \spare, r11, \word, lsr #2
    and     \word, \word, r11
    add     \word, \word, \spare
.endm

.macro ADD_NIBBLES word, spare
    and     \spare, r12, \word, lsr #4
    and     \word, \word, r12
    add     \word, \word, \spare
    usada8  r3, \word, lr, r3
.endm

    .section .text.binary_words_count, "ax", %progbits
    .balign 16
    .global binary_words_count
    .type   binary_words_count, %function
    .thumb_func
binary_words_count:
    push    {r4-r12, lr}
    mov     r3, #0
    mov     lr, #0
    mov     r10, #0x55555555
    mov     r11, #0x33333333
    mov     r12, #0x0f0f0f0f
    subs    r2, #3
    blt     2f
1:  /* three words */
    ldm     r0!, {r4-r6}
    ldm     r1!, {r7-r9}
    eor     r4, r7
    eor     r5, r8
    eor     r6, r9
    eor     r7, r4, r5
    and     r4, r5
    eor     r5, r7, r6
    and     r7, r6
    orr     r4, r7
    NIBBLES r4, r7
    NIBBLES r5, r7
    add     r5, r5, r4, lsl #1
    ADD_NIBBLES r5, r7
    subs    r2, #3
    bge     1b
2:
    adds    r2, #3
    beq     4f
3:  /* a word */
    ldr     r4, [r0], #4
    ldr     r5, [r1], #4
    eor     r4, r5
    NIBBLES r4, r7
    ADD_NIBBLES r4, r7
    subs    r2, #1
    bne     3b
4:
    mov     r0, r3
    pop     {r4-r12, pc}
    .size   binary_words_count, . - binary_words_count
#endif
