/* Letters for displays. */
#ifndef TINYCONV_FONT_H
#define TINYCONV_FONT_H

#include <stdint.h>

#define FONT_WIDTH  5u
#define FONT_HEIGHT 8u
#define FONT_FIRST  ' '
#define FONT_LAST   '~'

/* Rows of each character from the top; bit 4 is the leftmost pixel. */
extern const uint8_t font_rows[FONT_LAST - FONT_FIRST + 1][FONT_HEIGHT];

#endif
