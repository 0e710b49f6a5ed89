/* The characters from space to tilde, 5 pixels wide and 8 high, the last row for what goes below the line. Drawn for this project.
 *
 * A row is a word of five letters, X for ink: its bits are read from the left. */
#include "font.h"

/* clang-format off */
enum {
    ooooo = 0x00,
    ooooX = 0x01,
    oooXo = 0x02,
    oooXX = 0x03,
    ooXoo = 0x04,
    ooXoX = 0x05,
    ooXXo = 0x06,
    ooXXX = 0x07,
    oXooo = 0x08,
    oXooX = 0x09,
    oXoXo = 0x0a,
    oXoXX = 0x0b,
    oXXoo = 0x0c,
    oXXoX = 0x0d,
    oXXXo = 0x0e,
    oXXXX = 0x0f,
    Xoooo = 0x10,
    XoooX = 0x11,
    XooXo = 0x12,
    XooXX = 0x13,
    XoXoo = 0x14,
    XoXoX = 0x15,
    XoXXo = 0x16,
    XoXXX = 0x17,
    XXooo = 0x18,
    XXooX = 0x19,
    XXoXo = 0x1a,
    XXoXX = 0x1b,
    XXXoo = 0x1c,
    XXXoX = 0x1d,
    XXXXo = 0x1e,
    XXXXX = 0x1f,
};

const uint8_t font_rows[FONT_LAST - FONT_FIRST + 1][FONT_HEIGHT] = {
    {ooooo, ooooo, ooooo, ooooo, ooooo, ooooo, ooooo, ooooo}, /* space */
    {ooXoo, ooXoo, ooXoo, ooXoo, ooXoo, ooooo, ooXoo, ooooo}, /* ! */
    {oXoXo, oXoXo, oXoXo, ooooo, ooooo, ooooo, ooooo, ooooo}, /* " */
    {oXoXo, oXoXo, XXXXX, oXoXo, XXXXX, oXoXo, oXoXo, ooooo}, /* # */
    {ooXoo, oXXXX, XoXoo, oXXXo, ooXoX, XXXXo, ooXoo, ooooo}, /* $ */
    {XXooX, XXooX, oooXo, ooXoo, oXooo, XooXX, XooXX, ooooo}, /* % */
    {oXXoo, XooXo, XoXoo, oXooo, XoXoX, XooXo, oXXoX, ooooo}, /* & */
    {ooXoo, ooXoo, oXooo, ooooo, ooooo, ooooo, ooooo, ooooo}, /* apostrophe */
    {oooXo, ooXoo, oXooo, oXooo, oXooo, ooXoo, oooXo, ooooo}, /* ( */
    {oXooo, ooXoo, oooXo, oooXo, oooXo, ooXoo, oXooo, ooooo}, /* ) */
    {ooooo, ooXoo, XoXoX, oXXXo, XoXoX, ooXoo, ooooo, ooooo}, /* * */
    {ooooo, ooXoo, ooXoo, XXXXX, ooXoo, ooXoo, ooooo, ooooo}, /* + */
    {ooooo, ooooo, ooooo, ooooo, ooooo, oXXoo, oXXoo, Xoooo}, /* , */
    {ooooo, ooooo, ooooo, XXXXX, ooooo, ooooo, ooooo, ooooo}, /* - */
    {ooooo, ooooo, ooooo, ooooo, ooooo, oXXoo, oXXoo, ooooo}, /* . */
    {ooooo, ooooX, oooXo, ooXoo, oXooo, Xoooo, ooooo, ooooo}, /* / */
    {oXXXo, XoooX, XooXX, XoXoX, XXooX, XoooX, oXXXo, ooooo}, /* 0 */
    {ooXoo, oXXoo, XoXoo, ooXoo, ooXoo, ooXoo, XXXXX, ooooo}, /* 1 */
    {oXXXo, XoooX, ooooX, ooXXo, oXooo, Xoooo, XXXXX, ooooo}, /* 2 */
    {oXXXo, XoooX, ooooX, ooXXo, ooooX, XoooX, oXXXo, ooooo}, /* 3 */
    {oooXo, ooXXo, oXoXo, XooXo, XXXXX, oooXo, oooXo, ooooo}, /* 4 */
    {XXXXX, Xoooo, XXXXo, ooooX, ooooX, XoooX, oXXXo, ooooo}, /* 5 */
    {ooXXo, oXooo, Xoooo, XXXXo, XoooX, XoooX, oXXXo, ooooo}, /* 6 */
    {XXXXX, ooooX, oooXo, ooXoo, ooXoo, oXooo, oXooo, ooooo}, /* 7 */
    {oXXXo, XoooX, XoooX, oXXXo, XoooX, XoooX, oXXXo, ooooo}, /* 8 */
    {oXXXo, XoooX, XoooX, oXXXX, ooooX, oooXo, oXXoo, ooooo}, /* 9 */
    {ooooo, oXXoo, oXXoo, ooooo, oXXoo, oXXoo, ooooo, ooooo}, /* : */
    {ooooo, oXXoo, oXXoo, ooooo, oXXoo, oXXoo, Xoooo, ooooo}, /* ; */
    {oooXo, ooXoo, oXooo, Xoooo, oXooo, ooXoo, oooXo, ooooo}, /* < */
    {ooooo, ooooo, XXXXX, ooooo, XXXXX, ooooo, ooooo, ooooo}, /* = */
    {oXooo, ooXoo, oooXo, ooooX, oooXo, ooXoo, oXooo, ooooo}, /* > */
    {oXXXo, XoooX, ooooX, ooXXo, ooXoo, ooooo, ooXoo, ooooo}, /* ? */
    {oXXXo, XoooX, XoXXX, XoXoX, XoXXX, Xoooo, oXXXX, ooooo}, /* @ */
    {ooXoo, oXoXo, XoooX, XoooX, XXXXX, XoooX, XoooX, ooooo}, /* A */
    {XXXXo, XoooX, XoooX, XXXXo, XoooX, XoooX, XXXXo, ooooo}, /* B */
    {oXXXo, XoooX, Xoooo, Xoooo, Xoooo, XoooX, oXXXo, ooooo}, /* C */
    {XXXoo, XooXo, XoooX, XoooX, XoooX, XooXo, XXXoo, ooooo}, /* D */
    {XXXXX, Xoooo, Xoooo, XXXXo, Xoooo, Xoooo, XXXXX, ooooo}, /* E */
    {XXXXX, Xoooo, Xoooo, XXXXo, Xoooo, Xoooo, Xoooo, ooooo}, /* F */
    {oXXXo, XoooX, Xoooo, XoXXX, XoooX, XoooX, oXXXX, ooooo}, /* G */
    {XoooX, XoooX, XoooX, XXXXX, XoooX, XoooX, XoooX, ooooo}, /* H */
    {oXXXo, ooXoo, ooXoo, ooXoo, ooXoo, ooXoo, oXXXo, ooooo}, /* I */
    {ooXXX, oooXo, oooXo, oooXo, oooXo, XooXo, oXXoo, ooooo}, /* J */
    {XoooX, XooXo, XoXoo, XXooo, XoXoo, XooXo, XoooX, ooooo}, /* K */
    {Xoooo, Xoooo, Xoooo, Xoooo, Xoooo, Xoooo, XXXXX, ooooo}, /* L */
    {XoooX, XXoXX, XoXoX, XoXoX, XoooX, XoooX, XoooX, ooooo}, /* M */
    {XoooX, XXooX, XXooX, XoXoX, XooXX, XooXX, XoooX, ooooo}, /* N */
    {oXXXo, XoooX, XoooX, XoooX, XoooX, XoooX, oXXXo, ooooo}, /* O */
    {XXXXo, XoooX, XoooX, XXXXo, Xoooo, Xoooo, Xoooo, ooooo}, /* P */
    {oXXXo, XoooX, XoooX, XoooX, XoXoX, XooXo, oXXoX, ooooo}, /* Q */
    {XXXXo, XoooX, XoooX, XXXXo, XoXoo, XooXo, XoooX, ooooo}, /* R */
    {oXXXX, Xoooo, Xoooo, oXXXo, ooooX, ooooX, XXXXo, ooooo}, /* S */
    {XXXXX, ooXoo, ooXoo, ooXoo, ooXoo, ooXoo, ooXoo, ooooo}, /* T */
    {XoooX, XoooX, XoooX, XoooX, XoooX, XoooX, oXXXo, ooooo}, /* U */
    {XoooX, XoooX, XoooX, XoooX, oXoXo, oXoXo, ooXoo, ooooo}, /* V */
    {XoooX, XoooX, XoooX, XoXoX, XoXoX, XXoXX, XoooX, ooooo}, /* W */
    {XoooX, XoooX, oXoXo, ooXoo, oXoXo, XoooX, XoooX, ooooo}, /* X */
    {XoooX, XoooX, oXoXo, ooXoo, ooXoo, ooXoo, ooXoo, ooooo}, /* Y */
    {XXXXX, ooooX, oooXo, ooXoo, oXooo, Xoooo, XXXXX, ooooo}, /* Z */
    {oXXXo, oXooo, oXooo, oXooo, oXooo, oXooo, oXXXo, ooooo}, /* [ */
    {ooooo, Xoooo, oXooo, ooXoo, oooXo, ooooX, ooooo, ooooo}, /* backslash */
    {oXXXo, oooXo, oooXo, oooXo, oooXo, oooXo, oXXXo, ooooo}, /* ] */
    {ooXoo, oXoXo, XoooX, ooooo, ooooo, ooooo, ooooo, ooooo}, /* ^ */
    {ooooo, ooooo, ooooo, ooooo, ooooo, ooooo, ooooo, XXXXX}, /* _ */
    {oXooo, ooXoo, ooooo, ooooo, ooooo, ooooo, ooooo, ooooo}, /* ` */
    {ooooo, ooooo, oXXXo, ooooX, oXXXX, XoooX, oXXXX, ooooo}, /* a */
    {Xoooo, Xoooo, XXXXo, XoooX, XoooX, XoooX, XXXXo, ooooo}, /* b */
    {ooooo, ooooo, oXXXX, Xoooo, Xoooo, Xoooo, oXXXX, ooooo}, /* c */
    {ooooX, ooooX, oXXXX, XoooX, XoooX, XoooX, oXXXX, ooooo}, /* d */
    {ooooo, ooooo, oXXXo, XoooX, XXXXX, Xoooo, oXXXX, ooooo}, /* e */
    {ooXXo, oXooo, XXXXo, oXooo, oXooo, oXooo, oXooo, ooooo}, /* f */
    {ooooo, ooooo, oXXXX, XoooX, XoooX, oXXXX, ooooX, oXXXo}, /* g */
    {Xoooo, Xoooo, XXXXo, XoooX, XoooX, XoooX, XoooX, ooooo}, /* h */
    {ooXoo, ooooo, oXXoo, ooXoo, ooXoo, ooXoo, oXXXo, ooooo}, /* i */
    {oooXo, ooooo, ooXXo, oooXo, oooXo, oooXo, XooXo, oXXoo}, /* j */
    {Xoooo, Xoooo, XooXo, XoXoo, XXooo, XoXoo, XooXo, ooooo}, /* k */
    {oXXoo, ooXoo, ooXoo, ooXoo, ooXoo, ooXoo, oXXXo, ooooo}, /* l */
    {ooooo, ooooo, XXoXo, XoXoX, XoXoX, XoXoX, XoXoX, ooooo}, /* m */
    {ooooo, ooooo, XXXXo, XoooX, XoooX, XoooX, XoooX, ooooo}, /* n */
    {ooooo, ooooo, oXXXo, XoooX, XoooX, XoooX, oXXXo, ooooo}, /* o */
    {ooooo, ooooo, XXXXo, XoooX, XoooX, XXXXo, Xoooo, Xoooo}, /* p */
    {ooooo, ooooo, oXXXX, XoooX, XoooX, oXXXX, ooooX, ooooX}, /* q */
    {ooooo, ooooo, XoXXo, XXooX, Xoooo, Xoooo, Xoooo, ooooo}, /* r */
    {ooooo, ooooo, oXXXX, Xoooo, oXXXo, ooooX, XXXXo, ooooo}, /* s */
    {oXooo, oXooo, XXXXo, oXooo, oXooo, oXooo, ooXXo, ooooo}, /* t */
    {ooooo, ooooo, XoooX, XoooX, XoooX, XoooX, oXXXX, ooooo}, /* u */
    {ooooo, ooooo, XoooX, XoooX, XoooX, oXoXo, ooXoo, ooooo}, /* v */
    {ooooo, ooooo, XoooX, XoXoX, XoXoX, XoXoX, oXoXo, ooooo}, /* w */
    {ooooo, ooooo, XoooX, oXoXo, ooXoo, oXoXo, XoooX, ooooo}, /* x */
    {ooooo, ooooo, XoooX, XoooX, XoooX, oXXXX, ooooX, oXXXo}, /* y */
    {ooooo, ooooo, XXXXX, oooXo, ooXoo, oXooo, XXXXX, ooooo}, /* z */
    {oooXX, ooXoo, ooXoo, oXooo, ooXoo, ooXoo, oooXX, ooooo}, /* { */
    {ooXoo, ooXoo, ooXoo, ooXoo, ooXoo, ooXoo, ooXoo, ooooo}, /* | */
    {XXooo, ooXoo, ooXoo, oooXo, ooXoo, ooXoo, XXooo, ooooo}, /* } */
    {ooooo, oXooo, XoXoX, oooXo, ooooo, ooooo, ooooo, ooooo}, /* ~ */
};
/* clang-format on */
