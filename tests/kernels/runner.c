/* Runs kernels under the sanitizers, with every buffer malloc'ed to its exact size. Started by
 * tests/kernels/runner.py.
 *
 * Requests on standard input, answers on standard output, all words uint32 in the machine's order:
 *   CHECK  op, params_bytes, params
 *          -> valid, field; if valid: bytes of in0, in1, in2 and out, count, count * (kernel id, supports,
 *          scratch, weights, channels), the last three 0 if it does not support them
 *   RUN    kernel id, place (enum place), bytes of params, in0, in1, in2, weights, channels, out; those seven
 *          -> whether the blobs are valid; if so: the output
 * It ends with its input. A sanitizer's finding ends it with a report on standard error.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../firmware/kernels/kernel.h"

enum { CHECK = 1, RUN = 2 };
enum buffer { PARAMS, IN0, IN1, IN2, WEIGHTS, CHANNELS, OUT, BUFFERS };

/* Where the output lies. BEHIND_INPUT0: it begins gap_bytes() before input 0, as AHEAD permits. */
enum place { PLACE_INPUT0 = 0, PLACE_INPUT1 = 1, PLACE_OWN = 2, PLACE_BEHIND_INPUT0 = 3 };

static void read_exactly(void *to, size_t bytes) {
    if (bytes && fread(to, 1, bytes, stdin) != bytes) exit(3);
}

static uint32_t read_word(void) {
    uint32_t word;
    read_exactly(&word, sizeof word);
    return word;
}

static void write_word(uint32_t word) {
    fwrite(&word, sizeof word, 1, stdout);
}

static void *read_buffer(uint32_t bytes) {
    void *buffer = malloc(bytes);
    read_exactly(buffer, bytes);
    return buffer;
}

static void check(void) {
    const uint32_t op = read_word();
    void *params = read_buffer(read_word());
    uint32_t field;
    const bool valid = op_params_valid(op, params, &field);
    write_word(valid);
    write_word(field);
    if (valid) {
        const struct op_bytes bytes = op_tensor_bytes(op, params);
        uint32_t count = 0;
        for (uint32_t i = 0; i < OP_INPUTS; i++) write_word(bytes.in[i]);
        write_word(bytes.out);
        for (uint32_t i = 0; i < kernel_count; i++) count += kernel_table[i].op == op;
        write_word(count);
        for (uint32_t i = 0; i < kernel_count; i++) {
            const struct kernel *kernel = &kernel_table[i];
            if (kernel->op != op) continue;
            const bool supports = kernel->supports(params);
            write_word(kernel->id);
            write_word(supports);
            write_word(supports ? kernel->scratch_bytes(params) : 0);
            write_word(supports ? kernel_weights_bytes(kernel, params) : 0);
            write_word(supports ? kernel_channels_bytes(kernel, params) : 0);
        }
    }
    free(params);
}

static void run(void) {
    const struct kernel *kernel = kernel_find(read_word());
    const uint32_t place = read_word();
    uint32_t bytes[BUFFERS];
    void *buffers[BUFFERS];
    for (int i = 0; i < BUFFERS; i++) bytes[i] = read_word();
    for (int i = 0; i < BUFFERS; i++) buffers[i] = read_buffer(bytes[i]);
    const bool valid = kernel_data_valid(kernel, buffers[0], buffers[WEIGHTS], buffers[CHANNELS]);
    write_word(valid);
    if (valid) {
        const uint32_t scratch_bytes = kernel->scratch_bytes(buffers[0]);
        void *scratch = malloc(scratch_bytes);
        memset(scratch, 0xa5, scratch_bytes);
        int8_t *out = place == PLACE_OWN ? buffers[OUT] : buffers[place == PLACE_INPUT1 ? IN1 : IN0];
        if (place == PLACE_BEHIND_INPUT0) {
            const uint32_t gap = (kernel->gap_bytes(buffers[0]) + 3) / 4 * 4;
            const uint32_t needed = gap + bytes[IN0] > bytes[OUT] ? gap + bytes[IN0] : bytes[OUT];
            out = malloc(needed);
            memcpy(out + gap, buffers[IN0], bytes[IN0]);
            free(buffers[IN0]);
            buffers[IN0] = out + gap;
        }
        const struct kernel_args args = {
            .in0 = buffers[IN0],
            .in1 = bytes[IN1] ? buffers[IN1] : NULL,
            .in2 = bytes[IN2] ? buffers[IN2] : NULL,
            .out = out,
            .params = buffers[0],
            .weights = buffers[WEIGHTS],
            .channels = buffers[CHANNELS],
            .scratch = scratch,
        };
        kernel->run(&args);
        fwrite(out, 1, bytes[OUT], stdout);
        free(scratch);
        if (place == PLACE_BEHIND_INPUT0) buffers[IN0] = out;
    }
    for (int i = 0; i < BUFFERS; i++) free(buffers[i]);
}

int main(void) {
    uint32_t command;
    while (fread(&command, sizeof command, 1, stdin) == 1) {
        if (command == CHECK)
            check();
        else
            run();
        fflush(stdout);
    }
    return 0;
}
