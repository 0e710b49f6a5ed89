/* The firmware's text output and command line as a shared library for tests/mlperf: what is said ends up in a buffer. */
#include <string.h>

#include "../../firmware/app/mlperf/command_line.h"
#include "../../firmware/app/mlperf/say.h"
#include "../../firmware/app/send.h"

static char said[256];
static uint32_t said_count;

void send_text(const char *text, uint32_t count) {
    memcpy(said + said_count, text, count);
    said_count += count;
}

const char *probe_thousandths(float value) {
    said_count = 0;
    say_thousandths(value);
    said[said_count] = 0;
    return said;
}

const char *probe_number(uint64_t number) {
    said_count = 0;
    say_number(number);
    said[said_count] = 0;
    return said;
}

uint64_t probe_quotient(uint64_t number, uint32_t by) {
    uint32_t rest;
    return divide(number, by, &rest);
}

uint32_t probe_rest(uint64_t number, uint32_t by) {
    uint32_t rest;
    divide(number, by, &rest);
    return rest;
}

uint32_t probe_line_bytes(void) {
    return sizeof(struct command_line);
}

const char *probe_line_text(const struct command_line *line, int *ended, int *too_long) {
    *ended = line->ended;
    *too_long = line->too_long;
    return line->text;
}
