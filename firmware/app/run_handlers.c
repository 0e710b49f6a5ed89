/* Commands that run steps and tell what they cost. */
#include <string.h>

#include "../port/port.h"
#include "guards.h"
#include "handlers.h"
#include "receive.h"
#include "send.h"

/* A host waits 2 s for a sign of life; on a clock that fell back to a tenth this is still enough. */
#define PROGRESS_PER_SECOND 4u

struct run_request {
    uint32_t first;
    uint32_t steps;
    uint32_t runs;
};

struct progress {
    uint32_t runs_done;
    uint32_t step;
};

/* Runs what the checked request asks for; between steps, outside of what is counted, it sends progress and looks out for a new host.
 * If there is one, or in a debug build if the step wrote outside the arena, the run ends where it is. */
static enum status run_steps(struct session *session, const struct run_request *run, uint16_t sequence) {
    struct run_response *response = &session->run_response;
    struct lookout lookout;
    lookout_init(&lookout);
    const uint32_t interval = port_info().clock_hz / PROGRESS_PER_SECOND;
    uint32_t last_progress = port_counter();
    *response = (struct run_response){.runs = run->runs};
    for (uint32_t runs_done = 0; runs_done < run->runs; runs_done++) {
        for (uint32_t step = run->first; step < run->first + run->steps; step++) {
            const uint32_t begin = port_counter();
            plan_run_step(&session->plan, step);
            const uint32_t end = port_counter();
            port_feed();
            session->counts[step] = end - begin;
            response->count += end - begin;
            session->steps_done = step + 1;
            if (!guards_intact(&session->plan)) return STATUS_MEMORY_OVERWRITTEN;
            if (lookout_new_host(&lookout, session)) return STATUS_RUN_ABANDONED;
            if (interval == 0 || end - last_progress < interval) continue;
            const struct progress progress = {runs_done, step + 1};
            send_frame(FRAME_PROGRESS, COMMAND_RUN, STATUS_OK, sequence, &progress, sizeof progress);
            last_progress = port_counter();
        }
    }
    response->steps_done = run->first + run->steps;
    return STATUS_OK;
}

static enum status check_run(struct session *session, const struct run_request *run, struct reply *reply) {
    const uint32_t step_count = session->plan.header->step_count;
    if (run->first >= step_count || run->steps > step_count - run->first)
        return refuse(reply, STATUS_OUT_OF_RANGE, 0, run->first + run->steps, step_count);
    if (run->runs == 0) return refuse(reply, STATUS_OUT_OF_RANGE, 0, 1, 0);
    if (run->runs > 1) {
        if (run->first != 0 || run->steps != step_count)
            return refuse(reply, STATUS_BAD_SEQUENCE, 0, step_count, run->steps);
        if (!plan_inputs_survive(&session->plan))
            return refuse(reply, STATUS_INPUT_CONSUMED, 0, run->runs, 1);
    }
    if (run->first != 0) {
        if (run->first == session->steps_done) return STATUS_OK;
        return refuse(reply, STATUS_BAD_SEQUENCE, 0, run->first, session->steps_done);
    }
    uint32_t missing;
    if (!session_inputs_ready(session, &missing)) return refuse(reply, STATUS_INPUT_MISSING, missing, 0, 0);
    return STATUS_OK;
}

enum status handle_RUN(struct session *session, const struct request *request, struct reply *reply) {
    enum status status = expect_length(request, 8, reply);
    if (status != STATUS_OK) return status;
    if (session->place == PLAN_NOWHERE) return refuse(reply, STATUS_NO_PLAN, 0, 0, 0);
    reply->payload = &session->run_response;
    reply->length = sizeof session->run_response;
    if (session->run_kept && session->run_sequence == request->sequence) return STATUS_OK;

    struct run_request run = {
        .first = load_u16(request->payload),
        .steps = load_u16(request->payload + 2),
        .runs = load_u32(request->payload + 4),
    };
    if (run.steps == 0 && run.first < session->plan.header->step_count)
        run.steps = session->plan.header->step_count - run.first;
    status = check_run(session, &run, reply);
    if (status != STATUS_OK) return status;

    session->run_kept = false;
    status = run_steps(session, &run, request->sequence);
    if (status != STATUS_OK) return refuse(reply, status, session->steps_done - 1, 0, 0);
    session->run_sequence = request->sequence;
    session->run_kept = true;
    return STATUS_OK;
}

enum status handle_COUNTS(struct session *session, const struct request *request, struct reply *reply) {
    const enum status status = expect_length(request, 4, reply);
    if (status != STATUS_OK) return status;
    if (session->place == PLAN_NOWHERE) return refuse(reply, STATUS_NO_PLAN, 0, 0, 0);
    const uint32_t first = load_u16(request->payload);
    const uint32_t steps = load_u16(request->payload + 2);
    const uint32_t step_count = session->plan.header->step_count;
    if (first > step_count || steps > step_count - first)
        return refuse(reply, STATUS_OUT_OF_RANGE, 0, first + steps, step_count);
    const uint32_t bytes = steps * (uint32_t)sizeof *session->counts;
    if (bytes > MAX_PAYLOAD_BYTES) return refuse(reply, STATUS_OUT_OF_RANGE, 0, bytes, MAX_PAYLOAD_BYTES);
    reply->payload = session->counts + first;
    reply->length = bytes;
    return STATUS_OK;
}
