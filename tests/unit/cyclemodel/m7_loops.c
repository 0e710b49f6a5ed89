/* The loops of m7_loops.def; each runs 1000 times. */
int __attribute__((aligned(16))) words[64];

#define RUN(body)                                                                                            \
    __asm__ volatile("movw r4,#:lower16:words\n movt r4,#:upper16:words\n mov r6,r4\n movw r0,#1000\n"       \
                     " mov r1,#1\n mov r2,#1\n mov r3,#1\n mov r5,#0\n b 1f\n .balign 8\n"                   \
                     "1: " body "\n subs.w r0,r0,#1\n bne.w 1b\n" ::                                         \
                         : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "cc",   \
                           "memory")

__attribute__((noinline)) int step(int number) {
    switch (number) {
#define LOOP(index, cycles, body)                                                                            \
    case index:                                                                                              \
        RUN(body);                                                                                           \
        return 1;
#include "m7_loops.def"
    default:
        return 0;
    }
}
