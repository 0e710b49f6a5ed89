#include "send.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "../port/port.h"
#include "../runtime/plan.h"
#include "build_info.h"

#define FIRST_PROTOCOL_VERSION 1

static void to_port(void *context, const uint8_t *bytes, uint32_t count) {
    (void)context;
    port_write(bytes, count);
}

static bool text_was_last;

void send_text(const char *text, uint32_t count) {
    text_was_last = true;
    port_write((const uint8_t *)text, count);
}

static void send(const struct frame_header *header, const void *payload) {
    static struct frame_encoder encoder;
    if (text_was_last) port_write(&(const uint8_t){0}, 1);
    text_was_last = false;
    frame_begin(&encoder, to_port, NULL, header);
    frame_append(&encoder, payload, header->length);
    frame_end(&encoder);
}

void send_frame(enum frame_kind kind, uint32_t command, enum status status, uint16_t sequence,
                const void *payload, uint32_t length) {
    const struct frame_header header = {
        .version = PROTOCOL_VERSION,
        .kind = (uint8_t)kind,
        .command = (uint8_t)command,
        .status = (uint8_t)status,
        .sequence = sequence,
        .length = (uint16_t)length,
    };
    send(&header, payload);
}

void send_bad_version(uint32_t command, uint16_t sequence) {
    /* PROTOCOL.md: the first 16 bytes of HELLO's response, which never change */
    struct {
        uint16_t protocol_version;
        uint16_t plan_version;
        uint8_t build_hash[BUILD_HASH_BYTES];
        uint32_t clock_hz;
    } payload = {
        .protocol_version = PROTOCOL_VERSION, .plan_version = PLAN_VERSION, .clock_hz = port_info().clock_hz};
    memcpy(payload.build_hash, build_hash, sizeof payload.build_hash);
    const struct frame_header header = {
        .version = FIRST_PROTOCOL_VERSION,
        .kind = FRAME_RESPONSE,
        .command = (uint8_t)command,
        .status = STATUS_BAD_VERSION,
        .sequence = sequence,
        .length = sizeof payload,
    };
    send(&header, &payload);
}
