/* The 256 colours: a few for text and bars, the others for pictures, all grey or a cube of red, green and blue. */
#ifndef TINYCONV_PALETTE_H
#define TINYCONV_PALETTE_H

#include <stdint.h>

#define PALETTE_COLOURS 256u

enum colour { BLACK, WHITE, GREY, DARK, GREEN, AMBER, BLUE, RED, COLOURS };

/* Behind the colours above: 240 greys, or a cube of 6 reds, 8 greens and 5 blues. */
#define PALETTE_PICTURE 16u
#define PALETTE_GREYS   240u
#define PALETTE_REDS    6u
#define PALETTE_GREENS  8u
#define PALETTE_BLUES   5u

/* Fills `colours` (0xRRGGBB) for pictures of 1 or 3 channels. */
void palette_start(uint32_t colours[PALETTE_COLOURS], uint32_t channels);

/* The index of a grey from 0 to 255 in the palette for 1 channel. */
static inline uint8_t palette_grey(uint32_t grey) {
    return (uint8_t)(PALETTE_PICTURE + (grey * (PALETTE_GREYS - 1) + 127) / 255);
}

#endif
