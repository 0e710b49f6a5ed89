/* Frames of the link: bytes in, bytes out, no I/O. PROTOCOL.md has the format.
 *
 * A body is header (8 bytes), payload, CRC-32; on the wire it is COBS-stuffed and ends with a zero. Both directions stream: the
 * decoder unstuffs into one buffer that the caller owns, the encoder keeps at most one COBS block (255 bytes).
 */
#ifndef TINYCONV_FRAME_H
#define TINYCONV_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#ifndef PROTOCOL_VERSION
    #define PROTOCOL_VERSION 4 /* tests of a mismatch build with another one */
#endif

#define FRAME_HEADER_BYTES   8u
#define FRAME_CRC_BYTES      4u
#define FRAME_OVERHEAD_BYTES (FRAME_HEADER_BYTES + FRAME_CRC_BYTES)

enum frame_kind { FRAME_REQUEST = 0, FRAME_RESPONSE = 1, FRAME_PROGRESS = 2 };

struct frame_header {
    uint8_t version;
    uint8_t kind; /* enum frame_kind */
    uint8_t command;
    uint8_t status;
    uint16_t sequence;
    uint16_t length; /* of the payload, in bytes */
};

enum frame_event {
    FRAME_NOTHING, /* more bytes are needed */
    FRAME_ENDED,   /* a body lies in the buffer, its checksum not yet looked at */
    FRAME_DAMAGED, /* a frame ended that was too long or wrongly stuffed */
};

struct frame_decoder {
    uint8_t *body;
    uint32_t capacity;   /* of body, in bytes */
    uint32_t length;     /* bytes of body so far; after FRAME_ENDED all of it, until the next call */
    uint32_t block_left; /* bytes until the next code byte */
    bool zero_due;       /* the block stood for a zero, which a further block brings into being */
    bool in_frame;       /* a byte other than zero has been seen since the last zero */
    bool damaged;
    bool joined; /* the first zero has been seen */
};

/* Starts by dropping everything up to the first zero. */
void frame_decoder_init(struct frame_decoder *decoder, void *body, uint32_t capacity);

/* Takes bytes up to the end of a frame or of the bytes; returns how many. Never writes past body[capacity - 1]. */
uint32_t frame_decode(struct frame_decoder *decoder, const uint8_t *bytes, uint32_t count,
                      enum frame_event *event);

/* Drops what came since the last zero: it was no frame. */
void frame_decoder_forget(struct frame_decoder *decoder);

/* Whether length and checksum of a body are right; the header is then in *header, and the payload after it in the body. */
bool frame_check(const uint8_t *body, uint32_t length, struct frame_header *header);

/* Takes the bytes on their way to the wire. */
typedef void frame_sink(void *context, const uint8_t *bytes, uint32_t count);

struct frame_encoder {
    frame_sink *sink;
    void *context;
    uint32_t crc;
    uint32_t fill;      /* bytes in the block, its code byte not counted */
    uint8_t block[255]; /* code byte and at most 254 others */
};

/* One frame: begin, append header->length payload bytes in any pieces, end. */
void frame_begin(struct frame_encoder *encoder, frame_sink *sink, void *context,
                 const struct frame_header *header);
void frame_append(struct frame_encoder *encoder, const void *bytes, uint32_t count);
void frame_end(struct frame_encoder *encoder);

#endif
