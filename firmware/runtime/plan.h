/* A plan: the only thing that the device runs. Format: PLAN.md. Little-endian, offsets from the plan's first byte.
 *
 * plan_open() checks everything once; after it said STATUS_OK the other functions trust the plan.
 */
#ifndef TINYCONV_PLAN_H
#define TINYCONV_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "../kernels/kernel.h"

#define PLAN_MAGIC     0x4e504354u /* "TCPN" */
#define PLAN_VERSION   2u
#define PLAN_NO_TENSOR 0xffffu
#define PLAN_MAX_STEPS 512u /* bounds the validator, whose liveness check is quadratic in steps */
#define PLAN_MAX_IO    32u  /* inputs and outputs together */
#define PLAN_ALIGN     4u   /* of the plan itself, its tables, blobs and tensors */

enum status {
#define STATUS(code, name, text) STATUS_##name = (code),
#define FIELD_ID(code, name)
#include "status.def"
#undef STATUS
#undef FIELD_ID
};

enum plan_field {
#define STATUS(code, name, text)
#define FIELD_ID(code, name) PLAN_FIELD_##name = (code),
#include "status.def"
#undef STATUS
#undef FIELD_ID
};

struct plan_header {
    uint32_t magic;
    uint16_t version;
    uint16_t header_bytes;
    uint32_t total_bytes; /* multiple of 4 */
    uint32_t crc32;       /* of bytes 16 .. total_bytes - 1 */
    uint32_t arena_bytes; /* multiple of 4 */
    uint16_t tensor_count;
    uint16_t step_count;
    uint32_t tensors_offset;
    uint32_t steps_offset;
    uint16_t input_count; /* the io table: uint16 tensor indices, inputs, then outputs */
    uint16_t output_count;
    uint32_t io_offset;
    uint8_t model_id[8]; /* first bytes of the network file's SHA-256 */
    uint32_t
        copy_offset; /* blobs that are copied behind the arena at load, since RAM is read faster than flash */
    uint32_t copy_bytes; /* multiple of 4 */
    uint32_t reserved[2];
};

/* CONSTANT: offset is into the plan, not the arena. VIEW: some of the bytes of the tensor whose index is in the upper 16 bits of
 * the flags; writing the view writes a part of that tensor. Bits 2 and 3: 0 for elements of 1 byte, 1 for 2, 2 for 4. */
enum tensor_flag { TENSOR_CONSTANT = 1, TENSOR_VIEW = 2 };
#define TENSOR_ELEM_BYTES(flags) (UINT32_C(1) << ((flags) >> 2 & 3))
#define TENSOR_PARENT(flags)     ((flags) >> 16)

struct plan_tensor {
    uint32_t offset; /* in the arena, or in the plan if TENSOR_CONSTANT */
    uint32_t bytes;  /* product of shape, times the bytes of an element */
    uint32_t shape[4];
    uint32_t flags; /* enum tensor_flag */
};

struct plan_step {
    uint16_t kernel;            /* id in kernels.def */
    uint16_t inputs[OP_INPUTS]; /* PLAN_NO_TENSOR behind those that the operator reads */
    uint16_t output;
    uint16_t reserved;
    uint32_t params_offset;
    uint32_t weights_offset;
    uint32_t weights_bytes;
    uint32_t channels_offset;
    uint32_t channels_bytes;
    uint32_t scratch_offset; /* in the arena */
    uint32_t scratch_bytes;
};

/* What is wrong with a plan: which field, of which table entry, what it needs and what there is (0 where it does not apply). */
struct plan_error {
    uint32_t field; /* enum plan_field */
    uint32_t index;
    uint32_t needed;
    uint32_t available;
};

struct plan {
    const uint8_t *base;
    const struct plan_header *header;
    const struct plan_tensor *tensors;
    const struct plan_step *steps;
    const uint16_t *inputs;
    const uint16_t *outputs;
    uint8_t *arena;
    const uint8_t *copy; /* of the bytes from copy_offset on, in RAM */
};

/* Validates `bytes` at `base` (4-byte aligned, `capacity` bytes readable) against an arena of arena_capacity bytes.
 * Checks checksum, bounds, alignment, shapes, kernels, parameters, blob contents, overlap rules, and that every tensor
 * is written before it is read and still intact when it is. On failure *error says where; *plan is left unusable. */
enum status plan_open(struct plan *plan, const void *base, uint32_t capacity, void *arena,
                      uint32_t arena_capacity, struct plan_error *error);

/* The same without any check, for a plan that plan_open() would accept: exported programs may trust their own. */
void plan_attach(struct plan *plan, const void *base, void *arena);

/* Runs one step. The caller keeps the order. */
void plan_run_step(const struct plan *plan, uint32_t step);

/* The tensor's elements. */
uint8_t *plan_tensor_data(const struct plan *plan, uint32_t tensor);

/* Whether the tensor holds its value when steps 0 .. steps_done - 1 have run (inputs: since they were written). */
bool plan_tensor_alive(const struct plan *plan, uint32_t tensor, uint32_t steps_done);

/* Whether all inputs are still intact after the last step, so that the plan can run again without writing them. */
bool plan_inputs_survive(const struct plan *plan);

/* zlib's CRC-32 of bytes, continued from `crc` (0 to start). */
uint32_t crc32_update(uint32_t crc, const void *bytes, uint32_t count);

#endif
