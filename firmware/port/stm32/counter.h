/* What port_counter() counts. */
#ifndef TINYCONV_COUNTER_H
#define TINYCONV_COUNTER_H

#include "../port.h"

void counter_start(void);

enum counter_kind counter_kind(void);

#endif
