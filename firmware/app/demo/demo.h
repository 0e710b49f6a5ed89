/* Demo mode: the network in flash runs over the inputs in flash and tells its speed, without a host. README.md */
#ifndef TINYCONV_DEMO_H
#define TINYCONV_DEMO_H

#include <stdbool.h>
#include <stdint.h>

/* Runs until a byte arrives on the serial port and returns true with that byte; the pool and the port are then as after the
 * start. Returns false at once if the flash holds no demo, or one that is not sound: then a line of text says so. */
bool demo_run(uint8_t *first_byte);

#endif
