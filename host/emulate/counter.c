/* Called before every instruction: counts it, and stops the emulator where it has to look up. In C, since a hook in Python
 * costs a hundred times what an instruction does. Compiled and loaded by counter.py. */
#include <stdint.h>

struct counter {
    uint64_t count;             /* instructions executed */
    uint64_t stop_at;           /* stop before the instruction that would make count larger than this */
    uint32_t pc;                /* address of the instruction that is being executed */
    uint32_t primask_register;  /* unicorn's number of PRIMASK */
    volatile uint32_t attend;   /* stop before the next instruction; another thread may set it */
    volatile uint32_t unmasked; /* stop as soon as PRIMASK is 0 */
    int32_t (*stop)(void *);
    int32_t (*read_register)(void *, int32_t, void *);
};

void counter_hook(void *engine, uint64_t address, uint32_t size, struct counter *counter);

void counter_hook(void *engine, uint64_t address, uint32_t size, struct counter *counter) {
    (void)size;
    counter->pc = (uint32_t)address;
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
}
