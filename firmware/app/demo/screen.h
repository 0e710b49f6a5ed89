/* The demo's picture on a display. firmware/display/ draws it; on a board without one the functions of no_screen.c do nothing. */
#ifndef TINYCONV_DEMO_SCREEN_H
#define TINYCONV_DEMO_SCREEN_H

#include <stdbool.h>
#include <stdint.h>

#include "block.h"
#include "result.h"

/* Takes a frame buffer from the end of `spare` and lights the display. False if there is none or the memory does not suffice. */
bool screen_start(const struct demo_block *block, uint8_t *spare, uint32_t spare_bytes);

/* Draws a result. */
void screen_show(const struct demo_result *result);

/* Puts the display out: its memory is somebody else's from now on. */
void screen_stop(void);

#endif
