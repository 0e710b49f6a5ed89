#include "palette.h"

static const uint32_t named[COLOURS] = {
    [BLACK] = 0x000000, [WHITE] = 0xffffff, [GREY] = 0x9aa4ae, [DARK] = 0x1c2630,
    [GREEN] = 0x3fd27a, [AMBER] = 0xffb638, [BLUE] = 0x4a90e2, [RED] = 0xf0563c,
};

/* Level `step` of `steps` between 0 and 255. */
static uint32_t level(uint32_t step, uint32_t steps) {
    return (step * 255 + (steps - 1) / 2) / (steps - 1);
}

void palette_start(uint32_t colours[PALETTE_COLOURS], uint32_t channels) {
    for (uint32_t i = 0; i < PALETTE_PICTURE; i++) colours[i] = i < COLOURS ? named[i] : 0;
    for (uint32_t i = 0; i < PALETTE_COLOURS - PALETTE_PICTURE; i++) {
        uint32_t colour;
        if (channels == 1) {
            colour = level(i, PALETTE_GREYS) * 0x010101;
        } else {
            const uint32_t blue = level(i % PALETTE_BLUES, PALETTE_BLUES);
            const uint32_t green = level(i / PALETTE_BLUES % PALETTE_GREENS, PALETTE_GREENS);
            const uint32_t red = level(i / (PALETTE_BLUES * PALETTE_GREENS), PALETTE_REDS);
            colour = red << 16 | green << 8 | blue;
        }
        colours[PALETTE_PICTURE + i] = colour;
    }
}
