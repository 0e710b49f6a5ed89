/* The benchmark's network: the plan in flash, its MLPerf block, the buffer that `db` fills, and inferences over it. */
#ifndef TINYCONV_MLPERF_NETWORK_H
#define TINYCONV_MLPERF_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

#include "../session.h"
#include "block.h"

struct mlperf_network {
    const struct mlperf_block *block; /* NULL: there is none, or it is wrong */
    enum mlperf_field wrong;          /* why, if one is there */
    bool plan_refused;                /* there is a block, behind a plan that is refused */

    uint32_t plan_number; /* session's, as long as the buffer is ours */
    uint8_t *buffer;      /* raw_bytes, and behind them the input's elements if it comes as floats */
    uint32_t raw_bytes;   /* of an input as the benchmark sends it */
    uint32_t expected;    /* bytes that `db load` announced, at most raw_bytes; 0: nothing is being loaded */
    uint32_t loaded;

    bool has_result;
    uint32_t score_count;
    int8_t scores[MLPERF_MAX_SCORES];
    float squared_error; /* mean over the input's elements */
};

/* Looks behind the plan in flash. Leaves no plan in use. */
void mlperf_network_find(struct mlperf_network *network, struct session *session);

/* Puts the plan to use and finds room for the buffer, unless that is still so from last time. A host that reads frames has to
 * say HELLO again. NULL, or what is wrong. */
const char *mlperf_network_open(struct mlperf_network *network, struct session *session);

/* Whether all bytes of an input were loaded, and nobody took the memory since. */
bool mlperf_network_loaded(const struct mlperf_network *network, const struct session *session);

/* Makes the input's elements from the loaded bytes; false if a float is none. */
bool mlperf_network_prepare(struct mlperf_network *network, const struct session *session);

/* Writes the prepared input; the plan may use its memory for something else later. A host that reads frames has to say HELLO again. */
void mlperf_network_write_input(const struct mlperf_network *network, struct session *session);

/* One inference over the input that was written. After each step `go_on` says whether to; false if it did not. */
bool mlperf_network_infer(struct session *session, bool (*go_on)(struct session *session));

/* Keeps the output of the last inference as the result. */
void mlperf_network_keep_result(struct mlperf_network *network, const struct session *session);

#endif
