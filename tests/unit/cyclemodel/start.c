/* Start-up for QEMU's mps2 machines: calls step(0), step(1), ... until it returns 0, then ends QEMU by semihosting. */
#include <stdint.h>

extern uint32_t _estack, _sdata, _edata, _sidata, _sbss, _ebss;
int step(int number);

static void end_qemu(void) {
    const uint32_t arguments[] = {0x20026, 0}; /* application exit, status 0 */
    register uint32_t r0 __asm__("r0") = 0x20;
    register const uint32_t *r1 __asm__("r1") = arguments;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    for (;;) {}
}

void reset(void) {
    const uint32_t *from = &_sidata;
    for (uint32_t *to = &_sdata; to < &_edata;) *to++ = *from++;
    for (uint32_t *to = &_sbss; to < &_ebss;) *to++ = 0;
    *(volatile uint32_t *)0xE000ED88 |= 0xF << 20; /* CPACR: float unit on */
    __asm__ volatile("dsb\nisb");
    for (int number = 0; step(number); number++) {}
    end_qemu();
}

void fault(void) {
    for (;;) {}
}

__attribute__((section(".vectors"), used))
const void *const vectors[16] = {&_estack, reset, fault, fault, fault, fault, fault};
