/* The MLPerf block: what the benchmark calls the network in flash, and what its numbers mean. Format: MLPERF.md.
 *
 * mlperf_block_open() checks everything once; whoever got MLPERF_FIELD_NONE may trust the block.
 */
#ifndef TINYCONV_MLPERF_BLOCK_H
#define TINYCONV_MLPERF_BLOCK_H

#include <stdint.h>

#include "../../runtime/plan.h"

#define MLPERF_MAGIC       0x4c4d4354u /* "TCML" */
#define MLPERF_VERSION     1u
#define MLPERF_MODEL_BYTES 16u
#define MLPERF_MAX_SCORES  64u
#define MLPERF_FLAG_ENERGY 1u

enum mlperf_field {
#define MLPERF_FIELD(name, text) MLPERF_FIELD_##name,
#include "fields.def"
#undef MLPERF_FIELD
};

enum mlperf_input { MLPERF_INPUT_INT8, MLPERF_INPUT_UINT8, MLPERF_INPUT_FLOAT32, MLPERF_INPUT_KINDS };
enum mlperf_result { MLPERF_RESULT_SCORES, MLPERF_RESULT_SQUARED_ERROR, MLPERF_RESULT_KINDS };

struct mlperf_block {
    uint32_t magic;
    uint16_t version;
    uint16_t total_bytes; /* of the block: sizeof(struct mlperf_block) */
    uint32_t crc32;       /* of bytes 12 .. total_bytes - 1 */
    uint32_t plan_crc32;  /* of the plan that it is for, from its header */
    char model[MLPERF_MODEL_BYTES];
    uint8_t input_kind;  /* enum mlperf_input */
    uint8_t result_kind; /* enum mlperf_result */
    uint8_t flags;       /* MLPERF_FLAG_ENERGY or 0 */
    uint8_t reserved;
    float input_scale;
    int32_t input_zero_point;
    float output_scale;
    int32_t output_zero_point;
};

/* Validates `capacity` readable bytes at `base` (4-byte aligned) for an open plan. Returns the first field that is wrong. */
enum mlperf_field mlperf_block_open(const uint8_t *base, uint32_t capacity, const struct plan *plan);

/* What a refusal calls the field. */
const char *mlperf_field_text(enum mlperf_field field);

/* Bytes that the benchmark sends for an input of so many elements. */
uint32_t mlperf_raw_bytes(const struct mlperf_block *block, uint32_t elems);

#endif
