#include "say.h"

#include <stdbool.h>
#include <string.h>

#include "../send.h"

#define MOST_DIGITS   20u
#define FRACTION_BITS 23
#define EXPONENT_BIAS 127

void say(const char *text) {
    send_text(text, (uint32_t)strlen(text));
}

uint64_t divide(uint64_t number, uint32_t by, uint32_t *rest) {
    uint64_t left = 0; /* below 2 * by */
    for (uint32_t bit = 0; bit < 64; bit++) {
        left = left << 1 | number >> 63;
        number <<= 1;
        if (left < by) continue;
        left -= by;
        number |= 1;
    }
    *rest = (uint32_t)left;
    return number;
}

void say_number(uint64_t number) {
    char digits[MOST_DIGITS + 1];
    char *at = digits + MOST_DIGITS;
    *at = 0;
    do {
        uint32_t digit;
        number = divide(number, 10, &digit);
        *--at = (char)('0' + digit);
    } while (number > 0);
    say(at);
}

void say_hex(uint8_t byte) {
    static const char digits[] = "0123456789abcdef";
    say((const char[]){digits[byte >> 4], digits[byte & 15], 0});
}

void say_thousandths(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (bits >> 31) say("-");
    const uint32_t biased = bits >> FRACTION_BITS & 0xff;
    const uint32_t hidden = biased == 0 ? 0 : UINT32_C(1) << FRACTION_BITS;
    const uint64_t mantissa = (bits & ((UINT32_C(1) << FRACTION_BITS) - 1)) | hidden;
    const int32_t exponent = (int32_t)(biased == 0 ? 1 : biased) - EXPONENT_BIAS - FRACTION_BITS;
    if (exponent >= 40) { /* 24 bits of mantissa: 2^63 and more */
        say("inf");
        return;
    }
    if (exponent >= 0) {
        say_number(mantissa << exponent);
        say(".000");
        return;
    }
    const uint32_t shift = (uint32_t)-exponent;
    uint64_t thousandths = 0;
    if (shift < 64) {
        const uint64_t scaled = mantissa * 1000;
        const uint64_t rest = scaled & ((UINT64_C(1) << shift) - 1);
        const uint64_t half = UINT64_C(1) << (shift - 1);
        thousandths = scaled >> shift;
        const bool odd = thousandths & 1;
        thousandths += rest > half || (rest == half && odd);
    }
    uint32_t fraction;
    say_number(divide(thousandths, 1000, &fraction));
    say((const char[]){'.', (char)('0' + fraction / 100), (char)('0' + fraction / 10 % 10),
                       (char)('0' + fraction % 10), 0});
}
