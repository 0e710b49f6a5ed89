/* Dispatch, the rules that hold for every command, and the commands that are about the link itself. */
#include "handlers.h"

#include <string.h>

enum status handle_request(struct session *session, uint32_t command, const struct request *request,
                           struct reply *reply) {
    if (command == COMMAND_HELLO) return handle_HELLO(session, request, reply);
    if (!session->greeted) return refuse(reply, STATUS_NO_SESSION, 0, 0, 0);
    session->newest_sequence = request->sequence;
    switch (command) {
#define COMMAND(code, name, summary)                                                                         \
    case code:                                                                                               \
        return handle_##name(session, request, reply);
#include "../link/commands.def"
#undef COMMAND
    default:
        return refuse(reply, STATUS_BAD_COMMAND, command, 0, 0);
    }
}

enum status refuse(struct reply *reply, enum status status, uint32_t index, uint32_t needed,
                   uint32_t available) {
    reply->error = (struct plan_error){PLAN_FIELD_none, index, needed, available};
    return status;
}

enum status expect_length(const struct request *request, uint32_t length, struct reply *reply) {
    if (request->length == length) return STATUS_OK;
    return refuse(reply, STATUS_BAD_LENGTH, 0, length, request->length);
}

uint16_t load_u16(const uint8_t *bytes) {
    uint16_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

uint32_t load_u32(const uint8_t *bytes) {
    uint32_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

enum status handle_PING(struct session *session, const struct request *request, struct reply *reply) {
    (void)session;
    reply->payload = request->payload;
    reply->length = request->length;
    return STATUS_OK;
}

enum status handle_RESET(struct session *session, const struct request *request, struct reply *reply) {
    const enum status status = expect_length(request, 0, reply);
    session->reset_requested = status == STATUS_OK;
    return status;
}
