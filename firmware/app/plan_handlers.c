/* Commands that load a plan. */
#include <string.h>

#include "../port/port.h"
#include "handlers.h"
#include "receive.h"

static const struct pool *largest_pool(const struct session *session) {
    return &session->pools.at[session->pools.largest];
}

enum status handle_PLAN_BEGIN(struct session *session, const struct request *request, struct reply *reply) {
    const enum status status = expect_length(request, 4, reply);
    if (status != STATUS_OK) return status;
    const uint32_t total_bytes = load_u32(request->payload);
    session_drop_plan(session);
    session->expected_bytes = 0;
    session->held_bytes = 0;
    const uint32_t available = largest_pool(session)->bytes;
    if (total_bytes > available) return refuse(reply, STATUS_PLAN_TOO_LARGE, 0, total_bytes, available);
    session->expected_bytes = total_bytes;
    return STATUS_OK;
}

enum status handle_PLAN_DATA(struct session *session, const struct request *request, struct reply *reply) {
    if (request->length < 4) return refuse(reply, STATUS_BAD_LENGTH, 0, 4, request->length);
    const uint32_t offset = load_u32(request->payload);
    const uint32_t bytes = request->length - 4;
    if (session->expected_bytes == 0 || session->place != PLAN_NOWHERE)
        return refuse(reply, STATUS_BAD_SEQUENCE, 0, 0, 0);
    if (offset > session->held_bytes)
        return refuse(reply, STATUS_BAD_SEQUENCE, 0, offset, session->held_bytes);
    if (bytes > session->expected_bytes - offset)
        return refuse(reply, STATUS_OUT_OF_RANGE, 0, offset + bytes, session->expected_bytes);
    memcpy(largest_pool(session)->base + offset, request->payload + 4, bytes);
    if (offset + bytes > session->held_bytes) session->held_bytes = offset + bytes;
    return STATUS_OK;
}

struct plan_summary {
    uint32_t crc32;
    uint32_t total_bytes;
    uint32_t arena_bytes;
    uint16_t tensor_count;
    uint16_t step_count;
    uint16_t inputs_survive;
    uint16_t arena_pool;
    uint32_t rx_window_bytes;
};

static enum status use_plan(struct session *session, const uint8_t *base, uint32_t bytes,
                            enum plan_place place, struct reply *reply) {
    const enum status status = session_use_plan(session, base, bytes, place, &reply->error);
    if (status != STATUS_OK) return status;
    const struct plan_header *h = session->plan.header;
    const struct plan_summary summary = {
        .crc32 = h->crc32,
        .total_bytes = h->total_bytes,
        .arena_bytes = h->arena_bytes,
        .tensor_count = h->tensor_count,
        .step_count = h->step_count,
        .inputs_survive = plan_inputs_survive(&session->plan),
        .arena_pool = (uint16_t)session->arena_pool,
        .rx_window_bytes = RX_WINDOW(session_widen_ring(session)),
    };
    memcpy(reply->buffer, &summary, sizeof summary);
    reply->payload = reply->buffer;
    reply->length = sizeof summary;
    return STATUS_OK;
}

enum status handle_PLAN_COMMIT(struct session *session, const struct request *request, struct reply *reply) {
    const enum status status = expect_length(request, 0, reply);
    if (status != STATUS_OK) return status;
    if (session->expected_bytes == 0 || session->held_bytes < session->expected_bytes)
        return refuse(reply, STATUS_PLAN_INCOMPLETE, 0, session->expected_bytes, session->held_bytes);
    return use_plan(session, largest_pool(session)->base, session->held_bytes, PLAN_IN_RAM, reply);
}

enum status handle_PLAN_SELECT_FLASH(struct session *session, const struct request *request,
                                     struct reply *reply) {
    const enum status status = expect_length(request, 0, reply);
    if (status != STATUS_OK) return status;
    uint32_t region_bytes;
    const uint8_t *region = port_flash_plan(&region_bytes);
    session_drop_plan(session);
    session->expected_bytes = 0;
    if (region_bytes < sizeof(struct plan_header) || load_u32(region) != PLAN_MAGIC)
        return refuse(reply, STATUS_NO_FLASH_PLAN, 0, 0, region_bytes);
    return use_plan(session, region, region_bytes, PLAN_IN_FLASH, reply);
}
