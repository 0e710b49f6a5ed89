#include "session.h"

#include <string.h>

#include "../port/port.h"
#include "guards.h"

#define ARENA_ALIGN    8u
#define MAX_RING_BYTES 65536u

void session_init(struct session *session) {
    *session = (struct session){0};
    session->pools = pools_of_port();
}

void session_drop_plan(struct session *session) {
    port_keep_received(NULL, 0); /* what the plan left free may be needed */
    session->place = PLAN_NOWHERE;
    session->plan_number++;
    session->steps_done = 0;
    session->run_kept = false;
    memset(session->input_marks, 0, sizeof session->input_marks);
}

enum status session_use_plan(struct session *session, const uint8_t *base, uint32_t bytes,
                             enum plan_place place, struct plan_error *error) {
    session_drop_plan(session);
    /* Numbers of steps and bytes are not checked yet: plan_open() refuses what is too large. */
    uint32_t steps = 0;
    uint64_t needed = 0;
    if (bytes >= sizeof(struct plan_header)) {
        const struct plan_header *header = (const void *)base;
        steps = header->step_count < PLAN_MAX_STEPS ? header->step_count : PLAN_MAX_STEPS;
        needed = (uint64_t)header->arena_bytes + header->copy_bytes;
    }
    const struct pools *pools = &session->pools;
    const struct pool *largest = &pools->at[pools->largest];
    const uint32_t counts_offset = place == PLAN_IN_RAM ? (bytes + 3u) & ~3u : 0;
    const uint32_t counts_bytes = steps * (uint32_t)sizeof *session->counts;
    const uint32_t taken_bytes = (counts_offset + counts_bytes + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1);
    if (taken_bytes > largest->bytes) {
        *error = (struct plan_error){PLAN_FIELD_none, 0, taken_bytes, largest->bytes};
        return STATUS_PLAN_TOO_LARGE;
    }
    session->arena_pool = pools_place(pools, needed + 2 * GUARD_BYTES, taken_bytes);
    const struct pool *pool = &pools->at[session->arena_pool];
    const uint32_t arena_offset = (pool == largest ? taken_bytes : 0) + GUARD_BYTES;
    const uint32_t around = arena_offset + GUARD_BYTES;
    const uint32_t arena_room = around < pool->bytes ? pool->bytes - around : 0;
    const enum status status =
        plan_open(&session->plan, base, bytes, pool->base + arena_offset, arena_room, error);
    if (status != STATUS_OK) return status;
    session->counts = (void *)(largest->base + counts_offset);
    memset(session->counts, 0, counts_bytes);
    session->place = place;
    guards_set(&session->plan);
    return STATUS_OK;
}

/* What is left of a pool behind `end`, which lies in it. */
static struct pool rest_of(const struct pool *pool, const uint8_t *end) {
    const uint32_t used = ((uint32_t)(end - pool->base) + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1);
    return used < pool->bytes ? (struct pool){pool->base + used, pool->bytes - used} : (struct pool){0};
}

struct pool session_spare(const struct session *session) {
    const struct plan *plan = &session->plan;
    const struct pools *pools = &session->pools;
    struct pool spare = {0};
    for (uint32_t i = 0; i < pools->count; i++) {
        const struct pool *pool = &pools->at[i];
        const uint8_t *end = pool->base;
        if (i == pools->largest) end = (const uint8_t *)(session->counts + plan->header->step_count);
        if (i == session->arena_pool) end = guards_end(plan) + GUARD_BYTES;
        const struct pool rest = rest_of(pool, end);
        if (rest.bytes > spare.bytes) spare = rest;
    }
    return spare;
}

uint32_t session_widen_ring(const struct session *session) {
    const struct pool spare = session_spare(session);
    uint32_t bytes = PORT_RX_RING_BYTES;
    while (bytes < MAX_RING_BYTES && 2 * bytes <= spare.bytes) bytes *= 2;
    if (bytes > PORT_RX_RING_BYTES) port_keep_received(spare.base, bytes);
    return bytes;
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
