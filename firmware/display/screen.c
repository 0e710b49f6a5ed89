/* The demo's picture: input, class, score of every class, speed. Laid out for 480 x 272; what a smaller display cannot show is cut off. */
#include "../app/demo/screen.h"

#include <stddef.h>
#include <string.h>

#include "../port/display.h"
#include "draw.h"
#include "palette.h"

#define PIXELS_ALIGN 32u /* as the data cache's lines and the display controller's bursts */
#define MAX_BARS     132u
#define LABEL_BARS   12u /* so few have room for a letter below */

#define TITLE_HEIGHT 26u
#define RIGHT_X      206u
static const struct box picture_frame = {10, 36, 184, 184};
static const struct box score_box = {RIGHT_X, 68, 188, 14};
static const struct box bars_box = {RIGHT_X, 94, 264, 62};

static struct framebuffer fb;

static struct text line_in(char *characters, uint32_t bytes) {
    return (struct text){.characters = characters, .capacity = bytes - 1};
}

/* Ends the text with a zero, for which line_in() has left room. */
static const char *ended(struct text *text) {
    text->characters[text->length] = 0;
    return text->characters;
}

static void draw_title(const struct demo_block *block) {
    draw_fill(&fb, (struct box){0, 0, fb.width, TITLE_HEIGHT}, DARK);
    draw_text(&fb, 10, 5, 2, "tinyconv", 8, GREEN, DARK);
    draw_text(&fb, 124, 5, 2, block->header->name, (uint32_t)strlen(block->header->name), WHITE, DARK);
}

bool screen_start(const struct demo_block *block, uint8_t *spare, uint32_t spare_bytes) {
    const struct display_size size = port_display_size();
    const uint32_t bytes = size.width * size.height;
    if (bytes == 0 || spare_bytes < bytes + PIXELS_ALIGN - 1) return false;
    const uintptr_t end = (uintptr_t)spare + spare_bytes - bytes;
    fb = (struct framebuffer){spare + ((end & ~(uintptr_t)(PIXELS_ALIGN - 1)) - (uintptr_t)spare), size.width,
                              size.height};
    memset(fb.pixels, BLACK, bytes);
    draw_title(block);
    uint32_t colours[PALETTE_COLOURS];
    palette_start(colours, block->header->channels == 3 ? 3 : 1);
    return port_display_start(fb.pixels, colours);
}

static void draw_input(const struct demo_result *result) {
    const struct demo_header *header = result->block->header;
    char characters[32];
    struct text text = line_in(characters, sizeof characters);
    if (header->height != 0)
        draw_picture(&fb, draw_fitted(picture_frame, header->width, header->height),
                     (const int8_t *)demo_sample(result->block, result->sample), header->width,
                     header->height, header->channels);
    else
        draw_text(&fb, picture_frame.x, picture_frame.y, 2, "no picture", 10, GREY, BLACK);
    text_add(&text, "input ");
    text_add_number(&text, result->sample + 1);
    text_add(&text, " of ");
    text_add_number(&text, header->sample_count);
    draw_text(&fb, picture_frame.x, 232, 2, ended(&text), 15, GREY, BLACK);
}

static void draw_class(const struct demo_result *result) {
    char characters[32];
    struct text text = line_in(characters, sizeof characters);
    const char *name = demo_class_name(result->block, result->best);
    if (name == NULL) {
        text_add(&text, "class ");
        text_add_number(&text, result->best);
        name = ended(&text);
    }
    const uint32_t label = demo_label(result->block, result->sample);
    const uint8_t colour = label == DEMO_NO_LABEL ? WHITE : label == result->best ? GREEN : RED;
    draw_text(&fb, RIGHT_X, 36, 3, name, 15, colour, BLACK);

    const int32_t percent = demo_percent(result->block, result->scores[result->best]);
    if (percent < 0) return;
    const uint32_t filled = (uint32_t)percent * score_box.width / 100;
    draw_fill(&fb, (struct box){score_box.x, score_box.y, filled, score_box.height}, colour);
    draw_fill(&fb,
              (struct box){score_box.x + filled, score_box.y, score_box.width - filled, score_box.height},
              DARK);
    text.length = 0;
    text_add_number(&text, (uint32_t)percent);
    text_add(&text, " %");
    draw_text(&fb, score_box.x + score_box.width + 10, score_box.y - 1, 2, ended(&text), 5, WHITE, BLACK);
}

static void draw_scores(const struct demo_result *result) {
    const uint32_t count = result->block->header->class_count;
    if (count > MAX_BARS) return;
    uint8_t heights[MAX_BARS];
    for (uint32_t i = 0; i < count; i++) heights[i] = (uint8_t)(result->scores[i] + 128);
    draw_bars(&fb, bars_box, heights, count, result->best, BLUE, AMBER, DARK);
    if (count > LABEL_BARS) return;
    const uint32_t pitch = bars_box.width / count;
    for (uint32_t i = 0; i < count; i++) {
        char characters[8];
        struct text text = line_in(characters, sizeof characters);
        const char *name = demo_class_name(result->block, i);
        if (name == NULL) {
            text_add_number(&text, i);
            name = ended(&text);
        }
        draw_text(&fb, bars_box.x + i * pitch, bars_box.y + bars_box.height + 3, 1, name,
                  (pitch - 3) / DRAW_CELL_WIDTH, GREY, BLACK);
    }
}

/* What is no time is not called a speed: on an emulated board the large number is the count. */
static void draw_speed(const struct demo_result *result) {
    char characters[32];
    struct text text = line_in(characters, sizeof characters);
    const uint32_t count = demo_mean_count(result);
    const bool cycles = result->info.counter_kind == COUNTER_CYCLES;
    if (cycles) {
        text_add_ratio(&text, result->info.clock_hz, count);
        text_add(&text, " FPS");
    } else {
        text_add_number(&text, count);
    }
    draw_text(&fb, RIGHT_X, 178, 4, ended(&text), 11, AMBER, BLACK);
    text.length = 0;
    if (cycles) {
        text_add_number(&text, count);
        text_add(&text, " cycles");
    } else {
        text_add(&text, "instructions, emulated");
    }
    draw_text(&fb, RIGHT_X, 218, 2, ended(&text), 22, GREY, BLACK);
    if (result->labelled == 0) return;
    text.length = 0;
    text_add_number(&text, result->right);
    text_add(&text, " of ");
    text_add_number(&text, result->labelled);
    text_add(&text, " right");
    draw_text(&fb, RIGHT_X, 244, 2, ended(&text), 22, WHITE, BLACK);
}

void screen_show(const struct demo_result *result) {
    draw_input(result);
    if (result->block->header->class_count > 0) {
        draw_class(result);
        draw_scores(result);
    }
    draw_speed(result);
    port_display_update();
}

void screen_stop(void) {
    port_display_stop();
}
