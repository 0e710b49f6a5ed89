#include "plan.h"

#include <stddef.h>
#include <string.h>

/* A half-open range of bytes in one address space (the arena, or the plan). */
struct range {
    uint32_t begin;
    uint32_t end;
};

static struct range range_of(uint32_t offset, uint32_t bytes) {
    return (struct range){offset, offset + bytes};
}

static bool overlaps(struct range a, struct range b) {
    return a.begin < b.end && b.begin < a.end;
}

/* Whether offset .. offset + bytes is aligned and lies below limit, without overflow. */
static bool fits(uint32_t offset, uint64_t bytes, uint32_t limit) {
    return offset % PLAN_ALIGN == 0 && (uint64_t)offset + bytes <= limit;
}

static enum status refuse(struct plan_error *error, enum status status, enum plan_field field, uint32_t index,
                          uint32_t needed, uint32_t available) {
    *error = (struct plan_error){(uint32_t)field, index, needed, available};
    return status;
}

#define INVALID(field, index) refuse(error, STATUS_PLAN_INVALID, PLAN_FIELD_##field, index, 0, 0)

static bool is_constant(const struct plan_tensor *tensor) {
    return (tensor->flags & TENSOR_CONSTANT) != 0;
}

/* The tensor whose memory this one is: itself, or the one that it is a view of. */
static uint32_t holder(const struct plan *plan, uint32_t tensor) {
    const uint32_t flags = plan->tensors[tensor].flags;
    return (flags & TENSOR_VIEW) != 0 ? TENSOR_PARENT(flags) : tensor;
}

static bool is_input(const struct plan *plan, uint32_t tensor) {
    for (uint32_t i = 0; i < plan->header->input_count; i++)
        if (plan->inputs[i] == tensor) return true;
    return false;
}

static struct range arena_range(const struct plan *plan, uint32_t tensor) {
    return range_of(plan->tensors[tensor].offset, plan->tensors[tensor].bytes);
}

static enum status check_header(const struct plan_header *h, uint32_t capacity, uint32_t arena_capacity,
                                struct plan_error *error) {
    if (capacity < sizeof *h)
        return refuse(error, STATUS_PLAN_INCOMPLETE, PLAN_FIELD_total_bytes, 0, sizeof *h, capacity);
    if (h->magic != PLAN_MAGIC) return INVALID(magic, 0);
    if (h->version != PLAN_VERSION)
        return refuse(error, STATUS_PLAN_VERSION, PLAN_FIELD_none, 0, h->version, PLAN_VERSION);
    if (h->header_bytes != sizeof *h) return INVALID(header_bytes, 0);
    if (h->total_bytes % PLAN_ALIGN != 0 || h->total_bytes < sizeof *h) return INVALID(total_bytes, 0);
    if (h->total_bytes > capacity)
        return refuse(error, STATUS_PLAN_INCOMPLETE, PLAN_FIELD_total_bytes, 0, h->total_bytes, capacity);
    const uint32_t unchecked = offsetof(struct plan_header, arena_bytes);
    const uint32_t crc = crc32_update(0, (const uint8_t *)h + unchecked, h->total_bytes - unchecked);
    if (crc != h->crc32) return refuse(error, STATUS_PLAN_CHECKSUM, PLAN_FIELD_none, 0, h->crc32, crc);
    if (h->arena_bytes % PLAN_ALIGN != 0) return INVALID(arena_bytes, 0);
    if (h->copy_bytes % PLAN_ALIGN != 0 || !fits(h->copy_offset, h->copy_bytes, h->total_bytes))
        return INVALID(copy_bytes, 0);
    const uint64_t ram_bytes = (uint64_t)h->arena_bytes + h->copy_bytes;
    if (ram_bytes > arena_capacity)
        return refuse(error, STATUS_ARENA_TOO_LARGE, PLAN_FIELD_arena_bytes, 0,
                      ram_bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)ram_bytes, arena_capacity);
    if (!fits(h->tensors_offset, (uint64_t)h->tensor_count * sizeof(struct plan_tensor), h->total_bytes))
        return INVALID(tensor_table, 0);
    if (h->step_count == 0 || h->step_count > PLAN_MAX_STEPS ||
        !fits(h->steps_offset, (uint64_t)h->step_count * sizeof(struct plan_step), h->total_bytes))
        return INVALID(step_table, 0);
    const uint64_t io_count = (uint64_t)h->input_count + h->output_count;
    if (h->input_count == 0 || h->output_count == 0 || io_count > PLAN_MAX_IO ||
        !fits(h->io_offset, io_count * sizeof(uint16_t), h->total_bytes))
        return INVALID(io_table, 0);
    return STATUS_OK;
}

static enum status check_tensors(const struct plan *plan, struct plan_error *error) {
    const struct plan_header *h = plan->header;
    for (uint32_t i = 0; i < h->tensor_count; i++) {
        const struct plan_tensor *t = &plan->tensors[i];
        uint64_t elems = 1;
        for (uint32_t d = 0; d < 4; d++) {
            /* checked at each step, so that the product stays below 2^64 */
            elems *= t->shape[d];
            if (elems == 0 || elems > h->total_bytes + (uint64_t)h->arena_bytes)
                return INVALID(tensor_shape, i);
        }
        if (elems * TENSOR_ELEM_BYTES(t->flags) != t->bytes) return INVALID(tensor_bytes, i);
        if (!fits(t->offset, t->bytes, is_constant(t) ? h->total_bytes : h->arena_bytes))
            return INVALID(tensor_offset, i);
    }
    for (uint32_t i = 0; i < h->tensor_count; i++) {
        const struct plan_tensor *t = &plan->tensors[i];
        if ((t->flags & TENSOR_VIEW) == 0) continue;
        const uint32_t parent = TENSOR_PARENT(t->flags);
        if (parent >= h->tensor_count || (plan->tensors[parent].flags & (TENSOR_VIEW | TENSOR_CONSTANT)) != 0)
            return INVALID(tensor_view, i);
        const struct range inner = arena_range(plan, i), outer = arena_range(plan, parent);
        if (is_constant(t) || inner.begin < outer.begin || inner.end > outer.end)
            return INVALID(tensor_view, i);
    }
    const uint32_t io_count = (uint32_t)h->input_count + h->output_count;
    for (uint32_t i = 0; i < io_count; i++) {
        if (plan->inputs[i] >= h->tensor_count || holder(plan, plan->inputs[i]) != plan->inputs[i])
            return INVALID(io_table, i);
        if (i >= h->input_count) continue;
        if (is_constant(&plan->tensors[plan->inputs[i]])) return INVALID(io_table, i);
        for (uint32_t j = 0; j < i; j++)
            if (overlaps(arena_range(plan, plan->inputs[i]), arena_range(plan, plan->inputs[j])))
                return INVALID(io_table, i);
    }
    return STATUS_OK;
}

/* Whether a blob that begins in the range of copies ends there too. */
static bool copied_whole_or_not(const struct plan_header *h, uint32_t offset, uint32_t bytes) {
    const uint32_t in_copy = offset - h->copy_offset;
    return in_copy >= h->copy_bytes || bytes <= h->copy_bytes - in_copy;
}

static enum status check_step(const struct plan *plan, uint32_t index, struct plan_error *error) {
    const struct plan_header *h = plan->header;
    const struct plan_step *s = &plan->steps[index];
    const struct kernel *kernel = kernel_find(s->kernel);
    if (kernel == NULL)
        return refuse(error, STATUS_KERNEL_UNKNOWN, PLAN_FIELD_step_kernel, index, s->kernel, 0);

    if (s->output >= h->tensor_count) return INVALID(step_tensor, index);
    if (is_constant(&plan->tensors[s->output]) || is_input(plan, holder(plan, s->output)))
        return INVALID(step_tensor, index);

    if (!fits(s->params_offset, op_params_bytes(kernel->op), h->total_bytes))
        return INVALID(step_params, index);
    const void *params = plan->base + s->params_offset;
    uint32_t param_field = 0;
    if (!op_params_valid(kernel->op, params, &param_field))
        return refuse(error, STATUS_PLAN_INVALID, PLAN_FIELD_step_params, index, param_field, 0);
    const struct op_bytes bytes = op_tensor_bytes(kernel->op, params);
    if (plan->tensors[s->output].bytes != bytes.out) return INVALID(step_tensor, index);
    uint32_t inputs = 0;
    while (inputs < OP_INPUTS && bytes.in[inputs] != 0) inputs++;
    for (uint32_t i = 0; i < OP_INPUTS; i++) {
        const bool there = s->inputs[i] < h->tensor_count;
        if (i < inputs ? !there || plan->tensors[s->inputs[i]].bytes != bytes.in[i]
                       : s->inputs[i] != PLAN_NO_TENSOR)
            return INVALID(step_tensor, index);
    }
    if (!kernel->supports(params))
        return refuse(error, STATUS_KERNEL_UNSUPPORTED, PLAN_FIELD_step_kernel, index, s->kernel, 0);

    if (s->weights_bytes != kernel_weights_bytes(kernel, params) ||
        !fits(s->weights_offset, s->weights_bytes, h->total_bytes))
        return INVALID(step_weights, index);
    if (s->channels_bytes != kernel_channels_bytes(kernel, params) ||
        !fits(s->channels_offset, s->channels_bytes, h->total_bytes))
        return INVALID(step_channels, index);
    if (!copied_whole_or_not(h, s->weights_offset, s->weights_bytes)) return INVALID(step_weights, index);
    if (!copied_whole_or_not(h, s->channels_offset, s->channels_bytes)) return INVALID(step_channels, index);
    if (!kernel_data_valid(kernel, params, plan->base + s->weights_offset, plan->base + s->channels_offset))
        return INVALID(step_channels, index);

    const uint32_t scratch_needed = kernel->scratch_bytes(params);
    if (!fits(s->scratch_offset, s->scratch_bytes, h->arena_bytes) || s->scratch_bytes < scratch_needed)
        return refuse(error, STATUS_PLAN_INVALID, PLAN_FIELD_step_scratch, index, scratch_needed,
                      s->scratch_bytes);
    const struct range scratch = range_of(s->scratch_offset, s->scratch_bytes);
    if (overlaps(scratch, arena_range(plan, s->output))) return INVALID(step_scratch, index);
    for (uint32_t i = 0; i < inputs; i++) {
        if (!plan_tensor_alive(plan, s->inputs[i], index)) return INVALID(step_order, index);
        const struct plan_tensor *in = &plan->tensors[s->inputs[i]], *out = &plan->tensors[s->output];
        if (is_constant(in)) continue;
        if (overlaps(scratch, arena_range(plan, s->inputs[i]))) return INVALID(step_scratch, index);
        if (!kernel_overlap_allowed(kernel, params, i, in->offset, in->bytes, out->offset, out->bytes))
            return INVALID(step_overlap, index);
    }
    return STATUS_OK;
}

void plan_attach(struct plan *plan, const void *base, void *arena) {
    const struct plan_header *h = base;
    const uint8_t *bytes = base;
    plan->base = bytes;
    plan->header = h;
    plan->tensors = (const void *)(bytes + h->tensors_offset);
    plan->steps = (const void *)(bytes + h->steps_offset);
    plan->inputs = (const void *)(bytes + h->io_offset);
    plan->outputs = plan->inputs + h->input_count;
    plan->arena = arena;
    plan->copy = plan->arena + h->arena_bytes;
    memcpy(plan->arena + h->arena_bytes, bytes + h->copy_offset, h->copy_bytes);
}

enum status plan_open(struct plan *plan, const void *base, uint32_t capacity, void *arena,
                      uint32_t arena_capacity, struct plan_error *error) {
    *error = (struct plan_error){0};
    const struct plan_header *h = base;
    enum status status = check_header(h, capacity, arena_capacity, error);
    if (status != STATUS_OK) return status;
    plan_attach(plan, base, arena);
    status = check_tensors(plan, error);
    /* liveness looks at later steps too, so their tensor indices come first */
    for (uint32_t i = 0; status == STATUS_OK && i < h->step_count; i++)
        if (plan->steps[i].output >= h->tensor_count) status = INVALID(step_tensor, i);
    for (uint32_t i = 0; status == STATUS_OK && i < h->step_count; i++) status = check_step(plan, i, error);
    for (uint32_t i = 0; status == STATUS_OK && i < h->output_count; i++)
        if (!plan_tensor_alive(plan, plan->outputs[i], h->step_count))
            status = INVALID(io_table, h->input_count + i);
    return status;
}

uint8_t *plan_tensor_data(const struct plan *plan, uint32_t tensor) {
    const struct plan_tensor *t = &plan->tensors[tensor];
    /* constants are only read: the validator refuses steps that write them */
    return is_constant(t) ? (uint8_t *)(uintptr_t)(plan->base + t->offset) : plan->arena + t->offset;
}

/* A blob of a step: its copy in RAM if it has one. */
static const void *blob(const struct plan *plan, uint32_t offset) {
    const uint32_t in_copy = offset - plan->header->copy_offset;
    return in_copy < plan->header->copy_bytes ? plan->copy + in_copy : plan->base + offset;
}

static const int8_t *input_data(const struct plan *plan, uint32_t tensor) {
    return tensor == PLAN_NO_TENSOR ? NULL : (const int8_t *)plan_tensor_data(plan, tensor);
}

void plan_run_step(const struct plan *plan, uint32_t step) {
    const struct plan_step *s = &plan->steps[step];
    const struct kernel_args args = {
        .in0 = input_data(plan, s->inputs[0]),
        .in1 = input_data(plan, s->inputs[1]),
        .in2 = input_data(plan, s->inputs[2]),
        .out = (int8_t *)plan_tensor_data(plan, s->output),
        .params = plan->base + s->params_offset,
        .weights = blob(plan, s->weights_offset),
        .channels = blob(plan, s->channels_offset),
        .scratch = plan->arena + s->scratch_offset,
    };
    kernel_find(s->kernel)->run(&args);
}

bool plan_tensor_alive(const struct plan *plan, uint32_t tensor, uint32_t steps_done) {
    if (is_constant(&plan->tensors[tensor])) return true;
    const struct range range = arena_range(plan, tensor);
    const uint32_t whole = holder(plan, tensor);
    bool written = is_input(plan, whole);
    for (uint32_t i = 0; i < plan->header->step_count; i++) {
        const struct plan_step *s = &plan->steps[i];
        /* a tensor is written by steps that write it or a view of it, a view by those that write it or its tensor */
        if (s->output == tensor || s->output == whole || holder(plan, s->output) == tensor) {
            if (i >= steps_done) return false; /* not complete: more steps than one may write a tensor */
            written = true;
        } else if (written && i < steps_done) {
            /* an overwritten tensor stays dead: its remaining writers would not bring the other parts back */
            if (overlaps(range, arena_range(plan, s->output))) return false;
            if (overlaps(range, range_of(s->scratch_offset, s->scratch_bytes))) return false;
        }
    }
    return written;
}

bool plan_inputs_survive(const struct plan *plan) {
    for (uint32_t i = 0; i < plan->header->input_count; i++)
        if (!plan_tensor_alive(plan, plan->inputs[i], plan->header->step_count)) return false;
    return true;
}
