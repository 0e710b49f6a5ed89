/* Text to the port, as the benchmark's printf would write it. */
#ifndef TINYCONV_SAY_H
#define TINYCONV_SAY_H

#include <stdint.h>

void say(const char *text);

/* %lu */
void say_number(uint64_t number);

/* %02x */
void say_hex(uint8_t byte);

/* %0.3f: the nearest thousandth to the exact value, of two equally near ones the even. "inf" from 2^63 on; not for NaNs. */
void say_thousandths(float value);

/* The quotient, and the rest in *rest: slow, but small; the compiler's own takes 700 bytes. `by` is not 0. */
uint64_t divide(uint64_t number, uint32_t by, uint32_t *rest);

#endif
