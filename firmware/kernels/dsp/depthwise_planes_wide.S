/* planes_wide (depthwise_planes.h): kernels 5 or 7 wide, any height, stride 1 or 2; up to four channels, 2 to 5 columns of outputs.
 *
 * For every output row: as many sums as columns, then the loop of its kernel rows, one of the WIDE variants: weights by LDM,
 * every data word once by LDR, products of two by SMLAD. Kernel rows outside the image are not in the loop. The sums end in a
 * chain that is entered by their number.
 *
 *     r0 plane   r1 kernel rows left   r2 weights   r3-r7 sums   r7 or r8 .. r12 weights   lr data
 *     after the loop: r1 out   r8 out_step   r9 3 * out_step   r10 r11 r12 constants
 *     s1 s2 constants   s3 output_zero   s4 out_step   s5 row_step   s6 plane   s7 weights
 *     s9 row table, ended by count 0   s10 out   s11 variant's loop   s12 its end
 *     sp: +0 five times the bias   +20 row table   +24 out   +28 record   +32 channels left   +36 bytes of a record
 */
#include "depthwise_planes.h"

#if defined(__ARM_FEATURE_DSP)
    .syntax unified
    .thumb
    .altmacro

.macro MULTIPLY op, sum, weight
    \op     r\sum, lr, r\weight, r\sum
.endm

/* Stride 1: output j begins at word j / 2. Even ones: halves w[2m], w[2m + 1] of weights A, and w[last] = top of the last B.
 * Odd ones: w[0] = bottom of the first A, then B. Output \j takes word \d, weights from r\w; half = kernel width / 2. */
.macro TAKE_STRIDE1 d, j, half, w
    TAKE_AT1 \d, \j, \j, \half, \w
.endm

/* Sum \j of the output at column \x. */
.macro TAKE_AT1 d, j, x, half, w
  .if \x - \x / 2 * 2
    .if \d == \x / 2
    MULTIPLY smlatb, %(3+\j), %(\w)
    .elseif (\d > \x / 2) && (\d <= \x / 2 + \half)
    MULTIPLY smlad, %(3+\j), %(\w+\half+\d-\x/2-1)
    .endif
  .else
    .if (\d >= \x / 2) && (\d < \x / 2 + \half)
    MULTIPLY smlad, %(3+\j), %(\w+\d-\x/2)
    .elseif \d == \x / 2 + \half
    MULTIPLY smlabt, %(3+\j), %(\w+2*\half-1)
    .endif
  .endif
.endm

/* Stride 1 from an odd column: output j is what output j + 1 is otherwise. */
.macro TAKE_ODD1 d, j, half, w
    TAKE_AT1 \d, \j, %(\j+1), \half, \w
.endm

/* Stride 2: output j begins at word j. */
.macro TAKE_STRIDE2 d, j, half, w
    .if (\d >= \j) && (\d <= \j + \half)
    MULTIPLY smlad, %(3+\j), %(\w+\d-\j)
    .endif
.endm

.macro WORD take, d, words, columns, half, w
  .if \d < \words
    .if \d == 0
    ldr     lr, [r0], #4                /* on to the next row */
    .else
    ldr     lr, [r0, #PLANES_WIDE_COLUMN*\d-4]
    .endif
    .irp j, 0, 1, 2, 3, 4
      .if \j < \columns
    TAKE_\take \d, \j, \half, \w
      .endif
    .endr
  .endif
.endm

.macro WIDE label, kernel, take, columns, words, first, last
    .balign 4
\label:
    ldm     r2!, {r\first-r\last}
    .irp d, 0, 1, 2, 3, 4, 5, 6, 7
    WORD    \take, \d, \words, \columns, %(\kernel/2), \first
    .endr
    subs    r1, #1
    bne     \label
    b       wide_end
.endm

    .section .text.planes_wide, "ax", %progbits
    .global planes_wide
    .type planes_wide, %function
    .balign 8
planes_wide:
    push    {r4-r11, lr}
    sub     sp, #44
    vmov    s6, r0
    strd    r1, r2, [sp, #24]
    ldm     r3, {r5-r12}                /* out_step, row_step, zero, form, variant, table, channels, record_bytes */
    vmov    s4, s5, r5, r6
    vmov    s3, r7
    str     r10, [sp, #20]
    strd    r11, r12, [sp, #32]
    adr     r4, wide_variants
    add     r4, r4, r9, lsl #3
    ldrd    r7, r6, [r4]                /* loop, columns */
    add     r6, r6, r8, lsl #3          /* ends of DOUBLE follow those of LINEAR */
    adr     r4, wide_ends
    ldr     r6, [r4, r6, lsl #2]
    vmov    s11, s12, r7, r6

wide_channel:
    ldrd    r1, r2, [sp, #24]
    ldr     r12, [sp, #20]
    vmov    s9, s10, r12, r1
    ldm     r2!, {r4-r6}
    vmov    s1, s2, r5, r6
    vmov    s7, r2
    mov     r5, r4
    mov     r6, r4
    mov     r7, r4
    mov     r8, r4
    stm     sp, {r4-r8}

wide_row:
    vmov    r12, s9
    ldm     r12!, {r0-r2}               /* plane_bytes, count, weights_bytes */
    cbz     r1, wide_next
    vmov    s9, r12
    vmov    r12, lr, s6, s7
    add     r0, r12
    add     r2, lr
    vmov    r8, s11
    ldm     sp, {r3-r7}
    bx      r8

wide_next:
    ldrd    r1, r2, [sp, #24]
    ldrd    r3, r4, [sp, #32]
    subs    r3, #1
    beq     wide_return
    add     r1, #1
    add     r2, r4
    strd    r1, r2, [sp, #24]
    str     r3, [sp, #32]
    vmov    r0, s6
    add     r0, #PLANES_WIDE_CHANNEL
    vmov    s6, r0
    b       wide_channel
wide_return:
    add     sp, #44
    pop     {r4-r11, pc}

    WIDE    wide_5_1_2, 5, STRIDE1, 2, 3, 8, 11
    WIDE    wide_5_1_3, 5, STRIDE1, 3, 4, 8, 11
    WIDE    wide_5_1_4, 5, STRIDE1, 4, 4, 8, 11
    WIDE    wide_5_1_5, 5, STRIDE1, 5, 5, 8, 11
    WIDE    wide_5_1_5_odd, 5, ODD1, 5, 5, 8, 11
    WIDE    wide_7_1_2, 7, STRIDE1, 2, 4, 7, 12
    WIDE    wide_7_1_3, 7, STRIDE1, 3, 5, 7, 12
    WIDE    wide_7_1_4, 7, STRIDE1, 4, 5, 7, 12
    WIDE    wide_5_2_2, 5, STRIDE2, 2, 4, 8, 10
    WIDE    wide_5_2_3, 5, STRIDE2, 3, 5, 8, 10
    WIDE    wide_5_2_4, 5, STRIDE2, 4, 6, 8, 10
    WIDE    wide_5_2_5, 5, STRIDE2, 5, 7, 8, 10
    WIDE    wide_7_2_2, 7, STRIDE2, 2, 5, 8, 11
    WIDE    wide_7_2_3, 7, STRIDE2, 3, 6, 8, 11
    WIDE    wide_7_2_4, 7, STRIDE2, 4, 7, 8, 11
    WIDE    wide_7_2_5, 7, STRIDE2, 5, 8, 8, 11

    .noaltmacro
wide_end:
    vmov    r1, s10
    vmov    r8, lr, s4, s5
    add     r12, r1, lr
    vmov    s10, r12
    add     r9, r8, r8, lsl #1
    vmov    r10, r11, s1, s2
    vmov    lr, s12
    vmov    r12, s3
    bx      lr

.macro END_LINEAR label, x, place
\label:
    smmla   \x, \x, r10, r11
    ssat    \x, #8, \x, asr #PLANES_LINEAR_SHIFT
    strb    \x, [r1\place]
.endm
    END_LINEAR wide_linear_5, r7, ", r8, lsl #2"
    END_LINEAR wide_linear_4, r6, ", r9"
    END_LINEAR wide_linear_3, r5, ", r8, lsl #1"
    END_LINEAR wide_linear_2, r4, ", r8"
    END_LINEAR wide_linear_1, r3
    b       wide_row

.macro END_DOUBLE label, x, place
\label:
    smmlar  \x, \x, r10, \x
    smmlar  \x, \x, r11, r12
    ssat    \x, #8, \x
    strb    \x, [r1\place]
.endm
    END_DOUBLE wide_double_5, r7, ", r8, lsl #2"
    END_DOUBLE wide_double_4, r6, ", r9"
    END_DOUBLE wide_double_3, r5, ", r8, lsl #1"
    END_DOUBLE wide_double_2, r4, ", r8"
    END_DOUBLE wide_double_1, r3
    b       wide_row

    .balign 4
wide_variants:                          /* in the order of enum planes_wide_variant: loop, columns */
    .word   wide_5_1_2 + 1, 2, wide_5_1_3 + 1, 3, wide_5_1_4 + 1, 4, wide_5_1_5 + 1, 5
    .word   wide_5_1_5_odd + 1, 5
    .word   wide_7_1_2 + 1, 2, wide_7_1_3 + 1, 3, wide_7_1_4 + 1, 4
    .word   wide_5_2_2 + 1, 2, wide_5_2_3 + 1, 3, wide_5_2_4 + 1, 4, wide_5_2_5 + 1, 5
    .word   wide_7_2_2 + 1, 2, wide_7_2_3 + 1, 3, wide_7_2_4 + 1, 4, wide_7_2_5 + 1, 5
wide_ends:                              /* by columns, and 8 further for DOUBLE */
    .word   0, 0, wide_linear_2 + 1, wide_linear_3 + 1, wide_linear_4 + 1, wide_linear_5 + 1, 0, 0
    .word   0, 0, wide_double_2 + 1, wide_double_3 + 1, wide_double_4 + 1, wide_double_5 + 1
    .size planes_wide, . - planes_wide
#endif
