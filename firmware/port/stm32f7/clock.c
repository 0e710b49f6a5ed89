/* RM0385 (F746) and RM0410 (F767): 3 flash interface, 4 power, 5 clocks. */
#include "clock_f4_f7.h"
