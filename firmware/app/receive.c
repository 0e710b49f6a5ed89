#include "receive.h"

#include <stdalign.h>
#include <stddef.h>

#include "../link/frame.h"
#include "../port/port.h"
#include "handlers.h"
#include "send.h"

#define BODY_BYTES (FRAME_OVERHEAD_BYTES + MAX_PAYLOAD_BYTES)

static void answer(struct session *session, uint8_t *body, uint32_t length) {
    struct frame_header header;
    if (!frame_check(body, length, &header)) {
        send_frame(FRAME_RESPONSE, 0, STATUS_BAD_FRAME, 0, &(struct plan_error){0},
                   sizeof(struct plan_error));
        return;
    }
    if (header.kind != FRAME_REQUEST) return; /* our own frames, come back over a looped line */
    if (header.version != PROTOCOL_VERSION) {
        send_bad_version(header.command, header.sequence);
        return;
    }
    const struct request request = {body + FRAME_HEADER_BYTES, header.length, header.sequence};
    struct reply reply = {.buffer = body + FRAME_HEADER_BYTES, .payload = &reply.error};
    const enum status status = handle_request(session, header.command, &request, &reply);
    if (status != STATUS_OK) {
        reply.payload = &reply.error;
        reply.length = sizeof reply.error;
    }
    send_frame(FRAME_RESPONSE, header.command, status, header.sequence, reply.payload, reply.length);
}

void receive_bytes(struct session *session, const uint8_t *bytes, uint32_t count) {
    static alignas(4) uint8_t body[BODY_BYTES];
    static struct frame_decoder decoder;
    if (decoder.body == NULL) frame_decoder_init(&decoder, body, sizeof body);

    uint32_t taken = 0;
    while (taken < count) {
        enum frame_event event;
        taken += frame_decode(&decoder, bytes + taken, count - taken, &event);
        if (event == FRAME_ENDED) answer(session, body, decoder.length);
        if (event == FRAME_DAMAGED) answer(session, body, 0);
        if (session->reset_requested) return;
    }
}

void receive(struct session *session) {
    uint8_t piece[64];
    uint32_t count;
    while (!session->reset_requested && (count = port_read(piece, sizeof piece)) > 0)
        receive_bytes(session, piece, count);
}
