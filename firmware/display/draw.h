/* Drawing on a picture in memory, one byte a pixel: an index into a palette. What lies outside is left out. */
#ifndef TINYCONV_DRAW_H
#define TINYCONV_DRAW_H

#include <stdint.h>

struct framebuffer {
    uint8_t *pixels; /* rows from the top, one behind the other */
    uint32_t width;
    uint32_t height;
};

/* A rectangle of pixels; x and y of its left upper one. */
struct box {
    uint32_t x, y, width, height;
};

/* Every character takes a cell of so many pixels times the scale, its background included. */
#define DRAW_CELL_WIDTH  6u
#define DRAW_CELL_HEIGHT 8u

void draw_fill(const struct framebuffer *fb, struct box box, uint8_t colour);

/* Text in one line from (x, y) on, padded with spaces to `cells` characters; what is longer is left out. */
void draw_text(const struct framebuffer *fb, uint32_t x, uint32_t y, uint32_t scale, const char *text,
               uint32_t cells, uint8_t ink, uint8_t paper);

/* The largest box of the shape width : height inside `frame`, in its middle. */
struct box draw_fitted(struct box frame, uint32_t width, uint32_t height);

/* A picture scaled to the box, each pixel the nearest of `source`: int8 values from -128 (dark) to 127, height rows of width pixels of
 * `channels` values, 1 grey or 3 red, green, blue. Colours are those of palette_start(). */
void draw_picture(const struct framebuffer *fb, struct box box, const int8_t *source, uint32_t width,
                  uint32_t height, uint32_t channels);

/* Bars side by side that grow from the box's bottom, of heights between 0 and 255; bar `marked` is drawn with `ink_marked`. */
void draw_bars(const struct framebuffer *fb, struct box box, const uint8_t *heights, uint32_t count,
               uint32_t marked, uint8_t ink, uint8_t ink_marked, uint8_t paper);

#endif
