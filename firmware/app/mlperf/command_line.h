/* Text commands among the bytes of a port that also carries frames. PROTOCOL.md has the rule that tells them apart. */
#ifndef TINYCONV_COMMAND_LINE_H
#define TINYCONV_COMMAND_LINE_H

#include <stdbool.h>
#include <stdint.h>

#define COMMAND_LINE_BYTES      80u /* of a command, its end not counted */
#define COMMAND_LINE_TERMINATOR '%'

/* Begins as all zeros. */
struct command_line {
    char text[COMMAND_LINE_BYTES + 1]; /* without CR and LF; ended by a zero once the command has ended */
    uint32_t length;                   /* of the text so far */
    bool too_long;                     /* characters were lost */
    bool foreign;                      /* what came since the last zero is no text */
    bool ended;                        /* the text is a whole command; the next call begins another */
};

/* Takes bytes up to the end of a command, or to a zero, whichever comes first; returns how many. */
uint32_t command_line_take(struct command_line *line, const uint8_t *bytes, uint32_t count);

#endif
