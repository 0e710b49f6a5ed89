/* What the demo knows after a frame: for the line on the serial port and for the display. */
#ifndef TINYCONV_DEMO_RESULT_H
#define TINYCONV_DEMO_RESULT_H

#include <stdbool.h>
#include <stdint.h>

#include "../../port/port.h"
#include "block.h"
#include "text.h"

#define DEMO_LINE_BYTES 256u /* the longest line has 226 characters */

struct demo_result {
    const struct demo_block *block;
    struct port_info info;
    uint32_t sample;      /* that the frame showed to the network */
    const int8_t *scores; /* class_count of them */
    uint32_t best;        /* the class whose score is highest; the first of several */

    /* since the last line: frames, what their steps cost in the counter's unit, and how far the counter went in all. 32 bits hold
     * a second and then a frame of 8 s at 480 MHz. */
    uint32_t frames;
    uint32_t count;
    uint32_t elapsed;

    /* of the samples with a known class: the last whole pass over all of them, or this one as far as it is */
    uint32_t labelled;
    uint32_t right;
    bool drawn; /* a display is on */
};

/* Mean cost of a frame, at least 1. */
uint32_t demo_mean_count(const struct demo_result *result);

/* The line, with its end of line. README.md has examples. */
void demo_line(struct text *text, const struct demo_result *result);

#endif
