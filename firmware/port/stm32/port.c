/* Joins the parts of an STM32's port. family.h tells where they are. */
#include "../port.h"

#include "cache.h"
#include "clock.h"
#include "counter.h"
#include "family.h"
#include "serial.h"
#include "startup.h"
#include "watchdog.h"

static struct clock clock;

void port_init(void) {
    watchdog_start();
    clock = clock_start();
    watchdog_wake(clock.core_hz);
    caches_start();
    counter_start();
    serial_start(clock.uart_hz);
}

struct port_info port_info(void) {
    return (struct port_info){
        .clock_hz = clock.core_hz,
        .clock_source = (uint8_t)clock.source,
        .counter_kind = (uint8_t)counter_kind(),
        .flags = (uint8_t)((BOARD_EMULATED ? PORT_EMULATED : 0) | caches_flags() | accelerator_flags()),
        .core = BOARD_CORE,
        .hot_code_bytes = hot_code_bytes(),
    };
}
