/* Commands that move tensors. */
#include <string.h>

#include "handlers.h"

/* A range inside a tensor, as both commands begin: u16 tensor, u16 0, u32 offset. */
#define TENSOR_HEADER_BYTES 8u

static enum status check_range(const struct session *session, uint32_t tensor, uint32_t offset,
                               uint32_t bytes, struct reply *reply) {
    if (tensor >= session->plan.header->tensor_count)
        return refuse(reply, STATUS_OUT_OF_RANGE, tensor, tensor, session->plan.header->tensor_count);
    const uint32_t available = session->plan.tensors[tensor].bytes;
    if (offset > available || bytes > available - offset)
        return refuse(reply, STATUS_OUT_OF_RANGE, tensor, offset + bytes, available);
    return STATUS_OK;
}

enum status handle_TENSOR_WRITE(struct session *session, const struct request *request, struct reply *reply) {
    if (request->length < TENSOR_HEADER_BYTES)
        return refuse(reply, STATUS_BAD_LENGTH, 0, TENSOR_HEADER_BYTES, request->length);
    if (session->place == PLAN_NOWHERE) return refuse(reply, STATUS_NO_PLAN, 0, 0, 0);
    const uint32_t tensor = load_u16(request->payload);
    const uint32_t offset = load_u32(request->payload + 4);
    const uint32_t bytes = request->length - TENSOR_HEADER_BYTES;
    const enum status status = check_range(session, tensor, offset, bytes, reply);
    if (status != STATUS_OK) return status;
    const uint32_t input = session_input_of(session, tensor);
    if (input == PLAN_MAX_IO) return refuse(reply, STATUS_OUT_OF_RANGE, tensor, 0, 0);
    session_begin_input(session);
    if (offset > session->input_marks[input])
        return refuse(reply, STATUS_BAD_SEQUENCE, tensor, offset, session->input_marks[input]);
    memcpy(plan_tensor_data(&session->plan, tensor) + offset, request->payload + TENSOR_HEADER_BYTES, bytes);
    if (offset + bytes > session->input_marks[input]) session->input_marks[input] = offset + bytes;
    return STATUS_OK;
}

/* An input is alive from its first byte to its last only when all of it was written. */
static bool tensor_alive(const struct session *session, uint32_t tensor) {
    const uint32_t input = session_input_of(session, tensor);
    if (input != PLAN_MAX_IO && session->input_marks[input] < session->plan.tensors[tensor].bytes)
        return false;
    return plan_tensor_alive(&session->plan, tensor, session->steps_done);
}

enum status handle_TENSOR_READ(struct session *session, const struct request *request, struct reply *reply) {
    enum status status = expect_length(request, TENSOR_HEADER_BYTES + 4, reply);
    if (status != STATUS_OK) return status;
    if (session->place == PLAN_NOWHERE) return refuse(reply, STATUS_NO_PLAN, 0, 0, 0);
    const uint32_t tensor = load_u16(request->payload);
    const uint32_t offset = load_u32(request->payload + 4);
    const uint32_t bytes = load_u32(request->payload + 8);
    if (bytes > MAX_PAYLOAD_BYTES)
        return refuse(reply, STATUS_OUT_OF_RANGE, tensor, bytes, MAX_PAYLOAD_BYTES);
    status = check_range(session, tensor, offset, bytes, reply);
    if (status != STATUS_OK) return status;
    if (!tensor_alive(session, tensor)) return refuse(reply, STATUS_TENSOR_NOT_ALIVE, tensor, 0, 0);
    reply->payload = plan_tensor_data(&session->plan, tensor) + offset;
    reply->length = bytes;
    return STATUS_OK;
}
