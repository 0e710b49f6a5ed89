/* The clock tree, as far as the rest of a port sees it. Each family has a clock.c that goes from reset to the manifest's clock. */
#ifndef TINYCONV_CLOCK_H
#define TINYCONV_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "../port.h"
#include "family.h"

struct clock {
    uint32_t core_hz;
    uint32_t uart_hz; /* at the input of the serial port's divider */
    enum clock_source source;
};

/* Starts the clock, with time-outs: crystal and PLL, else internal oscillator and PLL, else the internal oscillator as at reset. */
struct clock clock_start(void);

/* Whether the masked bits took that value within some 60 ms, where a crystal takes 2 ms and a PLL 0.3 ms. */
bool wait_for(const volatile uint32_t *reg, uint32_t mask, uint32_t value);

/* Crystal, or the clock signal that stands in for it. False also where the board has neither. */
bool crystal_starts(void);

/* Only once no PLL feeds on it any more. */
bool crystal_stops(void);

#endif
