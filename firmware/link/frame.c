/* COBS: Cheshire and Baker, "Consistent Overhead Byte Stuffing", IEEE/ACM Transactions on Networking 7(2), 1999. */
#include "frame.h"

#include <stddef.h>
#include <string.h>

#include "../runtime/plan.h"

#define FULL_BLOCK_BYTES 254u

void frame_decoder_init(struct frame_decoder *decoder, void *body, uint32_t capacity) {
    *decoder = (struct frame_decoder){.body = body, .capacity = capacity};
}

static void next_frame(struct frame_decoder *decoder) {
    decoder->length = 0;
    decoder->block_left = 0;
    decoder->zero_due = false;
    decoder->in_frame = false;
    decoder->damaged = false;
}

void frame_decoder_forget(struct frame_decoder *decoder) {
    next_frame(decoder);
}

static void take_code(struct frame_decoder *decoder, uint8_t code) {
    if (!decoder->in_frame) next_frame(decoder);
    decoder->in_frame = true;
    if (decoder->zero_due) {
        if (decoder->length < decoder->capacity)
            decoder->body[decoder->length++] = 0;
        else
            decoder->damaged = true;
    }
    decoder->block_left = code - 1u;
    decoder->zero_due = code != FULL_BLOCK_BYTES + 1;
}

/* Copies a run of the current block, which may not contain a zero; returns its length. */
static uint32_t take_run(struct frame_decoder *decoder, const uint8_t *bytes, uint32_t count) {
    uint32_t run = decoder->block_left < count ? decoder->block_left : count;
    const uint8_t *zero = memchr(bytes, 0, run);
    if (zero != NULL) run = (uint32_t)(zero - bytes);
    if (run > decoder->capacity - decoder->length) decoder->damaged = true;
    if (!decoder->damaged) {
        memcpy(decoder->body + decoder->length, bytes, run);
        decoder->length += run;
    }
    decoder->block_left -= run;
    return run;
}

uint32_t frame_decode(struct frame_decoder *decoder, const uint8_t *bytes, uint32_t count,
                      enum frame_event *event) {
    *event = FRAME_NOTHING;
    uint32_t taken = 0;
    while (taken < count) {
        const uint8_t byte = bytes[taken];
        if (byte == 0) {
            taken++;
            const bool ended = decoder->joined && decoder->in_frame;
            const bool sound = !decoder->damaged && decoder->block_left == 0;
            decoder->joined = true;
            decoder->in_frame = false;
            if (!ended) continue;
            *event = sound ? FRAME_ENDED : FRAME_DAMAGED;
            return taken;
        }
        if (!decoder->joined)
            taken++;
        else if (!decoder->in_frame || decoder->block_left == 0) {
            take_code(decoder, byte);
            taken++;
        } else
            taken += take_run(decoder, bytes + taken, count - taken);
    }
    return taken;
}

bool frame_check(const uint8_t *body, uint32_t length, struct frame_header *header) {
    if (length < FRAME_OVERHEAD_BYTES) return false;
    uint32_t crc;
    memcpy(&crc, body + length - FRAME_CRC_BYTES, sizeof crc);
    if (crc32_update(0, body, length - FRAME_CRC_BYTES) != crc) return false;
    memcpy(header, body, sizeof *header);
    return header->length == length - FRAME_OVERHEAD_BYTES;
}

static void flush_block(struct frame_encoder *encoder) {
    encoder->block[0] = (uint8_t)(encoder->fill + 1);
    encoder->sink(encoder->context, encoder->block, encoder->fill + 1);
    encoder->fill = 0;
}

static void stuff(struct frame_encoder *encoder, const uint8_t *bytes, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        /* late, so that a frame that ends with a full block has no empty one after it */
        if (encoder->fill == FULL_BLOCK_BYTES) flush_block(encoder);
        if (bytes[i] == 0)
            flush_block(encoder);
        else
            encoder->block[++encoder->fill] = bytes[i];
    }
}

void frame_begin(struct frame_encoder *encoder, frame_sink *sink, void *context,
                 const struct frame_header *header) {
    encoder->sink = sink;
    encoder->context = context;
    encoder->crc = 0;
    encoder->fill = 0;
    frame_append(encoder, header, sizeof *header);
}

void frame_append(struct frame_encoder *encoder, const void *bytes, uint32_t count) {
    encoder->crc = crc32_update(encoder->crc, bytes, count);
    stuff(encoder, bytes, count);
}

void frame_end(struct frame_encoder *encoder) {
    const uint32_t crc = encoder->crc;
    const uint8_t zero = 0;
    stuff(encoder, (const uint8_t *)&crc, sizeof crc);
    flush_block(encoder);
    encoder->sink(encoder->context, &zero, 1);
}
