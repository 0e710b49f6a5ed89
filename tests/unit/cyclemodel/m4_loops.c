/* Loops whose Cortex-M4 cycles are counted by hand in test_cyclemodel.py; each runs 1000 times. */
static int words[8];

__attribute__((noinline)) int step(int number) {
    switch (number) {
    case 0:
        __asm__ volatile("movw r0,#1000\n.balign 4\n1: subs r0,#1\n bne 1b\n" ::: "r0", "cc");
        return 1;
    case 1:
        __asm__ volatile(
            "movw r0,#1000\n.balign 4\n1: ldr r1,[%0]\n ldr r2,[%0,#4]\n ldr r3,[%0,#8]\n add r1,r2\n"
            " subs r0,#1\n bne 1b\n" ::"r"(words)
            : "r0", "r1", "r2", "r3", "cc", "memory");
        return 1;
    default:
        return 0;
    }
}
