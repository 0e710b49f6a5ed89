/* Branch prediction of the Cortex-M7 model: a target cache, global history and a return stack. */
#ifndef PREDICTOR_H
#define PREDICTOR_H

#include <stdbool.h>
#include <stdint.h>

enum branch_kind { BRANCH_NONE, BRANCH_CONDITIONAL, BRANCH_DIRECT, BRANCH_INDIRECT };

struct branch {
    uint32_t address;
    uint32_t end; /* address behind it */
    enum branch_kind kind;
    bool is_call;
    bool is_return;
};

/* The branch that an instruction is; `low` and `high` are its halfwords, high 0 if it has `bytes` 2. */
struct branch branch_of(uint32_t address, uint32_t bytes, uint32_t low, uint32_t high);

/* entries: of the target cache, 4 ways; 0: no prediction is modelled. history: directions that select among 4096
 * counters, 0: one counter an entry. returns: size of the return stack, 0: returns are predicted as other branches. */
void predictor_init(uint32_t entries, uint32_t history, uint32_t returns);

/* Whether the branch that went to `next` had been predicted wrongly; learns from it. */
bool predictor_fails(const struct branch *branch, uint32_t next);

#endif
