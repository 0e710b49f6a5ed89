/* The least that an exported folder needs to run on QEMU's netduinoplus2: vectors and a reset handler. Newlib's semihosting
 * (rdimon) does the rest: it clears .bss, calls main() and carries printf() and the exit status to the terminal. */
#include <stdint.h>

extern uint32_t __stack[]; /* export.ld */

void _start(void);
void reset_handler(void);
void stop(void);

void reset_handler(void) {
    volatile uint32_t *const cpacr = (uint32_t *)0xe000ed88;
    *cpacr |= 0xfu << 20; /* the FPU is on for everybody */
    __asm__ volatile("dsb\n isb");
    _start();
}

/* A fault ends the emulation: BKPT 0xab with SYS_EXIT and a reason that is no success. */
void stop(void) {
    register uint32_t operation __asm__("r0") = 0x18;
    register uint32_t reason __asm__("r1") = 0x20023;
    __asm__ volatile("bkpt 0xab" : : "r"(operation), "r"(reason) : "memory");
    for (;;) {}
}

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    __stack, (void *)reset_handler, (void *)stop, (void *)stop, (void *)stop, (void *)stop, (void *)stop,
};
