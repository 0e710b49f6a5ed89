#include <stddef.h>

#include "result.h"

#define HZ_PER_MHZ 1000000u

static uint32_t mean(uint32_t sum, uint32_t count) {
    const uint32_t rounded = count == 0 ? 0 : sum / count + (sum % count >= count - count / 2);
    return rounded == 0 ? 1 : rounded;
}

uint32_t demo_mean_count(const struct demo_result *result) {
    return mean(result->count, result->frames);
}

/* The speed, as far as this device can know it: a counter of instructions knows no time. */
static void add_speed(struct text *text, const struct demo_result *result) {
    const uint32_t cost = demo_mean_count(result);
    if (result->info.counter_kind == COUNTER_CYCLES) {
        text_add_ratio(text, result->info.clock_hz, cost);
        text_add(text, " FPS, ");
        text_add_number(text, cost);
        text_add(text, " cycles a frame");
    } else if (result->info.counter_kind == COUNTER_INSTRUCTIONS) {
        text_add_number(text, cost);
        text_add(text, " instructions a frame (emulated, as if one instruction took one cycle at ");
        text_add_ratio(text, result->info.clock_hz, HZ_PER_MHZ);
        text_add(text, " MHz: ");
        text_add_ratio(text, result->info.clock_hz, cost);
        text_add(text, " FPS)");
    } else {
        text_add_number(text, result->frames);
        text_add(text, " frames, speed unknown");
    }
    if (result->drawn) {
        text_add(text, ", ");
        text_add_ratio(text, result->info.clock_hz, mean(result->elapsed, result->frames));
        text_add(text, " with display");
    }
}

static void add_class(struct text *text, const struct demo_result *result) {
    const struct demo_block *block = result->block;
    if (block->header->class_count == 0) return;
    text_add(text, ", class ");
    text_add_number(text, result->best);
    const char *name = demo_class_name(block, result->best);
    if (name != NULL) {
        text_add(text, " \"");
        text_add(text, name);
        text_add(text, "\"");
    }
    const int32_t percent = demo_percent(block, result->scores[result->best]);
    if (percent >= 0) {
        text_add(text, " ");
        text_add_number(text, (uint32_t)percent);
        text_add(text, " %");
    }
}

void demo_line(struct text *text, const struct demo_result *result) {
    text_add(text, "tinyconv demo ");
    text_add(text, result->block->header->name);
    text_add(text, ": ");
    add_speed(text, result);
    add_class(text, result);
    if (result->labelled > 0) {
        text_add(text, ", ");
        text_add_number(text, result->right);
        text_add(text, " of ");
        text_add_number(text, result->labelled);
        text_add(text, " right");
    }
    text_add(text, "\r\n");
}
