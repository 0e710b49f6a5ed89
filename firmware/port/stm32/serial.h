/* The serial line of port.h on a U(S)ART. */
#ifndef TINYCONV_SERIAL_H
#define TINYCONV_SERIAL_H

#include <stdint.h>

/* Starts the pins and the U(S)ART, whose divider is fed with `uart_hz`. */
void serial_start(uint32_t uart_hz);

#endif
