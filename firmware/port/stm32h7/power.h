/* Voltage and what depends on it. It differs between the lines of the STM32H7: power_h743.c, power_h7a3.c. */
#ifndef TINYCONV_POWER_H
#define TINYCONV_POWER_H

#include <stdbool.h>
#include <stdint.h>

/* Whether the core's voltage comes from where port_before_ram() wanted it. If not, somebody before us decided otherwise; voltage and
 * clock must then stay as they are. */
bool power_supply_is_ours(void);

/* The manifest's clock, or the most that this very chip can do. Also does what the errata sheet asks for. */
uint32_t power_core_hz(void);

/* Raises the voltage to what that core clock needs. */
bool power_scale_starts(uint32_t core_hz);

struct flash_timing {
    uint32_t up_to_hz; /* of AXI, which clocks the flash */
    uint8_t latency;
    uint8_t wrhighfreq;
};

/* For the voltage of power_scale_starts(). */
struct flash_timing power_flash_timing(uint32_t axi_hz);

#endif
