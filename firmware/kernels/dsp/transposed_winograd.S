/* The micro-kernel of transposed_winograd.h for Cortex-M4 and up; transposed_winograd_twin.c says what it computes.
 *
 * Two output channels x four tiles in r4-r7 and r8-r11, U in r2 r3, V in r12 lr: 11 instructions a channel pair for 16 products,
 * 18 more for four tiles and 3 for each run through the copies. The first channel pair sets the sums; the others run through the
 * copies, entered in the middle the first time.
 *     r0 V   r1 U   s0 s1 M and its end   s2 s3 begin and end of U   s4 entry into the copies   s5 v_next
 */
#include "transposed_winograd.h"

#if defined(__ARM_FEATURE_DSP)
    .syntax unified
    .thumb

#define PAIR_BYTES    44
#define CHANNEL_BYTES (4 * TRANSPOSED_WINOGRAD_PRODUCTS)
#define TILE_BYTES    (2 * CHANNEL_BYTES)

.macro PRODUCT first, sum, u, v
  .if \first
    smuad   \sum, \u, \v
  .else
    smlad   \sum, \u, \v, \sum
  .endif
.endm

.macro PAIR first
    ldrd    r2, r3, [r1], #8
    ldrd    r12, lr, [r0], #8
    PRODUCT \first, r4, r2, r12
    PRODUCT \first, r5, r2, lr
    PRODUCT \first, r8, r3, r12
    PRODUCT \first, r9, r3, lr
    ldrd    r12, lr, [r0], #8
    PRODUCT \first, r6, r2, r12
    PRODUCT \first, r7, r2, lr
    PRODUCT \first, r10, r3, r12
    PRODUCT \first, r11, r3, lr
.endm

    .section .text.transposed_winograd_multiply, "ax", %progbits
    .balign 4
    .global transposed_winograd_multiply
    .type   transposed_winograd_multiply, %function
    .thumb_func
transposed_winograd_multiply:
    push    {r4-r11, lr}
    ldm     r3, {r4-r7}
    add     r5, r2
    vmov    s0, s1, r2, r5
    add     r4, r1
    vmov    s2, s3, r1, r4
    mov     r8, #PAIR_BYTES
    adr.w   r9, 2f
    mla     r9, r7, r8, r9
    orr     r9, #1
    vmov    s4, s5, r9, r6
1:
    PAIR    1
    vmov    r2, s4
    bx      r2
    .balign 4
2:
  .rept TRANSPOSED_WINOGRAD_COPIES
    PAIR    0
  .endr
3:
  .if 3b - 2b != TRANSPOSED_WINOGRAD_COPIES * PAIR_BYTES
    .error "PAIR_BYTES"
  .endif
    vmov    r2, s3
    cmp     r1, r2
    bne     2b
    vmov    r2, r3, s0, s1
    str     r4, [r2]
    str     r5, [r2, #TILE_BYTES]
    str     r6, [r2, #TILE_BYTES * 2]
    str     r7, [r2, #TILE_BYTES * 3]
    str     r8, [r2, #CHANNEL_BYTES]
    str     r9, [r2, #CHANNEL_BYTES + TILE_BYTES]
    str     r10, [r2, #CHANNEL_BYTES + TILE_BYTES * 2]
    str     r11, [r2, #CHANNEL_BYTES + TILE_BYTES * 3]
    add     r2, #TILE_BYTES * 4
    vmov    s0, r2
    vmov    r1, s2
    vmov    r12, s5
    add     r0, r12
    cmp     r2, r3
    bne     1b
    pop     {r4-r11, pc}
    .size   transposed_winograd_multiply, . - transposed_winograd_multiply
#endif
