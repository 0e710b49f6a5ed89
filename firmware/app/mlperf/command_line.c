#include "command_line.h"

#include <string.h>

static void begin(struct command_line *line) {
    line->length = 0;
    line->too_long = false;
    line->foreign = false;
    line->ended = false;
}

static void take_character(struct command_line *line, char character) {
    if (line->length == COMMAND_LINE_BYTES)
        line->too_long = true;
    else
        line->text[line->length++] = character;
}

uint32_t command_line_take(struct command_line *line, const uint8_t *bytes, uint32_t count) {
    if (line->ended) begin(line);
    for (uint32_t taken = 0; taken < count; taken++) {
        if (line->foreign) { /* nearly always: a frame, of which only the end matters */
            const uint8_t *zero = memchr(bytes + taken, 0, count - taken);
            if (zero == NULL) return count;
            taken = (uint32_t)(zero - bytes);
        }
        const uint8_t byte = bytes[taken];
        if (byte == 0) {
            begin(line);
            return taken + 1;
        }
        if (byte == COMMAND_LINE_TERMINATOR) {
            line->text[line->length] = 0;
            line->ended = true;
            return taken + 1;
        }
        if (byte >= ' ' && byte <= '~')
            take_character(line, (char)byte);
        else if (byte != '\r' && byte != '\n')
            line->foreign = true;
    }
    return count;
}
