#include "text.h"

void text_add(struct text *text, const char *string) {
    while (*string != 0 && text->length < text->capacity) text->characters[text->length++] = *string++;
}

void text_add_number(struct text *text, uint32_t number) {
    char digits[sizeof "4,294,967,295"];
    char *at = digits + sizeof digits - 1;
    *at = 0;
    for (uint32_t count = 0; count == 0 || number > 0; count++, number /= 10) {
        if (count > 0 && count % 3 == 0) *--at = ',';
        *--at = (char)('0' + number % 10);
    }
    text_add(text, at);
}

/* 32 bits are enough, and spare the library's division of 64 bits (700 bytes). */
void text_add_ratio(struct text *text, uint32_t numerator, uint32_t denominator) {
    while (denominator > UINT32_MAX / 1000) { /* 22 bits are left: more than the digits that are shown */
        denominator /= 2;
        numerator /= 2;
    }
    const uint32_t whole = numerator / denominator;
    const uint32_t unit = whole < 10 ? 100 : whole < 100 ? 10 : 1;
    if (unit == 1) {
        text_add_number(text, whole + (numerator % denominator >= denominator - denominator / 2));
        return;
    }
    const uint32_t scaled = (numerator * unit + denominator / 2) / denominator;
    const uint32_t fraction = scaled % unit * (100 / unit);
    const char digits[] = {'.', (char)('0' + fraction / 10), (char)(unit == 100 ? '0' + fraction % 10 : 0),
                           0};
    text_add_number(text, scaled / unit);
    text_add(text, digits);
}
