#include "receive.h"

#include <stdalign.h>
#include <stddef.h>

#include "../link/frame.h"
#include "../port/port.h"
#include "handlers.h"
#include "mlperf/mlperf.h"
#include "send.h"

#define BODY_BYTES (FRAME_OVERHEAD_BYTES + MAX_PAYLOAD_BYTES)

/* How far a request's number may be ahead of the newest: a host that gives up loses some, never so many. */
#define MAX_SEQUENCE_LEAD 1024u

/* Whether the line held the request back or doubled it, so that later ones were worked off before. RUN alone is repeated under its
 * number, and answered from memory then. */
static bool is_stale(const struct session *session, const struct request *request) {
    if (!session->greeted) return false; /* refused */
    const uint16_t lead = (uint16_t)(request->sequence - session->newest_sequence);
    if (lead == 0) return !session->run_kept || session->run_sequence != request->sequence;
    return lead > MAX_SEQUENCE_LEAD;
}

/* The same for HELLO: its conversation has ended, or its repetition was answered already. */
static bool hello_is_stale(const struct session *session, const struct request *request) {
    if (!session->greeted || request->length != 4) return false;
    const uint32_t number = load_u32(request->payload);
    if (number != session->number) return session->greeted_before && number == session->previous_number;
    return (uint16_t)(request->sequence - session->newest_sequence - 1) >= 0x8000;
}

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
    if (header.command == COMMAND_HELLO ? hello_is_stale(session, &request) : is_stale(session, &request))
        return;
    struct reply reply = {.buffer = body + FRAME_HEADER_BYTES, .payload = &reply.error};
    const enum status status = handle_request(session, header.command, &request, &reply);
    if (status != STATUS_OK) {
        reply.payload = &reply.error;
        reply.length = sizeof reply.error;
    }
    send_frame(FRAME_RESPONSE, header.command, status, header.sequence, reply.payload, reply.length);
    if (header.command == COMMAND_HELLO && status == STATUS_OK) mlperf_leave_energy_mode();
}

static alignas(4) uint8_t body[BODY_BYTES];
static struct frame_decoder decoder;
static struct command_line command_line;

/* Feeds the decoders up to the end of a frame or of a text command; returns how many bytes they took. What *event or
 * command_line.ended say has ended is due to be answered. */
static uint32_t decode(const uint8_t *bytes, uint32_t count, enum frame_event *event) {
    if (decoder.body == NULL) frame_decoder_init(&decoder, body, sizeof body);
    return frame_decode(&decoder, bytes, command_line_take(&command_line, bytes, count), event);
}

static void answer_event(struct session *session, enum frame_event event) {
    if (event == FRAME_ENDED) answer(session, body, decoder.length);
    if (event == FRAME_DAMAGED) answer(session, body, 0);
    if (command_line.ended) {
        frame_decoder_forget(&decoder);
        mlperf_command(session, &command_line);
    }
}

void receive_byte(struct session *session, uint8_t byte) {
    enum frame_event event;
    decode(&byte, 1, &event);
    answer_event(session, event);
}

/* Bytes stay in the port until they are decoded, so that a lookout sees all that is behind the request. */
void receive(struct session *session) {
    uint8_t piece[64];
    uint32_t count;
    while (!session->reset_requested && (count = port_peek(0, piece, sizeof piece)) > 0) {
        enum frame_event event;
        const uint32_t taken = decode(piece, count, &event);
        port_read(piece, taken);
        port_feed();
        answer_event(session, event);
    }
}

void lookout_init(struct lookout *lookout) {
    lookout->seen = 0;
    frame_decoder_init(&lookout->decoder, lookout->body, sizeof lookout->body);
    lookout->decoder.joined = true;
}

static bool is_new_host(const struct lookout *lookout, const struct session *session) {
    struct frame_header header;
    if (!frame_check(lookout->body, lookout->decoder.length, &header)) return false;
    const struct request request = {lookout->body + FRAME_HEADER_BYTES, header.length, header.sequence};
    return header.kind == FRAME_REQUEST && header.command == COMMAND_HELLO && header.length == 4 &&
           load_u32(request.payload) != session->number && !hello_is_stale(session, &request);
}

bool lookout_new_host(struct lookout *lookout, const struct session *session) {
    uint8_t piece[64];
    uint32_t count;
    while ((count = port_peek(lookout->seen, piece, sizeof piece)) > 0) {
        enum frame_event event;
        lookout->seen += frame_decode(&lookout->decoder, piece, count, &event);
        if (event == FRAME_ENDED && is_new_host(lookout, session)) return true;
    }
    return false;
}
