/* A display, for boards that have one: their manifest has the group `display`, and the family's port implements this. */
#ifndef TINYCONV_PORT_DISPLAY_H
#define TINYCONV_PORT_DISPLAY_H

#include <stdbool.h>
#include <stdint.h>

struct display_size {
    uint32_t width;
    uint32_t height;
};

struct display_size port_display_size(void);

/* Lights the display; from now on it shows `pixels`: width times height bytes, rows from the top, each an index into the 256 colours
 * 0xRRGGBB. The memory must be in a bank that the display's controller reads, and aligned to 32. False, with the display dark, if it does
 * not start in time. */
bool port_display_start(const uint8_t *pixels, const uint32_t colours[256]);

/* Makes visible what was written to the pixels: a data cache may still hold it. */
void port_display_update(void);

/* Dark, and nothing reads the pixels any more. */
void port_display_stop(void);

#endif
