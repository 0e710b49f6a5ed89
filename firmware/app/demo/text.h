/* Text in a buffer of the caller's, without printf (newlib's costs 20 KB of flash with floats). What does not fit is left out. */
#ifndef TINYCONV_TEXT_H
#define TINYCONV_TEXT_H

#include <stdint.h>

struct text {
    char *characters; /* not ended by a zero */
    uint32_t capacity;
    uint32_t length;
};

void text_add(struct text *text, const char *string);

/* A whole number, with a comma before every three digits: 7,230,123. */
void text_add_number(struct text *text, uint32_t number);

/* numerator / denominator (not 0), rounded half up: two decimals below 10, one below 100, else none. */
void text_add_ratio(struct text *text, uint32_t numerator, uint32_t denominator);

#endif
