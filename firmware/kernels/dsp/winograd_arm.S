/* Winograd's micro-kernels for Arm cores with the DSP extension and an FPU, whose registers only hold
 * addresses and constants: moving them (VMOV) is faster than the stack. winograd_plain.c defines what they
 * compute, winograd.h the layouts and bounds. Written by hand, because GCC spills accumulators; Thumb-2 of
 * ARMv7E-M, no alignment assumed but that of words in V, U, M and Z. Pixels may be unaligned: only LDR reads
 * them.
 */
#include "winograd.h"

#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP

    .syntax unified
    .thumb
    .text

#define ZS        (WINOGRAD_Z_COLUMNS * 4) /* bytes of a row of Z */
#define M_TILE(positions) (WINOGRAD_BLOCK_C * 4 * positions) /* bytes of a tile of M */
#define CALLEE    {r4-r11, lr}
#define ON_STACK  36 /* the fifth argument, once CALLEE is pushed */

    .macro function name
    .section .text.\name, "ax", %progbits
    .balign 8
    .global \name
    .type \name, %function
    .thumb_func
\name:
    .endm

    .macro end_function name
    .size \name, . - \name
    .endm

/* --- multiply: void (v r0, u r1, m r2, channel_pairs r3, tile_quads on the stack)
 * 2 output channels x 4 tiles in r4 .. r7 and r8 .. r11; U in r2 and r3, V in r12 and lr. A channel pair is
 * 11 instructions for 16 products. The first one sets the accumulators; the others run through 8 copies,
 * entered in the middle the first time.
 * s0 M cursor    s1 its end at this position    s2 V from its end back to the next position
 * s3 entry into the loop    s4, s5 end and begin of U at this position    s6 M back to the next position
 * s7 bytes of U a position    s8 end of s1
 */
    .macro product first, acc, u, v
    .if \first
    smuad   \acc, \u, \v
    .else
    smlad   \acc, \u, \v, \acc
    .endif
    .endm

    .macro channel_pair positions, first
    ldrd    r2, r3, [r1], #8
    products \positions, \first
    .endm

    .macro held_pair positions, first, u0, u1
    vmov    r2, r3, \u0, \u1
    products \positions, \first
    .endm

    .macro products positions, first
    ldrd    r12, lr, [r0], #8
    product \first, r4, r2, r12
    product \first, r5, r2, lr
    product \first, r8, r3, r12
    product \first, r9, r3, lr
    ldrd    r12, lr, [r0], #\positions * 16 - 8
    product \first, r6, r2, r12
    product \first, r7, r2, lr
    product \first, r10, r3, r12
    product \first, r11, r3, lr
    .endm

    .macro store_products m, positions
    str     r4, [\m]
    str     r5, [\m, #M_TILE(\positions)]
    str     r6, [\m, #M_TILE(\positions) * 2]
    str     r7, [\m, #M_TILE(\positions) * 3]
    str     r8, [\m, #\positions * 4]
    str     r9, [\m, #\positions * 4 + M_TILE(\positions)]
    str     r10, [\m, #\positions * 4 + M_TILE(\positions) * 2]
    str     r11, [\m, #\positions * 4 + M_TILE(\positions) * 3]
    add     \m, \m, #M_TILE(\positions) * 4
    .endm

#define COPY_BYTES 44 /* of a channel_pair */

    .macro multiply name, positions
    function \name
    .if \positions == WINOGRAD4_SPACE
    cmp     r3, #2
    beq     \name\()_2
    .endif
    cmp     r3, #16
    beq     \name\()_16
    push    CALLEE
    ldr     r4, [sp, #ON_STACK]
    mul     r5, r3, r4
    mov     r6, #\positions * 16
    mul     r5, r5, r6
    sub     r5, r5, #16
    vmov    s2, r5
    lsl     r6, r3, #3
    vmov    s7, r6
    mov     r6, #M_TILE(\positions) * 4
    mul     r6, r4, r6
    add     r7, r2, r6
    vmov    s0, r2
    vmov    s1, r7
    sub     r6, r6, #4
    vmov    s6, r6
    add     r7, r7, #\positions * 4
    vmov    s8, r7
    rsb     r3, r3, #1                      @ copies to leave out: (1 - channel_pairs) modulo 8
    and     r3, r3, #7
    mov     r6, #COPY_BYTES
    mul     r3, r3, r6
    adr     r4, 3f
    add     r3, r3, r4
    orr     r3, r3, #1
    vmov    s3, r3
1:  vmov    r3, s7                          @ ---- a position
    vmov    s5, r1
    add     r3, r3, r1
    vmov    s4, r3
2:  channel_pair \positions, 1              @ ---- four tiles
    vmov    r2, s3
    bx      r2
    .balign 4
3:
    .rept 8
    channel_pair \positions, 0
    .endr
    vmov    r2, s4
    cmp     r1, r2
    bne     3b
    vmov    r2, r3, s0, s1
    store_products r2, \positions
    vmov    s0, r2
    cmp     r2, r3
    itt     ne
    vmovne  r1, s5
    bne     2b
    vmov    r12, s6                         @ ---- all tiles done
    vmov    r4, s2
    sub     r0, r0, r4
    sub     r2, r2, r12
    vmov    s0, r2
    adds    r3, r3, #4
    vmov    s1, r3
    vmov    r4, s8
    cmp     r3, r4
    bne     1b
    pop     {r4-r11, pc}
    end_function \name
    .endm

/* The same for 2 or 16 channel pairs, whose U of a position stays in s registers: faster than flash if
 * there are more than four tiles. r1: M cursor. On the stack: its end at this position, U, what goes back
 * in V and in M to the next position, and the end of the first.
 */
    .macro multiply_held name, positions, pairs
    function \name
    push    CALLEE
    ldr     r4, [sp, #ON_STACK]
    vpush   {s16-s31}
    sub     sp, sp, #20
    mov     r6, #\positions * 16 * \pairs
    mul     r5, r4, r6
    sub     r5, r5, #16
    mov     r6, #M_TILE(\positions) * 4
    mul     r6, r4, r6
    add     r7, r2, r6
    sub     r6, r6, #4
    strd    r7, r1, [sp]
    strd    r5, r6, [sp, #8]
    add     r7, r7, #\positions * 4
    str     r7, [sp, #16]
    mov     r1, r2
1:  ldr     r3, [sp, #4]                    @ ---- a position
    .if \pairs == 2
    vldmia  r3!, {s0-s3}
    .else
    vldmia  r3!, {s0-s31}
    .endif
    str     r3, [sp, #4]
2:  held_pair \positions, 1, s0, s1         @ ---- four tiles
    held_pair \positions, 0, s2, s3
    .if \pairs == 16
    held_pair \positions, 0, s4, s5
    held_pair \positions, 0, s6, s7
    held_pair \positions, 0, s8, s9
    held_pair \positions, 0, s10, s11
    held_pair \positions, 0, s12, s13
    held_pair \positions, 0, s14, s15
    held_pair \positions, 0, s16, s17
    held_pair \positions, 0, s18, s19
    held_pair \positions, 0, s20, s21
    held_pair \positions, 0, s22, s23
    held_pair \positions, 0, s24, s25
    held_pair \positions, 0, s26, s27
    held_pair \positions, 0, s28, s29
    held_pair \positions, 0, s30, s31
    .endif
    store_products r1, \positions
    ldr     r3, [sp]
    cmp     r1, r3
    bne     2b
    ldrd    r4, r5, [sp, #8]                @ ---- all tiles done
    ldr     r6, [sp, #16]
    sub     r0, r0, r4
    sub     r1, r1, r5
    adds    r3, r3, #4
    str     r3, [sp]
    cmp     r3, r6
    bne     1b
    add     sp, sp, #20
    vpop    {s16-s31}
    pop     {r4-r11, pc}
    end_function \name
    .endm

    multiply winograd4_multiply, WINOGRAD4_SPACE
    multiply winograd2_multiply, WINOGRAD2_SPACE
    multiply_held winograd4_multiply_2, WINOGRAD4_SPACE, 2
    multiply_held winograd4_multiply_16, WINOGRAD4_SPACE, 16
    multiply_held winograd2_multiply_16, WINOGRAD2_SPACE, 16

/* multiply of 4 output channels and 8 channel pairs: 4 x 2 tiles, for which all 32 words of U fit the s
 * registers and a word of V serves four channels. r1: M cursor. On the stack: its end at this position, U
 * of the first two channels, and the end's end.
 */
    .macro wide_pair positions, first, u0, u1, u2, u3
    ldrd    r12, lr, [r0], #\positions * 16
    vmov    r2, r3, \u0, \u1
    product \first, r4, r2, r12
    product \first, r5, r2, lr
    product \first, r6, r3, r12
    product \first, r7, r3, lr
    vmov    r2, r3, \u2, \u3
    product \first, r8, r2, r12
    product \first, r9, r2, lr
    product \first, r10, r3, r12
    product \first, r11, r3, lr
    .endm

    /* Tiles `tile` and the next of four. */
    .macro wide_tiles positions, tile
    wide_pair \positions, 1, s0, s1, s16, s17
    wide_pair \positions, 0, s2, s3, s18, s19
    wide_pair \positions, 0, s4, s5, s20, s21
    wide_pair \positions, 0, s6, s7, s22, s23
    wide_pair \positions, 0, s8, s9, s24, s25
    wide_pair \positions, 0, s10, s11, s26, s27
    wide_pair \positions, 0, s12, s13, s28, s29
    wide_pair \positions, 0, s14, s15, s30, s31
    str     r4, [r1, #M_TILE(\positions) * \tile]
    str     r6, [r1, #M_TILE(\positions) * \tile + \positions * 4]
    str     r8, [r1, #M_TILE(\positions) * \tile + \positions * 8]
    str     r10, [r1, #M_TILE(\positions) * \tile + \positions * 12]
    str     r5, [r1, #M_TILE(\positions) * (\tile + 1)]
    str     r7, [r1, #M_TILE(\positions) * (\tile + 1) + \positions * 4]
    str     r9, [r1, #M_TILE(\positions) * (\tile + 1) + \positions * 8]
    str     r11, [r1, #M_TILE(\positions) * (\tile + 1) + \positions * 12]
    .endm

    .macro multiply_wide name, positions
    function \name
    push    CALLEE
    ldr     r4, [sp, #ON_STACK]
    vpush   {s16-s31}
    sub     sp, sp, #20
    mov     r6, #\positions * 16 * 8
    mul     r5, r4, r6
    sub     r5, r5, #16
    mov     r6, #M_TILE(\positions) * 4
    mul     r6, r4, r6
    add     r7, r2, r6
    sub     r6, r6, #4
    strd    r7, r1, [sp]
    strd    r5, r6, [sp, #8]
    add     r7, r7, #\positions * 4
    str     r7, [sp, #16]
    mov     r1, r2
1:  ldr     r3, [sp, #4]                    @ ---- a position
    add     r4, r3, #\positions * 64
    vldmia  r3!, {s0-s15}
    vldmia  r4, {s16-s31}
    str     r3, [sp, #4]
2:  wide_tiles \positions, 0               @ ---- four tiles
    sub     r0, r0, #\positions * 64
    sub     r0, r0, #\positions * 64 - 8
    wide_tiles \positions, 2
    sub     r0, r0, #8
    ldr     r3, [sp]
    add     r1, r1, #M_TILE(\positions) * 4
    cmp     r1, r3
    bne     2b
    ldrd    r4, r5, [sp, #8]                @ ---- all tiles done
    ldr     r6, [sp, #16]
    sub     r0, r0, r4
    sub     r1, r1, r5
    adds    r3, r3, #4
    str     r3, [sp]
    cmp     r3, r6
    bne     1b
    add     sp, sp, #20
    vpop    {s16-s31}
    pop     {r4-r11, pc}
    end_function \name
    .endm

    multiply_wide winograd4_multiply_wide, WINOGRAD4_SPACE
    multiply_wide winograd2_multiply_wide, WINOGRAD2_SPACE

/* --- B^T of n = 4: r2 .. r7 to r2, r8, r9, r10, r11, r7 */
    .macro transform4
    sub     r8, r6, r4, lsl #2
    sub     r10, r5, r3, lsl #2
    sub     r9, r8, r10
    add     r8, r8, r10
    sub     r6, r6, r4
    sub     r3, r5, r3
    add     r10, r6, r3, lsl #1
    sub     r11, r6, r3, lsl #1
    sub     r2, r2, r4
    add     r2, r6, r2, lsl #2
    sub     r7, r7, r5
    sub     r7, r7, r3, lsl #2
    .endm

/* --- rows: void (row1 r0, z r1, columns r2, rows r3)
 * A column of six pixels' channel pairs, + 128, transformed; one word to each row of Z. s0 .. s3: *rows.
 */
    .macro rows4 name, rotation
    function \name
    push    CALLEE
    vldmia  r3, {s0-s3}
    add     lr, r1, r2, lsl #2              @ end of Z's first row
    mov     r12, #0x00800080
1:  vmov    r8, r9, s0, s1                  @ bytes to the next row, to the third
    vmov    r10, r11, s2, s3                @ to row 0, to the next pixel
    ldr     r3, [r0]
    ldr     r4, [r0, r8]
    ldr     r5, [r0, r8, lsl #1]
    ldr     r6, [r0, r9]
    ldr     r7, [r0, r8, lsl #2]
    ldr     r2, [r0, r10]
    add     r0, r0, r11
    .irp    d, r2, r3, r4, r5, r6, r7
    sxtab16 \d, r12, \d, ror #\rotation
    .endr
    transform4
    str     r9, [r1, #ZS]
    str     r10, [r1, #ZS * 2]
    str     r11, [r1, #ZS * 3]
    str     r2, [r1, #ZS * 4]
    str     r7, [r1, #ZS * 5]
    str     r8, [r1], #4
    cmp     r1, lr
    bne     1b
    pop     {r4-r11, pc}
    end_function \name
    .endm

    rows4 winograd4_rows_even, 0
    rows4 winograd4_rows_odd, 8

/* --- columns: void (z r0, v r1, tiles r2, left r3, place on the stack)
 * Six rows of a tile, two a turn. lr: end of Z for this tile; r12: tiles until the next four begin.
 */
    .macro columns4_row at
    ldm     r0, {r2-r7}
    add     r0, r0, #ZS
    add     r6, r6, #WINOGRAD4_LANE
    add     r7, r7, #WINOGRAD4_LANE
    transform4
    str     r8, [r1, #\at + 16]
    str     r9, [r1, #\at + 32]
    str     r10, [r1, #\at + 48]
    str     r11, [r1, #\at + 64]
    str     r7, [r1, #\at + 80]
    .endm

    /* To the next tile, Z z_step bytes further and V positions * 16 behind; to 1 while there is one. */
    .macro next_tile positions, z_step
    vmov    r2, r3, s0, s1
    subs    r12, r12, #1
    sub     r1, r1, #\positions * 16 - 4
    add     r0, r0, #\z_step
    itt     eq
    addeq   r1, r1, r3
    moveq   r12, #4
    subs    r2, r2, #1
    vmov    s0, r2
    bne     1b
    .endm

    .macro columns_begin
    push    CALLEE
    ldr     r4, [sp, #ON_STACK]
    ldr     r4, [r4]
    vmov    s0, r2
    mov     r12, r3
    sub     r4, r4, #16
    vmov    s1, r4                          @ from behind four tiles to the next four
    .endm

    function winograd4_columns
    columns_begin
1:  add     lr, r0, #6 * ZS
2:  columns4_row 0
    str     r2, [r1]
    columns4_row 96
    str     r2, [r1, #96]
    add     r1, r1, #192
    cmp     r0, lr
    bne     2b
    next_tile WINOGRAD4_SPACE, 16 - 6 * ZS
    pop     {r4-r11, pc}
    end_function winograd4_columns

/* --- n = 2: B^T lane by lane; V is within +-510 */
    .macro transform2                       @ in r2 .. r5, out r6, r7, r8, r9
    ssub16  r6, r2, r4
    sadd16  r7, r3, r4
    ssub16  r8, r4, r3
    ssub16  r9, r3, r5
    .endm

    .macro rows2 name, rotation
    function \name
    push    CALLEE
    vldmia  r3, {s0-s3}
    vmov    r10, s0                         @ bytes to the next row
    vmov    r11, r12, s2, s3                @ to row 0, to the next pixel
    add     lr, r1, r2, lsl #2              @ end of Z's first row
1:  ldr     r3, [r0]
    ldr     r4, [r0, r10]
    ldr     r5, [r0, r10, lsl #1]
    ldr     r2, [r0, r11]
    add     r0, r0, r12
    .irp    d, r2, r3, r4, r5
    sxtb16  \d, \d, ror #\rotation
    .endr
    transform2
    str     r8, [r1, #ZS]
    str     r6, [r1, #ZS * 2]
    str     r9, [r1, #ZS * 3]
    str     r7, [r1], #4
    cmp     r1, lr
    bne     1b
    pop     {r4-r11, pc}
    end_function \name
    .endm

    rows2 winograd2_rows_even, 0
    rows2 winograd2_rows_odd, 8

    function winograd2_columns
    columns_begin
1:
    .irp    row, 0, 1, 2, 3
    ldm     r0, {r2-r5}
    add     r0, r0, #ZS
    transform2
    str     r6, [r1, #\row * 64]
    str     r7, [r1, #\row * 64 + 16]
    str     r8, [r1, #\row * 64 + 32]
    str     r9, [r1, #\row * 64 + 48]
    .endr
    add     r1, r1, #WINOGRAD2_SPACE * 16
    next_tile WINOGRAD2_SPACE, 8 - 4 * ZS
    pop     {r4-r11, pc}
    end_function winograd2_columns

/* --- output: void (m r0, out r1, tiles r2, channel r3, channels on the stack)
 * --- sums: void (m r0, sums r1, channel r2)
 * n = 4: a tile in two passes over its M, output columns 0 and 2, then 1 and 3: their 8 values are r4 .. r11.
 * s0 bias, s1 .. s4 fixes, s8 end of M, s9 tiles, s10 channels left, s11 M of the channel, s12 its first
 * output, s13 next channel record. On the stack: 9^-1, twice, power, zero, out, and the output's strides.
 */
#define INVERSE_OF_9 954437177

    /* One row of M, m0 .. m4 in r1, r2, r3, a, b: x = 2 m0 + 4 (m1 + m2) + m3 + m4, y = m1 + m2 + m3 + m4.
     * y may be a. */
    .macro row_even x, y, a, b
    add     r2, r2, r3
    add     \a, \a, \b
    add     \x, \a, r2, lsl #2
    add     \y, r2, \a
    add     \x, \x, r1, lsl #1
    .endm

    /* m1 .. m5 in r1, r2, r3, a, b: 2 (m1 - m2) + m3 - m4 and m1 - m2 + 2 (m3 - m4 + m5). */
    .macro row_odd x, y, a, b
    sub     r1, r1, r2
    sub     r3, r3, \a
    add     \x, r3, r1, lsl #1
    add     r3, r3, \b
    add     \y, r1, r3, lsl #1
    .endm

    .macro row odd, x, y, a, b
    .if \odd
    row_odd \x, \y, \a, \b
    .else
    row_even \x, \y, \a, \b
    .endif
    .endm

    /* The same of a row in r1, r2, r3, r12, lr, to r2 and r3. */
    .macro row_apart odd
    .if \odd
    row_odd r2, r3, r12, lr
    .else
    add     r2, r2, r3
    add     r12, r12, lr
    add     r3, r2, r12
    add     r2, r12, r2, lsl #2
    add     r2, r2, r1, lsl #1
    .endif
    .endm

    /* The exact sums, in r4 .. r7 for one column's rows 0 .. 3 and in r8 .. r11 for the other's. */
    .macro sums4 odd
    vmov    r4, s0
    ldm     r0!, {r1, r2, r3, r11, r12, lr} @ row 1 of the transform, + bias at column 1
    .if \odd
    add     r1, r1, r4
    .else
    add     r2, r2, r4
    .endif
    row     \odd, r4, r8, r11, r12
    ldm     r0!, {r1, r2, r3, r11, r12, lr} @ row 2
    row     \odd, r5, r9, r11, r12
    add     r6, r4, r5
    sub     r5, r4, r5
    add     r10, r8, r9
    sub     r9, r8, r9
    ldm     r0!, {r1, r2, r3, r11, r12, lr} @ row 3
    row     \odd, r4, r8, r11, r12
    ldm     r0!, {r1, r2, r3, r11, r12, lr} @ row 4
    row     \odd, r7, r11, r11, r12
    add     lr, r4, r7
    sub     r7, r4, r7
    add     r12, r8, r11
    sub     r11, r8, r11
    add     r4, lr, r6, lsl #2              @ r4 .. r7: rows 1 .. 4 for outputs 0 .. 3 of the one column
    add     r6, r6, lr
    mov     r1, r5
    add     r5, r7, r5, lsl #1
    add     r7, r1, r7, lsl #1
    add     r8, r12, r10, lsl #2            @ r8 .. r11: of the other
    add     r10, r10, r12
    mov     r1, r9
    add     r9, r11, r9, lsl #1
    add     r11, r1, r11, lsl #1
    ldm     r0, {r1, r2, r3, r12, lr}       @ row 0
    add     r0, r0, #24
    row_apart \odd
    add     r4, r4, r2, lsl #1
    add     r8, r8, r3, lsl #1
    ldm     r0, {r1, r2, r3, r12, lr}       @ row 5
    row_apart \odd
    add     r7, r7, r2, lsl #1
    add     r11, r11, r3, lsl #1
    ldm     sp, {r1, r2, r3, r12, lr}
    .irp    y, r4, r5, r6, r7, r8, r9, r10, r11
    mul     \y, \y, r1
    .endr
    .if \odd
    vmov    r1, s3
    add     r10, r10, r1
    vmov    r1, s4
    add     r11, r11, r1
    asr     r4, r4, #5
    asr     r5, r5, #4
    asr     r6, r6, #3
    asr     r7, r7, #3
    .else
    vmov    r1, s1
    add     r10, r10, r1
    vmov    r1, s2
    add     r11, r11, r1
    asr     r4, r4, #6
    asr     r5, r5, #5
    asr     r6, r6, #4
    asr     r7, r7, #4
    .endif
    asr     r8, r8, #4
    asr     r9, r9, #3
    asr     r10, r10, #2
    asr     r11, r11, #2
    .endm

    /* Requantises r4 .. r11 and stores them to column `odd` and the one after the next, at lr. */
    .macro store4 odd
    .irp    y, r4, r5, r6, r7, r8, r9, r10, r11
    smmlar  \y, \y, r2, \y                  @ rounding doubling high multiply
    .endr
    .irp    y, r4, r5, r6, r7, r8, r9, r10, r11
    smmlar  \y, \y, r3, r12                 @ rounding shift, + zero
    .endr
    .irp    y, r4, r5, r6, r7, r8, r9, r10, r11
    ssat    \y, #8, \y
    .endr
    ldrd    r1, r2, [sp, #20]
    ldr     r3, [sp, #28]
    .if \odd
    add     lr, lr, r3
    .endif
    strb    r4, [lr]
    strb    r5, [lr, r1]
    strb    r6, [lr, r1, lsl #1]
    strb    r7, [lr, r2]
    add     lr, lr, r3, lsl #1
    strb    r8, [lr]
    strb    r9, [lr, r1]
    strb    r10, [lr, r1, lsl #1]
    strb    r11, [lr, r2]
    .endm

    .macro output_begin
    ldr     r4, [sp, #ON_STACK]
    vmov    s9, r2
    vmov    s10, r4
    vmov    s11, r0
    vmov    s12, r1
    .endm

    /* r0 M, r1 output and r3 record of the next channel; loops to 1 while there is one. */
    .macro next_channel positions
    vmov    r0, r1, s11, s12
    vmov    r2, r4, s9, s10
    vmov    r3, s13
    add     r0, r0, #\positions * 4
    add     r1, r1, #1
    vmov    s11, r0
    vmov    s12, r1
    subs    r4, r4, #1
    vmov    s10, r4
    bne     1b
    .endm

    function winograd4_output
    push    CALLEE
    output_begin
    sub     sp, sp, #36
    ldr     r10, =INVERSE_OF_9
    str     r10, [sp]
1:  vldmia  r3!, {s0-s4}                    @ ---- a channel
    ldm     r3!, {r4-r9}                    @ twice, power, zero, row_bytes, row_bytes_3, pixel_bytes
    vmov    s13, r3
    strd    r4, r5, [sp, #4]
    str     r6, [sp, #12]
    str     r1, [sp, #16]
    strd    r7, r8, [sp, #20]
    str     r9, [sp, #28]
    mov     r4, #M_TILE(WINOGRAD4_SPACE)
    mla     r4, r4, r2, r0
    vmov    s8, r4
2:  sums4   0                               @ ---- a tile
    store4  0
    subs    r0, r0, #116                    @ the same M, from column 1
    sums4   1
    store4  1
    add     lr, lr, r3
    str     lr, [sp, #16]
    addw    r0, r0, #20 + M_TILE(WINOGRAD4_SPACE) - WINOGRAD4_SPACE * 4
    vmov    r1, s8
    cmp     r0, r1
    bne     2b
    next_channel WINOGRAD4_SPACE
    add     sp, sp, #36
    pop     {r4-r11, pc}
    .ltorg
    end_function winograd4_output

    /* Columns 0 and 2, then 1 and 3, of four rows of four words. */
    .macro store_sums4 odd
    str     r4, [lr, #\odd * 4]
    str     r5, [lr, #\odd * 4 + 16]
    str     r6, [lr, #\odd * 4 + 32]
    str     r7, [lr, #\odd * 4 + 48]
    str     r8, [lr, #\odd * 4 + 8]
    str     r9, [lr, #\odd * 4 + 24]
    str     r10, [lr, #\odd * 4 + 40]
    str     r11, [lr, #\odd * 4 + 56]
    .endm

    function winograd4_sums
    push    CALLEE
    sub     sp, sp, #20
    vldmia  r2, {s0-s4}
    ldr     r4, =INVERSE_OF_9
    str     r4, [sp]
    str     r1, [sp, #16]
    sums4   0
    store_sums4 0
    subs    r0, r0, #116
    sums4   1
    store_sums4 1
    add     sp, sp, #20
    pop     {r4-r11, pc}
    .ltorg
    end_function winograd4_sums

    /* n = 2, one row of M, m0 .. m3 in r1, r2, r3, r12: 2 m0 + m1 + m2 and m1 - m2 - 2 m3. */
    .macro row2 x, y
    add     \x, r2, r3
    sub     \y, r2, r3
    add     \x, \x, r1, lsl #1
    sub     \y, \y, r12, lsl #1
    .endm

    /* The exact sums, in r8, r9 for rows 0, 1 of column 0, in r10, r11 for column 1. s0: bias. */
    .macro sums2
    ldm     r0!, {r1, r2, r3, r12}          @ row 1 of the transform, + bias at column 1
    vmov    r4, s0
    add     r2, r2, r4
    row2    r4, r5
    ldm     r0!, {r1, r2, r3, r12}          @ row 2
    row2    r6, r7
    add     r8, r4, r6
    sub     r9, r4, r6
    add     r10, r5, r7
    sub     r11, r5, r7
    ldm     r0!, {r1, r2, r3, r12}          @ row 0
    row2    r4, r5
    add     r8, r8, r4, lsl #1
    add     r10, r10, r5, lsl #1
    ldm     r0!, {r1, r2, r3, r12}          @ row 3
    row2    r4, r5
    sub     r9, r9, r4, lsl #1
    sub     r11, r11, r5, lsl #1
    .irp    y, r8, r9, r10, r11
    asr     \y, \y, #2
    .endr
    .endm

/* s0 bias, s5 .. s8 twice, power, zero, row_bytes, s9 .. s13 as for n = 4, s14 pixel_bytes, s15 end of M */
    function winograd2_output
    push    CALLEE
    output_begin
1:  vldmia  r3!, {s0-s8}                    @ ---- a channel; s1 .. s4 mean nothing
    ldrd    r4, r5, [r3], #8                @ row_bytes_3, pixel_bytes
    vmov    s14, r5
    vmov    s13, r3
    mov     lr, r1
    mov     r4, #M_TILE(WINOGRAD2_SPACE)
    mla     r4, r4, r2, r0
    vmov    s15, r4
2:  sums2                                   @ ---- a tile
    add     r0, r0, #M_TILE(WINOGRAD2_SPACE) - WINOGRAD2_SPACE * 4
    vmov    r1, s5
    vmov    r2, r3, s6, s7
    vmov    r12, s8
    vmov    r4, s14
    .irp    y, r8, r9, r10, r11
    smmlar  \y, \y, r1, \y                  @ rounding doubling high multiply
    .endr
    .irp    y, r8, r9, r10, r11
    smmlar  \y, \y, r2, r3                  @ rounding shift, + zero
    .endr
    .irp    y, r8, r9, r10, r11
    ssat    \y, #8, \y
    .endr
    strb    r8, [lr]
    strb    r9, [lr, r12]
    add     lr, lr, r4
    strb    r10, [lr]
    strb    r11, [lr, r12]
    add     lr, lr, r4
    vmov    r1, s15
    cmp     r0, r1
    bne     2b
    next_channel WINOGRAD2_SPACE
    pop     {r4-r11, pc}
    end_function winograd2_output

    function winograd2_sums
    push    CALLEE
    vldmia  r2, {s0}
    mov     lr, r1
    sums2
    str     r8, [lr]
    str     r9, [lr, #8]
    str     r10, [lr, #4]
    str     r11, [lr, #12]
    pop     {r4-r11, pc}
    end_function winograd2_sums

/* --- Stride 2. rows: x0 - x2, x2, x4 - x2, x1, x3 of a column, lane by lane */
    .macro rows2s2 name, rotation
    function \name
    push    CALLEE
    vldmia  r3, {s0-s3}
    vmov    r8, r9, s0, s1                  @ bytes to the next row, to the third
    vmov    r10, r11, s2, s3                @ to row 0, to the next pixel
    add     lr, r1, r2, lsl #2              @ end of Z's first row
1:  ldr     r3, [r0]
    ldr     r4, [r0, r8]
    ldr     r5, [r0, r8, lsl #1]
    ldr     r6, [r0, r9]
    ldr     r2, [r0, r10]
    add     r0, r0, r11
    .irp    d, r2, r3, r4, r5, r6
    sxtb16  \d, \d, ror #\rotation
    .endr
    ssub16  r2, r2, r4
    ssub16  r6, r6, r4
    str     r4, [r1, #ZS]
    str     r6, [r1, #ZS * 2]
    str     r3, [r1, #ZS * 3]
    str     r5, [r1, #ZS * 4]
    str     r2, [r1], #4
    cmp     r1, lr
    bne     1b
    pop     {r4-r11, pc}
    end_function \name
    .endm

    rows2s2 winograd2s2_rows_even, 0
    rows2s2 winograd2s2_rows_odd, 8

/* columns: Z's rows 0 and 3 make the first sum, 1 the second, 2 and 4 the third; columns likewise. A sum of
 * `count` products has its run of V; runs follow each other. r9: pairs_bytes; r10: pair_bytes; r11: run.
 */
    /* The row of Z at `z`, its products `at` products from the beginnings of three runs at r11, r8 and lr. */
    .macro columns2s2_row z, at_two, at_one
    add     r7, r0, #\z
    ldm     r7, {r2-r6}
    ssub16  r2, r2, r4
    ssub16  r6, r6, r4
    str     r2, [r11, #\at_two * 16]
    str     r3, [r11, #\at_two * 16 + 16]
    str     r4, [r8, #\at_one * 16]
    str     r6, [lr, #\at_two * 16]
    str     r5, [lr, #\at_two * 16 + 16]
    .endm

    /* r11, r8, lr: where this pair's products begin in the three runs from r1 on; then r1 to the runs behind. */
    .macro three_runs shift
    add     r11, r1, r10, lsl #\shift + 1
    add     r1, r1, r9, lsl #\shift + 1
    add     r8, r1, r10, lsl #\shift
    add     r1, r1, r9, lsl #\shift
    add     lr, r1, r10, lsl #\shift + 1
    add     r1, r1, r9, lsl #\shift + 1
    .endm

    function winograd2s2_columns
    push    CALLEE
    ldr     r4, [sp, #ON_STACK]
    ldr     r5, [r4]
    ldr     r9, [r4, #4]
    ldr     r10, [r4, #8]
    mov     r12, r3
    sub     r5, r5, #16
    vmov    s0, r2
    vmov    s1, r5                          @ from behind four tiles to the next four
1:  vmov    s2, r1
    three_runs 1
    columns2s2_row 0, 0, 0
    columns2s2_row ZS * 3, 2, 1
    three_runs 0
    columns2s2_row ZS, 0, 0
    three_runs 1
    columns2s2_row ZS * 2, 0, 0
    columns2s2_row ZS * 4, 2, 1
    vmov    r2, r3, s0, s1
    vmov    r1, s2
    add     r0, r0, #16
    add     r1, r1, #4
    subs    r12, r12, #1
    itt     eq
    addeq   r1, r1, r3
    moveq   r12, #4
    subs    r2, r2, #1
    vmov    s0, r2
    bne     1b
    pop     {r4-r11, pc}
    end_function winograd2s2_columns

/* multiply: as above, but a position of M is a run of 4, 2 or 1 times channel_pairs in V and U.
 * s0 M cursor    s1 its end at this position    s2 quad_bytes of V    s3 entry into the loop
 * s4, s5 end and begin of U at this position    s6 M back to the next position    s7 channel_pairs
 * s8 bytes of V    s9 V from the end of a run to the next four tiles    s10 bytes of V's run    s11 counts
 * s12 positions left
 */
    .macro run_step first
    ldrd    r2, r3, [r1], #8
    ldrd    r12, lr, [r0], #8
    product \first, r4, r2, r12
    product \first, r5, r2, lr
    product \first, r8, r3, r12
    product \first, r9, r3, lr
    ldrd    r12, lr, [r0], #8
    product \first, r6, r2, r12
    product \first, r7, r2, lr
    product \first, r10, r3, r12
    product \first, r11, r3, lr
    .endm

    function winograd2s2_multiply
    tst     r3, #7
    beq     winograd2s2_multiply_8
    push    CALLEE
    ldr     r4, [sp, #ON_STACK]
    vmov    s7, r3
    mov     r5, #25 * 16
    mul     r5, r5, r3
    vmov    s2, r5
    mul     r5, r5, r4
    vmov    s8, r5
    mov     r6, #M_TILE(WINOGRAD2S2_SPACE) * 4
    mul     r6, r6, r4
    vmov    s0, r2
    add     r2, r2, r6
    vmov    s1, r2
    sub     r6, r6, #4
    vmov    s6, r6
    ldr     r2, =0x12101212                 @ logarithms of eight counts, a digit each; the ninth comes in below
    vmov    s11, r2
    mov     r2, #WINOGRAD2S2_SPACE
    vmov    s12, r2
1:  vmov    r2, s11                         @ ---- a position; its count is 2^(r2 & 3)
    vmov    r3, s7
    and     r4, r2, #3
    lsr     r2, r2, #4
    orr     r2, r2, #0x20000000
    vmov    s11, r2
    lsl     r3, r3, r4                      @ steps
    lsl     r4, r3, #4
    vmov    s10, r4
    vmov    r5, s2
    sub     r5, r5, r4
    vmov    s9, r5
    vmov    s5, r1
    add     r4, r1, r3, lsl #3
    vmov    s4, r4
    rsb     r3, r3, #1                      @ copies to leave out: (1 - steps) modulo 8
    and     r3, r3, #7
    mov     r4, #COPY_BYTES
    mul     r3, r3, r4
    adr     r4, 3f
    add     r3, r3, r4
    orr     r3, r3, #1
    vmov    s3, r3
2:  run_step 1                              @ ---- four tiles
    vmov    r2, s3
    bx      r2
    .balign 4
3:
    .rept 8
    run_step 0
    .endr
    vmov    r2, s4
    cmp     r1, r2
    bne     3b
    vmov    r12, s9
    vmov    r2, r3, s0, s1
    add     r0, r0, r12
    store_products r2, WINOGRAD2S2_SPACE
    vmov    s0, r2
    cmp     r2, r3
    itt     ne
    vmovne  r1, s5
    bne     2b
    vmov    r4, s8                          @ ---- all tiles done
    vmov    r5, s10
    vmov    r6, s6
    sub     r0, r0, r4
    add     r0, r0, r5
    sub     r2, r2, r6
    vmov    s0, r2
    adds    r3, r3, #4
    vmov    s1, r3
    vmov    r4, s12
    subs    r4, r4, #1
    vmov    s12, r4
    bne     1b
    pop     {r4-r11, pc}
    .ltorg
    end_function winograd2s2_multiply

/* The same for multiples of 8 channel pairs: U of 16 (8) steps of a run stays in s registers for all tiles,
 * so that flash is read once. Sums of longer runs wait in M. r1: M cursor. On the stack:
 */
#define HELD_M_END     0  /* of M's cursor at this position */
#define HELD_BEGIN     4  /* how the accumulators begin: zero, or loaded from M */
#define HELD_ENTRY     8  /* into the steps */
#define HELD_V_STEP    12 /* from the end of a run to the next four tiles */
#define HELD_M         16 /* its cursor at the first tile */
#define HELD_V         20 /* V of the first tile */
#define HELD_U         24
#define HELD_LEFT      28 /* steps */
#define HELD_COUNTS    32
#define HELD_POSITIONS 36 /* left */
#define HELD_PAIRS     40
#define HELD_QUAD      44 /* bytes of V */
#define HELD_BYTES     48

    .macro held_step u0, u1
    vmov    r2, r3, \u0, \u1
    ldrd    r12, lr, [r0], #8
    product 0, r4, r2, r12
    product 0, r5, r2, lr
    product 0, r8, r3, r12
    product 0, r9, r3, lr
    ldrd    r12, lr, [r0], #8
    product 0, r6, r2, r12
    product 0, r7, r2, lr
    product 0, r10, r3, r12
    product 0, r11, r3, lr
    .endm

    function winograd2s2_multiply_8
    push    CALLEE
    ldr     r4, [sp, #ON_STACK]
    vpush   {s16-s31}
    sub     sp, sp, #HELD_BYTES
    str     r3, [sp, #HELD_PAIRS]
    mov     r5, #25 * 16
    mul     r5, r5, r3
    str     r5, [sp, #HELD_QUAD]
    mov     r6, #M_TILE(WINOGRAD2S2_SPACE) * 4
    mla     r6, r6, r4, r2
    str     r6, [sp, #HELD_M_END]
    str     r0, [sp, #HELD_V]
    str     r1, [sp, #HELD_U]
    str     r2, [sp, #HELD_M]
    mov     r6, #WINOGRAD2S2_SPACE
    str     r6, [sp, #HELD_POSITIONS]
    ldr     r2, =0x12101212                 @ as above
1:  ldr     r3, [sp, #HELD_PAIRS]           @ ---- a position; its count is 2^(r2 & 3)
    and     r4, r2, #3
    lsr     r2, r2, #4
    orr     r2, r2, #0x20000000
    str     r2, [sp, #HELD_COUNTS]
    lsl     r3, r3, r4
    adr     r4, 5f
    orr     r4, r4, #1
2:  ldr     r5, [sp, #HELD_U]               @ ---- 16 or 8 steps of r3
    str     r4, [sp, #HELD_BEGIN]
    tst     r3, #8
    bne     3f
    vldmia  r5!, {s0-s31}
    adr     r6, 7f
    mov     r7, #16
    b       4f
3:  vldmia  r5!, {s16-s31}
    adr     r6, 8f
    mov     r7, #8
4:  str     r5, [sp, #HELD_U]
    orr     r6, r6, #1
    str     r6, [sp, #HELD_ENTRY]
    sub     r3, r3, r7
    str     r3, [sp, #HELD_LEFT]
    ldr     r8, [sp, #HELD_QUAD]
    sub     r8, r8, r7, lsl #4
    str     r8, [sp, #HELD_V_STEP]
    ldr     r0, [sp, #HELD_V]
    add     r7, r0, r7, lsl #4
    str     r7, [sp, #HELD_V]
    ldr     r1, [sp, #HELD_M]
9:  ldrd    r2, r3, [sp, #HELD_BEGIN]       @ ---- four tiles; r3: HELD_ENTRY
    bx      r2
    .balign 4
5:
    .irp    acc, r4, r5, r6, r7, r8, r9, r10, r11
    mov     \acc, #0
    .endr
    bx      r3
    .balign 4
6:
    ldr     r4, [r1]
    ldr     r5, [r1, #M_TILE(WINOGRAD2S2_SPACE)]
    ldr     r6, [r1, #M_TILE(WINOGRAD2S2_SPACE) * 2]
    ldr     r7, [r1, #M_TILE(WINOGRAD2S2_SPACE) * 3]
    ldr     r8, [r1, #WINOGRAD2S2_SPACE * 4]
    ldr     r9, [r1, #WINOGRAD2S2_SPACE * 4 + M_TILE(WINOGRAD2S2_SPACE)]
    ldr     r10, [r1, #WINOGRAD2S2_SPACE * 4 + M_TILE(WINOGRAD2S2_SPACE) * 2]
    ldr     r11, [r1, #WINOGRAD2S2_SPACE * 4 + M_TILE(WINOGRAD2S2_SPACE) * 3]
    bx      r3
    .balign 4
7:
    held_step s0, s1
    held_step s2, s3
    held_step s4, s5
    held_step s6, s7
    held_step s8, s9
    held_step s10, s11
    held_step s12, s13
    held_step s14, s15
8:
    held_step s16, s17
    held_step s18, s19
    held_step s20, s21
    held_step s22, s23
    held_step s24, s25
    held_step s26, s27
    held_step s28, s29
    held_step s30, s31
    store_products r1, WINOGRAD2S2_SPACE
    ldr     r2, [sp, #HELD_V_STEP]
    ldr     r3, [sp, #HELD_M_END]
    add     r0, r0, r2
    cmp     r1, r3
    bne     9b
    ldr     r3, [sp, #HELD_LEFT]            @ ---- all tiles done
    adr     r4, 6b
    orr     r4, r4, #1
    cmp     r3, #0
    bne     2b
    ldr     r2, [sp, #HELD_M_END]
    ldr     r3, [sp, #HELD_M]
    ldr     r4, [sp, #HELD_POSITIONS]
    adds    r2, r2, #4
    adds    r3, r3, #4
    str     r2, [sp, #HELD_M_END]
    str     r3, [sp, #HELD_M]
    ldr     r2, [sp, #HELD_COUNTS]
    subs    r4, r4, #1
    str     r4, [sp, #HELD_POSITIONS]
    bne     1b
    add     sp, sp, #HELD_BYTES
    vpop    {s16-s31}
    pop     {r4-r11, pc}
    .ltorg
    end_function winograd2s2_multiply_8

    /* The exact sums in r2 .. r5: outputs (0,0), (0,1), (1,0), (1,1). r11: bias. Ends at the next channel's M. */
    .macro sums2s2
    ldm     r0!, {r2-r10}
    add     r6, r6, r11
    add     r2, r2, r3
    add     r3, r3, r4
    add     r5, r5, r6
    add     r6, r6, r7
    add     r8, r8, r9
    add     r9, r9, r10
    add     r2, r2, r5
    add     r3, r3, r6
    add     r4, r5, r8
    add     r5, r6, r9
    .endm

/* s5 .. s8 twice, power, zero, row_bytes, s9 .. s13 as for n = 4, s14 pixel_bytes, s15 end of M; lr output */
    function winograd2s2_output
    push    CALLEE
    output_begin
1:  vldmia  r3!, {s0-s8}                    @ ---- a channel; s1 .. s4 mean nothing
    ldrd    r4, r5, [r3], #8                @ row_bytes_3, pixel_bytes
    vmov    s14, r5
    vmov    s13, r3
    mov     lr, r1
    mov     r4, #M_TILE(WINOGRAD2S2_SPACE)
    mla     r4, r4, r2, r0
    vmov    s15, r4
    vmov    r11, s0
    vmov    r12, s8
2:  sums2s2                                 @ ---- a tile
    vmov    r6, s5
    vmov    r7, r8, s6, s7
    vmov    r9, r10, s14, s15
    add     r0, r0, #M_TILE(WINOGRAD2S2_SPACE) - WINOGRAD2S2_SPACE * 4
    .irp    y, r2, r3, r4, r5
    smmlar  \y, \y, r6, \y                  @ rounding doubling high multiply
    .endr
    .irp    y, r2, r3, r4, r5
    smmlar  \y, \y, r7, r8                  @ rounding shift, + zero
    .endr
    .irp    y, r2, r3, r4, r5
    ssat    \y, #8, \y
    .endr
    strb    r2, [lr]
    strb    r4, [lr, r12]
    add     lr, lr, r9
    strb    r3, [lr]
    strb    r5, [lr, r12]
    add     lr, lr, r9
    cmp     r0, r10
    bne     2b
    next_channel WINOGRAD2S2_SPACE
    pop     {r4-r11, pc}
    end_function winograd2s2_output

    function winograd2s2_sums
    push    CALLEE
    ldr     r11, [r2]
    mov     lr, r1
    sums2s2
    stm     lr, {r2-r5}
    pop     {r4-r11, pc}
    end_function winograd2s2_sums

#endif
