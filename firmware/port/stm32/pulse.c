/* The pin that an energy monitor watches. It is open drain, so that a monitor of a lower voltage may pull it up itself. */
#include "../port.h"

#include "family.h"
#include "gpio.h"

#ifdef BOARD_ENERGY_PIN
    #define MS_PER_S 1000u

bool port_has_energy_pin(void) {
    return true;
}

void port_pulse(void) {
    gpio_open_drain(BOARD_ENERGY_PORT, BOARD_ENERGY_PIN, true); /* high before it becomes an output */
    gpio_output(BOARD_ENERGY_PORT, BOARD_ENERGY_PIN, false);
    /* of some cycles each: a millisecond and more, since there are monitors that look once a millisecond */
    const uint32_t loops = port_info().clock_hz / MS_PER_S;
    for (uint32_t i = 0; i < loops; i++) NOP();
    gpio_output(BOARD_ENERGY_PORT, BOARD_ENERGY_PIN, true);
}
#else
bool port_has_energy_pin(void) {
    return false;
}

void port_pulse(void) {}
#endif
