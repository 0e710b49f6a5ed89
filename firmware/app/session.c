#include "session.h"

#include <string.h>

#include "../port/port.h"

#define ARENA_ALIGN 8u

void session_init(struct session *session) {
    *session = (struct session){0};
    session->pool = port_pool(&session->pool_bytes);
}

void session_drop_plan(struct session *session) {
    session->place = PLAN_NOWHERE;
    session->steps_done = 0;
    session->run_kept = false;
    memset(session->input_marks, 0, sizeof session->input_marks);
}

enum status session_use_plan(struct session *session, const uint8_t *base, uint32_t bytes,
                             enum plan_place place, struct plan_error *error) {
    session_drop_plan(session);
    /* The number of steps is not checked yet: one that is too large is refused by plan_open(). */
    uint32_t steps = 0;
    if (bytes >= sizeof(struct plan_header))
        steps = ((const struct plan_header *)(const void *)base)->step_count;
    if (steps > PLAN_MAX_STEPS) steps = PLAN_MAX_STEPS;
    const uint32_t counts_offset = place == PLAN_IN_RAM ? (bytes + 3u) & ~3u : 0;
    const uint32_t counts_bytes = steps * (uint32_t)sizeof *session->counts;
    const uint32_t arena_offset = (counts_offset + counts_bytes + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1);
    if (arena_offset > session->pool_bytes) {
        *error = (struct plan_error){PLAN_FIELD_none, 0, arena_offset, session->pool_bytes};
        return STATUS_PLAN_TOO_LARGE;
    }
    const enum status status = plan_open(&session->plan, base, bytes, session->pool + arena_offset,
                                         session->pool_bytes - arena_offset, error);
    if (status != STATUS_OK) return status;
    session->counts = (void *)(session->pool + counts_offset);
    memset(session->counts, 0, counts_bytes);
    session->place = place;
    return STATUS_OK;
}

uint32_t session_input_of(const struct session *session, uint32_t tensor) {
    for (uint32_t i = 0; i < session->plan.header->input_count; i++)
        if (session->plan.inputs[i] == tensor) return i;
    return PLAN_MAX_IO;
}

void session_begin_input(struct session *session) {
    if (session->steps_done == 0) return;
    for (uint32_t i = 0; i < session->plan.header->input_count; i++)
        if (!plan_tensor_alive(&session->plan, session->plan.inputs[i], session->steps_done))
            session->input_marks[i] = 0;
    session->steps_done = 0;
}

bool session_inputs_ready(const struct session *session, uint32_t *missing) {
    for (uint32_t i = 0; i < session->plan.header->input_count; i++) {
        *missing = session->plan.inputs[i];
        if (session->input_marks[i] < session->plan.tensors[*missing].bytes) return false;
        if (!plan_tensor_alive(&session->plan, *missing, session->steps_done)) return false;
    }
    return true;
}
