/* How much stack an exported network takes: paints the stack below main(), runs, and prints how deep the paint is gone.
 * Compiled with HEADER, PLAN, ARENA_BYTES: the network's header, plan and size. */
#include <stdint.h>
#include <stdio.h>

#include "tinyconv.h"

#include HEADER

#define PAINT       0xa5a5a5a5u
#define PAINT_WORDS 1024

static uint32_t arena[ARENA_BYTES / 4];
static struct tinyconv network;

__attribute__((noinline)) static int infer(void) {
    const int status = tinyconv_init(&network, PLAN, sizeof PLAN, arena, sizeof arena);
    if (status == 0) tinyconv_run(&network);
    return status;
}

int main(void) {
    uint32_t *const top = __builtin_frame_address(0);
    volatile uint32_t *const bottom = top - PAINT_WORDS;
    uint32_t *stack_pointer;
    __asm__ volatile("mov %0, sp" : "=r"(stack_pointer));
    for (volatile uint32_t *word = bottom; word < stack_pointer; word++) *word = PAINT;
    const int status = infer();
    const volatile uint32_t *deepest = bottom;
    while (*deepest == PAINT) deepest++;
    printf("status %d, stack %u bytes\n", status, (unsigned)(4 * (stack_pointer - (uint32_t *)deepest)));
    return status;
}
