/* One function a line of commands.def. A handler checks its request, does the work and describes the answer; it never sends it. */
#ifndef TINYCONV_HANDLERS_H
#define TINYCONV_HANDLERS_H

#include <stdint.h>

#include "session.h"

struct request {
    const uint8_t *payload; /* 4-byte aligned */
    uint32_t length;        /* of the payload, in bytes */
    uint16_t sequence;
};

struct reply {
    uint8_t
        *buffer; /* room for MAX_PAYLOAD_BYTES, 4-byte aligned. It is the request's: read before you write */
    const void *payload; /* what to send: in the buffer or anywhere else */
    uint32_t length;
    struct plan_error error; /* sent instead if the status is an error */
};

enum command {
#define COMMAND(code, name, summary) COMMAND_##name = (code),
#include "../link/commands.def"
#undef COMMAND
};

typedef enum status handler(struct session *session, const struct request *request, struct reply *reply);

#define COMMAND(code, name, summary) handler handle_##name;
#include "../link/commands.def"
#undef COMMAND

/* Calls the command's handler; STATUS_BAD_COMMAND if there is none. */
enum status handle_request(struct session *session, uint32_t command, const struct request *request,
                           struct reply *reply);

/* An error answer with its details. */
enum status refuse(struct reply *reply, enum status status, uint32_t index, uint32_t needed,
                   uint32_t available);

/* STATUS_OK if the request has exactly so many bytes, otherwise an answer that says so. */
enum status expect_length(const struct request *request, uint32_t length, struct reply *reply);

/* Little-endian numbers at any address. */
uint16_t load_u16(const uint8_t *bytes);
uint32_t load_u32(const uint8_t *bytes);

#endif
