/* The demo's parts as a process for tests/demo: a letter and what it needs on standard input, an answer on standard output.
 *
 * B u32 bytes, region     opens plan and demo block: the block's offset, the field that is wrong, a sum over all that it offers
 * N u32                   text_add_number()
 * R u32 u32               text_add_ratio()
 * T u32 capacity, u32     the number in a buffer of that capacity
 * L result                demo_line(): u32 bytes, block, u32[10] fields, i8[class_count] scores
 * S u32 width, height, spare bytes, result   the picture: a byte whether the display was lit; if so u32[256] colours, the pixels, and
 *                         the pixels after one more drawing of the same
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../firmware/app/demo/screen.h"
#include "../../firmware/port/display.h"

static void take(void *to, size_t bytes) {
    if (fread(to, 1, bytes, stdin) != bytes) exit(0);
}

static uint32_t take_u32(void) {
    uint32_t value;
    take(&value, sizeof value);
    return value;
}

/* Of exactly its size, so that the address sanitizer sees a byte too far. */
static uint8_t *take_region(uint32_t *bytes) {
    *bytes = take_u32();
    uint8_t *region = malloc(*bytes ? *bytes : 1);
    take(region, *bytes);
    return region;
}

static uint32_t sum_of(const struct demo_block *block) {
    const struct demo_header *h = block->header;
    uint32_t sum = (uint32_t)strlen(h->name);
    for (uint32_t i = 0; i < h->sample_count; i++) {
        for (uint32_t j = 0; j < h->sample_bytes; j++) sum += demo_sample(block, i)[j];
        sum += demo_label(block, i);
    }
    for (uint32_t i = 0; i < h->class_count; i++) {
        const char *name = demo_class_name(block, i);
        if (name != NULL) sum += (uint32_t)strlen(name);
    }
    for (int32_t score = INT8_MIN; score <= INT8_MAX; score++) {
        const int32_t percent = demo_percent(block, (int8_t)score);
        if (percent < -1 || percent > 100) abort();
        sum += (uint32_t)percent;
    }
    return sum;
}

static void open_block(void) {
    uint32_t bytes;
    uint8_t *region = take_region(&bytes);
    static uint64_t arena[16384];
    const uint32_t offset = demo_block_offset(region, bytes);
    struct plan plan;
    struct plan_error error;
    struct demo_block block;
    if (offset == bytes) {
        printf("none\n");
    } else if (plan_open(&plan, region, offset, arena, sizeof arena, &error) != STATUS_OK) {
        printf("plan\n");
    } else {
        const enum demo_field field = demo_block_open(&block, region + offset, bytes - offset, &plan);
        printf("%u %s %u\n", offset, demo_field_text(field), field == DEMO_FIELD_NONE ? sum_of(&block) : 0u);
    }
    free(region);
}

static void show(const struct text *text) {
    printf("%.*s\n", (int)text->length, text->characters);
}

/* A result over the block, which the caller frees with the scores: ten numbers, then class_count scores. */
static struct demo_result take_result(struct demo_block *block) {
    uint32_t bytes;
    uint8_t *base = take_region(&bytes);
    *block = (struct demo_block){base, (const void *)base};
    uint32_t values[10];
    take(values, sizeof values);
    int8_t *scores = malloc(block->header->class_count + 1u);
    take(scores, block->header->class_count);
    return (struct demo_result){
        .block = block,
        .info = {.counter_kind = (uint8_t)values[0], .clock_hz = values[1]},
        .frames = values[2],
        .count = values[3],
        .elapsed = values[4],
        .labelled = values[5],
        .right = values[6],
        .drawn = values[7] != 0,
        .sample = values[8],
        .best = values[9],
        .scores = scores,
    };
}

static void give_back(struct demo_result *result) {
    free((void *)(uintptr_t)result->scores);
    free((void *)(uintptr_t)result->block->base);
}

static void line(struct text *text) {
    struct demo_block block;
    struct demo_result result = take_result(&block);
    demo_line(text, &result);
    printf("%.*s", (int)text->length, text->characters);
    give_back(&result);
}

static struct display_size size;
static const uint8_t *shown;
static uint32_t palette[256];

struct display_size port_display_size(void) {
    return size;
}

bool port_display_start(const uint8_t *pixels, const uint32_t colours[256]) {
    if ((uintptr_t)pixels % 32 != 0) abort();
    shown = pixels;
    memcpy(palette, colours, sizeof palette);
    return true;
}

void port_display_update(void) {
    if (shown == NULL) abort();
}

void port_display_stop(void) {
    shown = NULL;
}

static void screen(void) {
    size.width = take_u32();
    size.height = take_u32();
    const uint32_t spare_bytes = take_u32();
    uint8_t *spare =
        malloc(spare_bytes ? spare_bytes : 1); /* of exactly its size, for the address sanitizer */
    struct demo_block block;
    struct demo_result result = take_result(&block);
    const bool lit = screen_start(&block, spare, spare_bytes);
    putchar(lit);
    if (lit) {
        fwrite(palette, 1, sizeof palette, stdout);
        for (int again = 0; again < 2; again++) {
            screen_show(&result);
            fwrite(shown, 1, size.width * size.height, stdout);
        }
        screen_stop();
        if (shown != NULL) abort();
    }
    fflush(stdout);
    give_back(&result);
    free(spare);
}

int main(void) {
    char command;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (;;) {
        char *characters = malloc(DEMO_LINE_BYTES);
        struct text text = {.characters = characters, .capacity = DEMO_LINE_BYTES};
        take(&command, 1);
        if (command == 'B') {
            open_block();
        } else if (command == 'N') {
            text_add_number(&text, take_u32());
            show(&text);
        } else if (command == 'R') {
            const uint32_t numerator = take_u32();
            text_add_ratio(&text, numerator, take_u32());
            show(&text);
        } else if (command == 'T') {
            text.capacity = take_u32();
            text.characters = realloc(characters, text.capacity ? text.capacity : 1);
            characters = text.characters;
            text_add_number(&text, take_u32());
            show(&text);
        } else if (command == 'L') {
            line(&text);
        } else if (command == 'S') {
            screen();
        } else {
            abort();
        }
        free(characters);
    }
}
