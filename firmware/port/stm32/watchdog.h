/* The independent watchdog, IWDG, and what the last reset was. family.h tells where the registers are. */
#ifndef TINYCONV_WATCHDOG_H
#define TINYCONV_WATCHDOG_H

#include <stdint.h>

#include "board_config.h"

/* Manifest: watchdog_ms, 0 for none. */
#ifndef BOARD_WATCHDOG_MS
    #define BOARD_WATCHDOG_MS 0
#endif

/* Reads why the chip started, and starts the watchdog if there is to be one. Once it runs, only a reset stops it. */
void watchdog_start(void);

/* Has a core of this clock wake up often enough to feed the watchdog, if there is one. */
void watchdog_wake(uint32_t core_hz);

#endif
