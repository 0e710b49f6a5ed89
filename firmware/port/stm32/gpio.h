/* Pins. The block is the same in every family here; family.h tells where it is (GPIO_BASE) and who clocks it (GPIO_ENABLE_REG). */
#ifndef TINYCONV_GPIO_H
#define TINYCONV_GPIO_H

#include <stdbool.h>
#include <stdint.h>

/* Gives a pin to a peripheral: alternate function `af`, high speed, pulled up. Port 0 is A. */
void gpio_alternate(uint32_t port, uint32_t pin, uint32_t af);

/* Makes a pin an output that drives this level. */
void gpio_output(uint32_t port, uint32_t pin, bool high);

/* Makes a pin an output that pulls low, or lets go and is pulled up. */
void gpio_open_drain(uint32_t port, uint32_t pin, bool high);

#endif
