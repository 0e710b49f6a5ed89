/* The demo's parts as a process for tests/demo: a letter and what it needs on standard input, a line on standard output.
 *
 * B u32 bytes, region     opens plan and demo block: the block's offset, the field that is wrong, a sum over all that it offers
 * N u32                   text_add_number()
 * R u32 u32               text_add_ratio()
 * T u32 capacity, u32     the number in a buffer of that capacity
 * L u32 bytes, region, result fields as below    demo_line()
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../firmware/app/demo/result.h"

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

static void line(struct text *text) {
    uint32_t bytes;
    uint8_t *region = take_region(&bytes);
    uint32_t values[10];
    take(values, sizeof values);
    int8_t score;
    take(&score, 1);
    const struct demo_block block = {region, (const void *)region};
    int8_t *scores = malloc(values[9] + 1);
    scores[values[9]] = score;
    const struct demo_result result = {
        .block = &block,
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
    demo_line(text, &result);
    printf("%.*s", (int)text->length, text->characters);
    free(scores);
    free(region);
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
        } else {
            abort();
        }
        free(characters);
    }
}
