#include "network.h"

#include <stddef.h>
#include <string.h>

#include "../../port/port.h"
#include "../demo/block.h"

#define SIGNS 0x80808080u /* of four elements */

static const struct plan_tensor *input_of(const struct session *session) {
    return &session->plan.tensors[session->plan.inputs[0]];
}

static const int8_t *output_of(const struct session *session) {
    return (const int8_t *)plan_tensor_data(&session->plan, session->plan.outputs[0]);
}

void mlperf_network_find(struct mlperf_network *network, struct session *session) {
    *network = (struct mlperf_network){0};
    uint32_t bytes;
    const uint8_t *region = port_flash_plan(&bytes);
    const uint32_t offset = demo_block_offset(region, bytes); /* the same place: a plan has one of them */
    if (bytes - offset < sizeof *network->block) return;
    const struct mlperf_block *block = (const void *)(region + offset);
    if (block->magic != MLPERF_MAGIC) return;
    struct plan_error error;
    network->plan_refused = session_use_plan(session, region, bytes, PLAN_IN_FLASH, &error) != STATUS_OK;
    if (!network->plan_refused) {
        network->wrong = mlperf_block_open(region + offset, bytes - offset, &session->plan);
        if (network->wrong == MLPERF_FIELD_NONE) network->block = block;
    }
    session_drop_plan(session);
}

const char *mlperf_network_open(struct mlperf_network *network, struct session *session) {
    session->greeted = false;
    if (network->buffer != NULL && network->plan_number == session->plan_number) return NULL;
    network->buffer = NULL;
    network->expected = network->loaded = 0;
    session->expected_bytes = 0;
    uint32_t bytes;
    const uint8_t *region = port_flash_plan(&bytes);
    struct plan_error error;
    if (session_use_plan(session, region, bytes, PLAN_IN_FLASH, &error) != STATUS_OK)
        return "The plan in flash is refused; host run tells why";
    const uint32_t elems = input_of(session)->bytes;
    network->raw_bytes = mlperf_raw_bytes(network->block, elems);
    const uint32_t needed =
        network->raw_bytes + (network->block->input_kind == MLPERF_INPUT_FLOAT32 ? elems : 0);
    const struct pool spare = session_spare(session);
    if (spare.bytes < needed) {
        session_drop_plan(session);
        return "The plan leaves too little RAM for an input";
    }
    network->buffer = spare.base;
    network->plan_number = session->plan_number;
    return NULL;
}

bool mlperf_network_loaded(const struct mlperf_network *network, const struct session *session) {
    return network->buffer != NULL && network->plan_number == session->plan_number &&
           network->loaded == network->raw_bytes;
}

/* As the benchmark's QuantizeFloatToInt8: halves away from zero, then clamped. */
static int8_t quantise(float value, float scale, int32_t zero_point) {
    const float steps = value / scale;
    if (steps >= 512.0f) return INT8_MAX;
    if (steps <= -512.0f) return INT8_MIN;
    int32_t whole = (int32_t)steps;
    const float rest = steps - (float)whole; /* exact */
    if (rest >= 0.5f) whole++;
    if (rest <= -0.5f) whole--;
    const int32_t quantised = whole + zero_point;
    return (int8_t)(quantised < INT8_MIN ? INT8_MIN : quantised > INT8_MAX ? INT8_MAX : quantised);
}

static float dequantise(int8_t value, float scale, int32_t zero_point) {
    return scale * (float)(value - zero_point);
}

static float raw_float(const struct mlperf_network *network, uint32_t index) {
    float value;
    memcpy(&value, network->buffer + index * sizeof value, sizeof value);
    return value;
}

bool mlperf_network_prepare(struct mlperf_network *network, const struct session *session) {
    const struct mlperf_block *block = network->block;
    if (block->input_kind != MLPERF_INPUT_FLOAT32) return true;
    int8_t *elems = (int8_t *)network->buffer + network->raw_bytes;
    for (uint32_t i = 0; i < input_of(session)->bytes; i++) {
        const float value = raw_float(network, i);
        if (value - value != 0.0f) return false; /* a NaN or an infinity */
        elems[i] = quantise(value, block->input_scale, block->input_zero_point);
    }
    return true;
}

/* Minus 128: the sign bit turned round. */
static void copy_turning_signs(uint8_t *to, const uint8_t *from, uint32_t count) {
    uint32_t four, i = 0;
    for (; i + sizeof four <= count; i += (uint32_t)sizeof four) {
        memcpy(&four, from + i, sizeof four);
        four ^= SIGNS;
        memcpy(to + i, &four, sizeof four);
    }
    for (; i < count; i++) to[i] = from[i] ^ (SIGNS & 0xff);
}

void mlperf_network_write_input(const struct mlperf_network *network, struct session *session) {
    const uint32_t elems = input_of(session)->bytes;
    uint8_t *to = plan_tensor_data(&session->plan, session->plan.inputs[0]);
    switch ((enum mlperf_input)network->block->input_kind) {
    case MLPERF_INPUT_UINT8:
        copy_turning_signs(to, network->buffer, elems);
        break;
    case MLPERF_INPUT_FLOAT32:
        memcpy(to, network->buffer + network->raw_bytes, elems);
        break;
    default:
        memcpy(to, network->buffer, elems);
    }
    session->greeted = false;
    session->input_marks[0] = elems;
    session->steps_done = 0;
    session->run_kept = false;
}

bool mlperf_network_infer(struct session *session, bool (*go_on)(struct session *session)) {
    const uint32_t step_count = session->plan.header->step_count;
    for (uint32_t step = 0; step < step_count; step++) {
        plan_run_step(&session->plan, step);
        session->steps_done = step + 1;
        port_feed();
        if (!go_on(session)) return false;
    }
    return true;
}

void mlperf_network_keep_result(struct mlperf_network *network, const struct session *session) {
    const struct mlperf_block *block = network->block;
    const int8_t *output = output_of(session);
    const uint32_t elems = session->plan.tensors[session->plan.outputs[0]].bytes;
    network->has_result = true;
    if (block->result_kind == MLPERF_RESULT_SCORES) {
        network->score_count = elems;
        memcpy(network->scores, output, elems);
        return;
    }
    float sum = 0.0f;
    for (uint32_t i = 0; i < elems; i++) {
        const float difference =
            dequantise(output[i], block->output_scale, block->output_zero_point) - raw_float(network, i);
        sum += difference * difference;
    }
    network->squared_error = sum / (float)elems;
}
