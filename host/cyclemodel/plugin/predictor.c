#include "predictor.h"

#include <stdlib.h>

#define WAYS         4u
#define HISTORY_BITS 12u
#define MAX_RETURNS  64u
#define LIKELY       2u /* of a 2-bit counter */
#define COUNTER_MAX  3u

struct entry {
    uint32_t branch;
    uint32_t target;
    uint8_t counter;
    uint64_t used;
};

static struct entry *entries;
static uint32_t sets, history_bits, returns;
static uint8_t directions[1u << HISTORY_BITS];
static uint32_t history, return_stack[MAX_RETURNS], return_top;
static uint64_t tick;

struct branch branch_of(uint32_t address, uint32_t bytes, uint32_t low, uint32_t high) {
    struct branch b = {.address = address, .end = address + bytes};
    if (bytes == 2) {
        if ((low & 0xf000) == 0xd000 && (low & 0x0e00) != 0x0e00)
            b.kind = BRANCH_CONDITIONAL;
        else if ((low & 0xf500) == 0xb100)
            b.kind = BRANCH_CONDITIONAL; /* cbz, cbnz */
        else if ((low & 0xf800) == 0xe000)
            b.kind = BRANCH_DIRECT;
        else if ((low & 0xff00) == 0x4700 || (low & 0xff00) == 0xbd00 || (low & 0xff87) == 0x4687)
            b.kind = BRANCH_INDIRECT; /* bx, blx, pop with pc, mov pc */
        b.is_call = (low & 0xff87) == 0x4780;
        b.is_return = low == 0x4770 || (low & 0xff00) == 0xbd00;
        return b;
    }
    if ((low & 0xf800) == 0xf000 && (high & 0x8000)) {
        const bool conditional_form = (high & 0xd000) == 0x8000;
        if (!conditional_form)
            b.kind = BRANCH_DIRECT; /* b.w, bl */
        else if ((low & 0x0380) != 0x0380)
            b.kind = BRANCH_CONDITIONAL;
    } else if (((low & 0xfff0) == 0xe8d0 && (high & 0xffe0) == 0xf000) || /* tbb, tbh */
               ((low & 0xfe50) == 0xe810 && (high & 0x8000)) ||           /* ldm with pc */
               ((low & 0xff70) == 0xf850 && high >> 12 == 15)) {          /* ldr pc */
        b.kind = BRANCH_INDIRECT;
    }
    b.is_call = (low & 0xf800) == 0xf000 && (high & 0xd000) == 0xd000;
    b.is_return = low == 0xe8bd && (high & 0x8000);
    return b;
}

void predictor_init(uint32_t count, uint32_t history_length, uint32_t return_count) {
    sets = count ? (count < WAYS ? 1 : count / WAYS) : 0;
    history_bits = history_length > HISTORY_BITS ? HISTORY_BITS : history_length;
    returns = return_count > MAX_RETURNS ? MAX_RETURNS : return_count;
    if (sets) entries = calloc((size_t)sets * WAYS, sizeof *entries);
}

static void count_direction(uint8_t *counter, bool taken) {
    if (taken && *counter < COUNTER_MAX) ++*counter;
    if (!taken && *counter > 0) --*counter;
}

bool predictor_fails(const struct branch *branch, uint32_t next) {
    const bool taken = next != branch->end;
    if (!sets || (branch->kind == BRANCH_NONE && !taken)) return false;
    struct entry *set = entries + (size_t)(branch->address / 4 % sets) * WAYS;
    struct entry *found = NULL, *oldest = set;
    for (struct entry *e = set; e < set + WAYS; e++) {
        if (e->branch == branch->address) found = e;
        if (e->used < oldest->used) oldest = e;
    }
    bool guess = found && (branch->kind != BRANCH_CONDITIONAL || found->counter >= LIKELY);
    if (history_bits && branch->kind == BRANCH_CONDITIONAL) {
        const uint32_t mask = (1u << HISTORY_BITS) - 1;
        uint8_t *counter =
            &directions[(branch->address / 2 ^ history << (HISTORY_BITS - history_bits)) & mask];
        guess = found && *counter >= LIKELY;
        count_direction(counter, taken);
        history = (history << 1 | taken) & ((1u << history_bits) - 1);
    }
    bool fails;
    if (branch->kind == BRANCH_DIRECT) {
        fails = !found;
    } else if (branch->kind == BRANCH_INDIRECT) {
        bool right = found && found->target == next;
        if (taken && returns && branch->is_return)
            right = return_top && return_stack[--return_top % returns] == next;
        fails = taken && !right;
    } else {
        fails = guess != taken;
    }
    if (returns && branch->is_call && taken) return_stack[return_top++ % returns] = branch->end;
    if (!found && taken) {
        found = oldest;
        found->branch = branch->address;
        found->counter = 1;
    }
    if (found) {
        found->used = ++tick;
        if (taken) found->target = next;
        count_direction(&found->counter, taken);
    }
    return fails;
}
