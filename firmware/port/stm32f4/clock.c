/* RM0090 (F405, F407): 3.5 flash interface, 5 power, 7 clocks; RM0390 (F446): 3, 5 and 6. */
#include "clock_f4_f7.h"
