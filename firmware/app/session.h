/* What the device remembers between requests: the plan, how far an inference is, and what the host has been told. */
#ifndef TINYCONV_SESSION_H
#define TINYCONV_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "../runtime/plan.h"
#include "pools.h"

#define MAX_PAYLOAD_BYTES 1024u

struct run_response {
    uint64_t count; /* of all runs and steps, in the counter's unit */
    uint32_t runs;
    uint32_t steps_done;
};

enum plan_place { PLAN_NOWHERE, PLAN_IN_RAM, PLAN_IN_FLASH };

struct session {
    uint32_t number; /* the host's, from HELLO */
    uint32_t previous_number;
    bool greeted;
    bool greeted_before;      /* previous_number is one */
    uint16_t newest_sequence; /* of the requests that were worked off since HELLO */
    bool fault_forgotten;
    bool reset_requested;

    /* The largest pool begins with the plan, if it was streamed, and the counts. The arena lies in the first pool that has
     * room for it, there behind them. */
    struct pools pools;
    uint32_t arena_pool;
    uint32_t expected_bytes; /* of a streamed plan, from PLAN_BEGIN; 0 if none was begun */
    uint32_t held_bytes;

    enum plan_place place; /* of the plan in use */
    uint32_t
        plan_number; /* counts plans that were dropped: another number means that memory may hold something else */
    struct plan plan;
    uint32_t *counts; /* one a step, in the counter's unit */

    uint32_t steps_done;               /* of the current inference; its next step */
    uint32_t input_marks[PLAN_MAX_IO]; /* bytes of each input written from its start on, without gaps */

    bool run_kept; /* run_sequence and run_response are the last RUN's */
    uint16_t run_sequence;
    struct run_response run_response;
};

void session_init(struct session *session);

/* Forgets the plan in use and the inference, not the bytes in the pools. Received bytes are kept in the port's own room again. */
void session_drop_plan(struct session *session);

/* Checks a plan of at most `bytes` bytes and makes it the one in use. `place` says where it lies. */
enum status session_use_plan(struct session *session, const uint8_t *base, uint32_t bytes,
                             enum plan_place place, struct plan_error *error);

/* The largest part of the pools that a plan in use, with its counts and arena, leaves free; 8-byte aligned. */
struct pool session_spare(const struct session *session);

/* Has the port keep received bytes in the free part, if that is more room than its own: all of a next input may then arrive while an
 * inference runs. Ends with the plan. Returns the bytes that there is room for. */
uint32_t session_widen_ring(const struct session *session);

/* The place of a tensor among the plan's inputs, or PLAN_MAX_IO if it is none. */
uint32_t session_input_of(const struct session *session, uint32_t tensor);

/* Called before an input is written: after a run this begins a new inference. Inputs that the run left intact stay written. */
void session_begin_input(struct session *session);

/* Whether every input is written and intact, so that step 0 can run; if not, *missing is the first tensor that is not. */
bool session_inputs_ready(const struct session *session, uint32_t *missing);

#endif
