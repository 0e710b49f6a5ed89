#include "draw.h"

#include <stdbool.h>
#include <string.h>

#include "font.h"
#include "palette.h"

_Static_assert(DRAW_CELL_WIDTH == FONT_WIDTH + 1 && DRAW_CELL_HEIGHT == FONT_HEIGHT, "a column of space");

/* What of the box lies inside the picture. */
static struct box clipped(const struct framebuffer *fb, struct box box) {
    if (box.x >= fb->width || box.y >= fb->height) return (struct box){0};
    if (box.width > fb->width - box.x) box.width = fb->width - box.x;
    if (box.height > fb->height - box.y) box.height = fb->height - box.y;
    return box;
}

void draw_fill(const struct framebuffer *fb, struct box box, uint8_t colour) {
    box = clipped(fb, box);
    for (uint32_t y = box.y; y < box.y + box.height; y++)
        memset(fb->pixels + y * fb->width + box.x, colour, box.width);
}

static void draw_character(const struct framebuffer *fb, uint32_t x, uint32_t y, uint32_t scale,
                           char character, uint8_t ink, uint8_t paper) {
    if (character < FONT_FIRST || character > FONT_LAST) character = '?';
    const uint8_t *rows = font_rows[character - FONT_FIRST];
    for (uint32_t row = 0; row < DRAW_CELL_HEIGHT; row++)
        for (uint32_t column = 0; column < DRAW_CELL_WIDTH; column++) {
            /* shifted so that the column of space reads a zero */
            const bool inked = rows[row] << 1 >> (FONT_WIDTH - column) & 1;
            draw_fill(fb, (struct box){x + column * scale, y + row * scale, scale, scale},
                      inked ? ink : paper);
        }
}

void draw_text(const struct framebuffer *fb, uint32_t x, uint32_t y, uint32_t scale, const char *text,
               uint32_t cells, uint8_t ink, uint8_t paper) {
    for (uint32_t cell = 0; cell < cells; cell++) {
        const char character = *text != 0 ? *text++ : ' ';
        draw_character(fb, x + cell * DRAW_CELL_WIDTH * scale, y, scale, character, ink, paper);
    }
}

struct box draw_fitted(struct box frame, uint32_t width, uint32_t height) {
    struct box fitted = {frame.x, frame.y, frame.width, frame.height};
    if ((uint64_t)width * frame.height >= (uint64_t)height * frame.width)
        fitted.height = (uint32_t)((uint64_t)frame.width * height / width);
    else
        fitted.width = (uint32_t)((uint64_t)frame.height * width / height);
    if (fitted.width == 0) fitted.width = 1;
    if (fitted.height == 0) fitted.height = 1;
    fitted.x += (frame.width - fitted.width) / 2;
    fitted.y += (frame.height - fitted.height) / 2;
    return fitted;
}

/* Ordered dithering (Bayer 1973): thresholds in 1/16 of a step, so that areas have the right colour though pixels have few. */
static const uint8_t thresholds[4][4] = {{0, 8, 2, 10}, {12, 4, 14, 6}, {3, 11, 1, 9}, {15, 7, 13, 5}};

static uint32_t dithered(int32_t value, uint32_t steps, uint32_t threshold) {
    const uint32_t scaled = (uint32_t)(value + 128) * (steps - 1) * 16 / 255;
    const uint32_t step = (scaled + threshold) / 16;
    return step < steps ? step : steps - 1;
}

static uint8_t colour_of(const int8_t *pixel, uint32_t channels, uint32_t x, uint32_t y) {
    if (channels == 1) return palette_grey((uint32_t)(pixel[0] + 128));
    const uint32_t threshold = thresholds[y % 4][x % 4];
    const uint32_t red = dithered(pixel[0], PALETTE_REDS, threshold);
    const uint32_t green = dithered(pixel[1], PALETTE_GREENS, threshold);
    const uint32_t blue = dithered(pixel[2], PALETTE_BLUES, threshold);
    return (uint8_t)(PALETTE_PICTURE + (red * PALETTE_GREENS + green) * PALETTE_BLUES + blue);
}

void draw_picture(const struct framebuffer *fb, struct box box, const int8_t *source, uint32_t width,
                  uint32_t height, uint32_t channels) {
    const struct box shown = clipped(fb, box);
    uint32_t last_row = height; /* none */
    for (uint32_t y = 0; y < shown.height; y++) {
        const uint32_t source_row = y * height / box.height;
        uint8_t *to = fb->pixels + (shown.y + y) * fb->width + shown.x;
        if (channels == 1 && source_row == last_row) { /* not dithered: as the row above */
            memcpy(to, to - fb->width, shown.width);
            continue;
        }
        last_row = source_row;
        const int8_t *row = source + source_row * width * channels;
        for (uint32_t x = 0; x < shown.width; x++)
            to[x] = colour_of(row + x * width / box.width * channels, channels, x, y);
    }
}

void draw_bars(const struct framebuffer *fb, struct box box, const uint8_t *heights, uint32_t count,
               uint32_t marked, uint8_t ink, uint8_t ink_marked, uint8_t paper) {
    const uint32_t pitch = box.width / count;
    const uint32_t width = pitch > 3 ? pitch - 2 : pitch;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t x = box.x + i * pitch;
        const uint32_t height = (heights[i] * box.height + 127) / 255;
        draw_fill(fb, (struct box){x, box.y, width, box.height - height}, paper);
        draw_fill(fb, (struct box){x, box.y + box.height - height, width, height},
                  i == marked ? ink_marked : ink);
    }
}
