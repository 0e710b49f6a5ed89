/* What usart_v1.h and usart_v2.h have in common. */
#ifndef TINYCONV_USART_H
#define TINYCONV_USART_H

#include <stdbool.h>
#include <stdint.h>

enum usart_event { USART_NOTHING, USART_BYTE, USART_OVERRUN };

/* Nearest divisor of the clock for 16 samples a bit. Both versions take it as it is: BRR counts sixteenths of a bit time. */
#define USART_DIVISOR(hz, baud) (((hz) + (baud) / 2) / (baud))

/* Whether that divisor is less than 1 % off: one frame of 10 bits then ends within a tenth of a bit. */
#define USART_DIVISOR_FITS(hz, baud)                                                                         \
    ((hz) / 100 * 99 < USART_DIVISOR(hz, baud) * (baud) &&                                                   \
     USART_DIVISOR(hz, baud) * (baud) < (hz) / 100 * 101 && USART_DIVISOR(hz, baud) >= 16)

#endif
