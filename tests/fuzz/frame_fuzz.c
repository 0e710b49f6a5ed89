/* libFuzzer: the frame decoder on any bytes, in pieces of any size, and the encoder against it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "link/frame.h"

#define CAPACITY 300u

#define CHECK(condition)                                                                                     \
    if (!(condition)) abort()

struct wire {
    uint8_t *bytes;
    size_t count;
};

static void to_wire(void *context, const uint8_t *bytes, uint32_t count) {
    struct wire *wire = context;
    memcpy(wire->bytes + wire->count, bytes, count);
    wire->count += count;
}

/* Feeds all bytes in pieces of `piece`; returns the number of frames that ended, the last header in *header. */
static uint32_t feed(struct frame_decoder *decoder, const uint8_t *bytes, size_t count, size_t piece,
                     struct frame_header *header) {
    uint32_t sound = 0;
    while (count > 0) {
        const uint32_t size = (uint32_t)(count < piece ? count : piece);
        /* a copy of exactly this size: reading past it is an error that the sanitizer sees */
        uint8_t *copy = malloc(size);
        CHECK(copy != NULL);
        memcpy(copy, bytes, size);
        uint32_t taken = 0;
        while (taken < size) {
            enum frame_event event;
            const uint32_t now = frame_decode(decoder, copy + taken, size - taken, &event);
            CHECK(now > 0 && now <= size - taken);
            CHECK(decoder->length <= decoder->capacity);
            taken += now;
            if (event == FRAME_ENDED && frame_check(decoder->body, decoder->length, header)) sound++;
        }
        free(copy);
        bytes += size;
        count -= size;
    }
    return sound;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 9) return 0;
    const size_t piece = data[0] % 70 + 1u;
    uint8_t *body = malloc(CAPACITY);
    CHECK(body != NULL);
    struct frame_decoder decoder;
    struct frame_header header;
    frame_decoder_init(&decoder, body, CAPACITY);
    feed(&decoder, data + 1, size - 1, piece, &header);

    /* Whatever came before, the next frame after a zero arrives, unchanged. */
    struct frame_header sent;
    memcpy(&sent, data + 1, sizeof sent);
    const size_t rest = size - 9;
    sent.length = (uint16_t)(rest < CAPACITY - FRAME_OVERHEAD_BYTES ? rest : CAPACITY - FRAME_OVERHEAD_BYTES);
    struct wire wire = {malloc(2 * CAPACITY), 1};
    CHECK(wire.bytes != NULL);
    wire.bytes[0] = 0;
    struct frame_encoder encoder;
    frame_begin(&encoder, to_wire, &wire, &sent);
    frame_append(&encoder, data + 9, sent.length);
    frame_end(&encoder);
    CHECK(memchr(wire.bytes + 1, 0, wire.count - 2) == NULL);
    feed(&decoder, wire.bytes, 1, piece, &header);
    CHECK(feed(&decoder, wire.bytes + 1, wire.count - 1, piece, &header) == 1);
    CHECK(memcmp(&header, &sent, sizeof sent) == 0);
    CHECK(memcmp(decoder.body + FRAME_HEADER_BYTES, data + 9, sent.length) == 0);
    free(wire.bytes);
    free(body);
    return 0;
}
