/* What start-up code and the families' ports need from each other. */
#ifndef TINYCONV_STARTUP_H
#define TINYCONV_STARTUP_H

#include <stdint.h>

/* What a chip needs before anything may be written to RAM; nothing unless the family defines it. There is no stack and no data yet:
 * it must be a leaf that needs neither. */
void port_before_ram(void);

/* The serial port's interrupt, number PORT_UART_IRQ of the family's family.h. */
void uart_irq_handler(void);

/* Waits, but not for long, until everything written has left the serial port. Does nothing before port_init(). */
void port_flush(void);

/* Code that was copied from flash to the bank `hot_code` of the manifest. */
uint32_t hot_code_bytes(void);

#endif
