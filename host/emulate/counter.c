/* Called before every instruction: counts it, and stops the emulator where it has to look up. In C, since a hook in Python
 * costs a hundred times what an instruction does. Compiled and loaded by counter.py.
 *
 * An instruction of an IT block whose condition fails takes its cycle on a chip, and QEMU counts it, but unicorn does not call
 * hooks for it. So an IT instruction counts for its whole block, and the block's instructions for nothing. unicorn does not
 * stop within such a block either. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_BANKS 16u

struct bank {
    uint32_t address, bytes;
    const uint8_t *host;
};

struct counter {
    uint64_t count;             /* instructions executed */
    uint64_t stop_at;           /* stop before the instruction that would make count larger than this */
    uint32_t pc;                /* address of the instruction that is being executed */
    uint32_t primask_register;  /* unicorn's number of PRIMASK */
    volatile uint32_t attend;   /* stop before the next instruction; another thread may set it */
    volatile uint32_t unmasked; /* stop as soon as PRIMASK is 0 */
    int32_t (*stop)(void *);
    int32_t (*read_register)(void *, int32_t, void *);
    uint32_t block_begin, block_end; /* addresses of the last IT block */
    uint32_t bank_count, bank_last;
    struct bank banks[MAX_BANKS]; /* where the chip's memories are in ours */
};

void counter_hook(void *engine, uint64_t address, uint32_t size, struct counter *counter);

/* The halfword of an instruction; 0 where no memory is. */
static uint32_t halfword(struct counter *counter, uint32_t address) {
    for (uint32_t i = 0; i < counter->bank_count; i++) {
        const uint32_t k = (counter->bank_last + i) % counter->bank_count;
        const struct bank *bank = &counter->banks[k];
        const uint32_t offset = address - bank->address;
        if (offset >= bank->bytes) continue;
        counter->bank_last = k;
        return (uint32_t)bank->host[offset] | (uint32_t)bank->host[offset + 1] << 8;
    }
    return 0;
}

static bool is_it(uint32_t opcode) {
    return (opcode & 0xff00u) == 0xbf00u && (opcode & 0xfu) != 0;
}

/* Armv7-M Architecture Reference Manual A7.7.38: the mask's lowest 1 ends the block. A5.1: which halfwords begin a long instruction. */
static uint32_t enter_block(struct counter *counter, uint32_t address, uint32_t opcode) {
    uint32_t instructions = 4, end = address + 2;
    for (uint32_t mask = opcode & 0xfu; (mask & 1u) == 0; mask >>= 1) instructions--;
    for (uint32_t i = 0; i < instructions; i++) end += halfword(counter, end) >= 0xe800u ? 4 : 2;
    counter->block_begin = address + 2;
    counter->block_end = end;
    return instructions;
}

void counter_hook(void *engine, uint64_t address64, uint32_t size, struct counter *counter) {
    const uint32_t address = (uint32_t)address64;
    counter->pc = address;
    if (address - counter->block_begin < counter->block_end - counter->block_begin) return;
    if (counter->count >= counter->stop_at || counter->attend) {
        counter->stop(engine);
        return; /* the instruction is not executed now */
    }
    if (counter->unmasked) {
        uint32_t primask = 1;
        counter->read_register(engine, (int32_t)counter->primask_register, &primask);
        if ((primask & 1) == 0) {
            counter->stop(engine);
            return;
        }
    }
    counter->count++;
    if (size != 2) return;
    const uint32_t opcode = halfword(counter, address);
    if (is_it(opcode)) counter->count += enter_block(counter, address, opcode);
}
