#include "demo.h"

#include <stddef.h>
#include <string.h>

#include "../../port/port.h"
#include "../../runtime/plan.h"
#include "../pools.h"
#include "result.h"
#include "screen.h"

#define DRAWINGS_PER_SECOND 10u

struct demo {
    struct plan plan;
    struct demo_block block;
    struct demo_result result;
    uint32_t pass_labelled; /* of this pass over the samples */
    uint32_t pass_right;
    bool passed; /* there was a whole pass */
    uint8_t first_byte;
};

static void send_text(const struct text *text) {
    port_write((const uint8_t *)text->characters, text->length);
}

/* Ends the text for a host that reads frames: it drops what came before a zero, so that none of its frames is lost with it. */
static void end_text(void) {
    port_write(&(const uint8_t){0}, 1);
}

/* A line that says what is wrong. */
static void refuse(const char *what, const char *more) {
    char characters[DEMO_LINE_BYTES];
    struct text text = {.characters = characters, .capacity = sizeof characters};
    text_add(&text, "tinyconv demo: not run, ");
    text_add(&text, what);
    text_add(&text, more);
    text_add(&text, "\r\n");
    send_text(&text);
    end_text();
}

/* Opens the plan and tells what it leaves of the largest pool. */
static bool demo_open(struct demo *demo, struct pool *rest) {
    uint32_t region_bytes;
    const uint8_t *region = port_flash_plan(&region_bytes);
    const uint32_t offset = demo_block_offset(region, region_bytes);
    if (offset == region_bytes) return false;
    uint32_t magic;
    memcpy(&magic, region + offset, sizeof magic);
    if (magic != DEMO_MAGIC) return false;

    if (port_last_fault().kind != 0) {
        refuse("the device restarted after a fault", "");
        return false;
    }
    struct plan_error error;
    const struct pools pools = pools_of_port();
    const struct plan_header *header = (const void *)region;
    const uint64_t needed = offset < sizeof *header ? 0 : (uint64_t)header->arena_bytes + header->copy_bytes;
    const uint32_t place = pools_place(&pools, needed, 0);
    const struct pool *pool = &pools.at[place];
    if (plan_open(&demo->plan, region, offset, pool->base, pool->bytes, &error) != STATUS_OK) {
        refuse("the plan is refused; host run tells why", "");
        return false;
    }
    *rest = pools.at[pools.largest];
    if (place == pools.largest) {
        const uint32_t used =
            ((uint32_t)needed + 7u) & ~7u; /* plan_open() saw that it fits; pools are multiples of 8 */
        rest->base += used;
        rest->bytes -= used;
    }
    const enum demo_field field =
        demo_block_open(&demo->block, region + offset, region_bytes - offset, &demo->plan);
    if (field != DEMO_FIELD_NONE) {
        refuse("wrong in the demo block: ", demo_field_text(field));
        return false;
    }
    return true;
}

/* A sign of a host; its first byte is kept. */
static bool host_is_there(struct demo *demo) {
    return port_read(&demo->first_byte, 1) == 1;
}

/* One inference; *count is what its steps cost, as RUN would tell. False if a host came meanwhile. */
static bool run_frame(struct demo *demo, uint32_t sample, uint32_t *count) {
    const struct plan *plan = &demo->plan;
    const uint8_t *from = demo_sample(&demo->block, sample);
    for (uint32_t i = 0; i < plan->header->input_count; i++) {
        const uint32_t bytes = plan->tensors[plan->inputs[i]].bytes;
        memcpy(plan_tensor_data(plan, plan->inputs[i]), from, bytes);
        from += bytes;
    }
    *count = 0;
    for (uint32_t step = 0; step < plan->header->step_count; step++) {
        if (host_is_there(demo)) return false;
        const uint32_t begin = port_counter();
        plan_run_step(plan, step);
        *count += port_counter() - begin;
        port_feed();
    }
    return true;
}

static uint32_t highest(const int8_t *scores, uint32_t count) {
    uint32_t best = 0;
    for (uint32_t i = 1; i < count; i++)
        if (scores[i] > scores[best]) best = i;
    return best;
}

/* Looks at the outputs and keeps the score of this pass; the result shows the last whole one once there is one. */
static void judge(struct demo *demo, uint32_t sample) {
    struct demo_result *result = &demo->result;
    const struct demo_header *header = demo->block.header;
    result->sample = sample;
    result->best = highest(result->scores, header->class_count);
    const uint32_t label = demo_label(&demo->block, sample);
    if (label != DEMO_NO_LABEL) {
        demo->pass_labelled++;
        demo->pass_right += label == result->best;
    }
    const bool last = sample + 1 == header->sample_count;
    if (!demo->passed || last) {
        result->labelled = demo->pass_labelled;
        result->right = demo->pass_right;
    }
    if (last) {
        demo->pass_labelled = 0;
        demo->pass_right = 0;
        demo->passed = true;
    }
}

static void tell(struct demo *demo) {
    char characters[DEMO_LINE_BYTES];
    struct text text = {.characters = characters, .capacity = sizeof characters};
    demo_line(&text, &demo->result);
    send_text(&text);
    demo->result.frames = 0;
    demo->result.count = 0;
    demo->result.elapsed = 0;
}

/* Whether a second has passed since the last line; without a clock, whether all samples had their turn. */
static bool line_is_due(const struct demo *demo, bool first) {
    const struct demo_result *result = &demo->result;
    if (result->info.clock_hz == 0) return result->sample + 1 == demo->block.header->sample_count;
    return first || result->elapsed >= result->info.clock_hz;
}

static void show_until_host(struct demo *demo) {
    struct demo_result *result = &demo->result;
    const uint32_t drawing_interval = result->info.clock_hz / DRAWINGS_PER_SECOND;
    uint32_t since_drawing = drawing_interval;
    uint32_t last = port_counter();
    bool first = true;
    for (uint32_t sample = 0;; sample = (sample + 1) % demo->block.header->sample_count) {
        uint32_t count;
        if (!run_frame(demo, sample, &count)) return;
        result->frames++;
        result->count += count;
        judge(demo, sample);
        if (result->drawn && since_drawing >= drawing_interval) {
            screen_show(result);
            since_drawing = 0;
        }
        const uint32_t now = port_counter();
        result->elapsed += now - last;
        since_drawing += now - last;
        last = now;
        if (line_is_due(demo, first)) {
            tell(demo);
            first = false;
        }
    }
}

bool demo_run(uint8_t *first_byte) {
    struct demo demo = {0};
    struct pool rest;
    if (!demo_open(&demo, &rest)) return false;

    demo.result.block = &demo.block;
    demo.result.info = port_info();
    demo.result.scores = (const int8_t *)plan_tensor_data(&demo.plan, demo.plan.outputs[0]);
    demo.result.drawn = screen_start(&demo.block, rest.base, rest.bytes);
    show_until_host(&demo);
    if (demo.result.drawn) screen_stop();
    end_text();
    *first_byte = demo.first_byte;
    return true;
}
