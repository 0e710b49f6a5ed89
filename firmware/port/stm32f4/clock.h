/* The clock tree: core clock from the manifest through the PLL, APB1 a quarter of it, APB2 half. */
#ifndef TINYCONV_CLOCK_H
#define TINYCONV_CLOCK_H

#include <stdint.h>

#include "../port.h"

struct clock {
    uint32_t core_hz;
    uint32_t apb1_hz;
    uint32_t apb2_hz;
    enum clock_source source;
};

/* Starts the clock, with time-outs: crystal and PLL, else internal oscillator and PLL, else the internal oscillator as at reset. */
struct clock clock_start(void);

#endif
