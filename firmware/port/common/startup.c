/* From reset to main(), the vector table, and the faults. Nothing in here belongs to a vendor.
 *
 * The linker script puts the stack at the very beginning of RAM, so that a stack that grows too far leaves RAM and faults
 * instead of overwriting data. The fault handler therefore starts on a stack of its own: the whole one, from the top.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../port.h"
#include "cache.h"
#include "cortexm.h"
#include "family.h" /* PORT_UART_IRQ */
#include "stack.h"
#include "startup.h"

extern uint32_t __data_load[], __data_start[], __data_end[];
extern uint32_t __bss_start[], __bss_end[];
extern uint32_t __hot_load[], __hot_start[], __hot_end[];

struct pool {
    uint8_t *base;
    uint32_t bytes;
};
extern const struct pool __pools_start[], __pools_end[];

#define FAULT_MAGIC 0x46415554u

struct fault_record {
    uint32_t magic;
    struct port_fault fault;
    uint32_t check; /* of all of the above */
};

/* Not cleared at start-up: what a fault leaves here survives the reset. */
static struct fault_record kept_fault __attribute__((section(".noinit")));
static struct port_fault last_fault;

typedef void vector(void);
extern vector *const vectors[16 + PORT_UART_IRQ + 1];

int main(void);
void reset_handler(void);
void start_program(void);
void fault_handler(void);
void record_fault(const uint32_t *frame);

static uint32_t fault_check(const struct fault_record *record) {
    const struct port_fault *f = &record->fault;
    return ~(record->magic ^ f->kind ^ f->pc ^ f->lr ^ f->cfsr);
}

__attribute__((weak)) void port_before_ram(void) {}

__attribute__((naked)) void reset_handler(void) {
    __asm volatile("bl port_before_ram\n"
                   "b start_program\n");
}

__attribute__((used)) void start_program(void) {
#if BOARD_CORE == 33
    __asm volatile(
        "msr msplim, %0" ::"r"(__stack_start)); /* a fault even where something answers below RAM */
#endif
    stack_paint();
    SCB_VTOR = (uint32_t)vectors; /* whatever address the chip, a boot loader or a debugger came from */
    SCB_CPACR |= CPACR_CP10_CP11_FULL;
    DSB();
    ISB();
    for (uint32_t *to = __hot_start, *from = __hot_load; to < __hot_end;) *to++ = *from++;
    for (uint32_t *to = __data_start, *from = __data_load; to < __data_end;) *to++ = *from++;
    for (uint32_t *to = __bss_start; to < __bss_end;) *to++ = 0;
    DSB();
    ISB(); /* what was fetched before the hot code was there is forgotten */
    if (kept_fault.magic == FAULT_MAGIC && kept_fault.check == fault_check(&kept_fault))
        last_fault = kept_fault.fault;
    kept_fault.magic = 0;
    SCB_CCR |= CCR_DIV_0_TRP;
    stack_guard();
    main();
    port_reset();
}

/* The exception frame is where SP points; the handler goes on with a fresh stack, since the old one may be the trouble. */
__attribute__((naked)) void fault_handler(void) {
    __asm volatile("mov r0, sp\n"
                   "ldr r1, =__stack_end\n"
                   "mov sp, r1\n"
                   "b record_fault\n");
}

__attribute__((used)) void record_fault(const uint32_t *frame) {
    uint32_t kind;
    __asm volatile("mrs %0, ipsr" : "=r"(kind));
    /* frame: r0-r3, r12, lr, pc, xpsr. A stack that overflowed has none; with MSPLIM, SP then stands at the limit. The guard
     * is not to be read. */
    const bool readable = frame >= stack_lowest() && frame + 8 <= __stack_end;
    const uint32_t cfsr = SCB_CFSR;
    const bool overflow = (cfsr & CFSR_STKOF) || (frame < stack_lowest()) ||
                          ((cfsr & CFSR_MMARVALID) && stack_in_guard(SCB_MMFAR));
    kept_fault.fault = (struct port_fault){
        .kind = kind | (overflow ? PORT_FAULT_STACK : 0),
        .pc = readable ? frame[6] : 0,
        .lr = readable ? frame[5] : 0,
        .cfsr = cfsr,
    };
    kept_fault.magic = FAULT_MAGIC;
    kept_fault.check = fault_check(&kept_fault);
    port_reset();
}

struct port_fault port_last_fault(void) {
    return last_fault;
}

struct port_stack port_stack(void) {
    return stack_measure();
}

/* Only wakes port_wait(). */
static void systick_handler(void) {}

void port_reset(void) {
    port_flush();
    caches_clean(); /* else the reset drops what record_fault() wrote */
    DSB();
    SCB_AIRCR = AIRCR_VECTKEY | AIRCR_SYSRESETREQ;
    DSB();
    for (;;) {}
}

uint8_t *port_pool(uint32_t index, uint32_t *bytes) {
    const bool there = index < (uint32_t)(__pools_end - __pools_start);
    *bytes = there ? __pools_start[index].bytes : 0;
    return there ? __pools_start[index].base : NULL;
}

uint32_t hot_code_bytes(void) {
    return (uint32_t)((uintptr_t)__hot_end - (uintptr_t)__hot_start);
}

const uint8_t *port_flash_plan(uint32_t *bytes) {
    *bytes = BOARD_PLAN_BYTES;
    return (const uint8_t *)BOARD_PLAN_ADDRESS;
}

/* Only one interrupt is ever enabled, so the table ends with it. */
__attribute__((section(".vectors"), used)) vector *const vectors[16 + PORT_UART_IRQ + 1] = {
    (vector *)__stack_end,
    reset_handler,
    fault_handler, /* NMI */
    fault_handler, /* HardFault */
    fault_handler, /* MemManage */
    fault_handler, /* BusFault */
    fault_handler, /* UsageFault */
    NULL,
    NULL,
    NULL,
    NULL,
    fault_handler, /* SVCall */
    fault_handler, /* DebugMonitor */
    NULL,
    fault_handler, /* PendSV */
    systick_handler,
    [16 + PORT_UART_IRQ] = uart_irq_handler,
};
