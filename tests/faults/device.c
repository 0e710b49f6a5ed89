/* A port for tests: the firmware as a shared library, run on a fiber in simulated time.
 *
 * Time belongs to whoever calls device_run(): the firmware runs until it waits for bytes that have not arrived, has written
 * something, or has come to a given moment. Steps and sent bytes take time; nothing else does. */
#include "../../firmware/port/common/ring.h"
#include "../../firmware/port/port.h"
#include "../../firmware/runtime/plan.h"

#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define STACK_BYTES 262144u
#define OUT_BYTES   4096u
#define CLOCK_HZ    1000000u /* the counter counts microseconds */

enum reason { IDLE, LATE, WROTE, RESET };

struct chunk {
    struct chunk *next;
    uint64_t first_ns;
    uint32_t count, taken;
    uint8_t bytes[];
};

struct device {
    ucontext_t caller, firmware;
    uint8_t *stack;
    enum reason reason;
    uint64_t now_ns, until_ns;
    uint32_t byte_ns; /* on the line */
    uint32_t step_ns;
    struct chunk *coming, **coming_end;
    uint8_t own_room[PORT_RX_RING_BYTES];
    struct ring ring;
    uint32_t lost;
    uint8_t out[OUT_BYTES];
    uint32_t out_count;
    uint64_t out_first_ns;
    uint8_t *pools[PORT_MAX_POOLS];
    uint32_t pool_bytes[PORT_MAX_POOLS];
    const uint8_t *flash_plan;
    uint32_t flash_bytes;
};

static struct device *device;

int firmware_main(void);

static void leave(enum reason reason) {
    device->reason = reason;
    swapcontext(&device->firmware, &device->caller);
}

/* What was written one after another goes out as one, before anything else happens. */
static void hand_over(void) {
    if (device->out_count > 0) leave(WROTE);
    while (device->now_ns > device->until_ns) leave(LATE);
}

/* Lets time pass; whoever runs the device decides how much of it. */
static void pass(uint64_t ns) {
    hand_over();
    device->now_ns += ns;
    while (device->now_ns > device->until_ns) leave(LATE);
}

/* Puts what has arrived by now into the ring, as the interrupt does; what finds it full is lost. */
static void take_arrived(void) {
    struct chunk *chunk;
    while ((chunk = device->coming) != NULL) {
        while (chunk->taken < chunk->count) {
            if (chunk->first_ns + (uint64_t)chunk->taken * device->byte_ns > device->now_ns) return;
            const uint32_t before = device->ring.put;
            ring_put(&device->ring, chunk->bytes[chunk->taken++]);
            if (device->ring.put == before) device->lost++;
        }
        device->coming = chunk->next;
        if (device->coming == NULL) device->coming_end = &device->coming;
        free(chunk);
    }
}

static void run_firmware(void) {
    firmware_main();
}

struct device *device_new(uint32_t byte_ns, uint32_t step_ns, const uint32_t *pool_bytes) {
    struct device *d = calloc(1, sizeof *d);
    d->byte_ns = byte_ns;
    d->step_ns = step_ns;
    d->coming_end = &d->coming;
    d->stack = malloc(STACK_BYTES);
    for (uint32_t i = 0; i < PORT_MAX_POOLS && pool_bytes[i] > 0; i++) {
        d->pool_bytes[i] = pool_bytes[i];
        d->pools[i] = aligned_alloc(8, pool_bytes[i]);
    }
    return d;
}

void device_free(struct device *d) {
    for (struct chunk *chunk = d->coming, *next; chunk != NULL; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    for (uint32_t i = 0; i < PORT_MAX_POOLS; i++) free(d->pools[i]);
    free(d->stack);
    free(d);
}

/* Starts the firmware anew at a moment; RAM holds `garbage`. The caller has put the library's data back to what it was when loaded. */
void device_start(struct device *d, uint64_t now_ns, uint8_t garbage, const uint8_t *flash_plan,
                  uint32_t flash_bytes) {
    device = d;
    d->now_ns = now_ns;
    d->ring = (struct ring)RING_IN(d->own_room);
    d->out_count = 0;
    d->flash_plan = flash_plan;
    d->flash_bytes = flash_bytes;
    for (uint32_t i = 0; i < PORT_MAX_POOLS; i++)
        if (d->pools[i] != NULL) memset(d->pools[i], garbage, d->pool_bytes[i]);
    getcontext(&d->firmware);
    d->firmware.uc_stack.ss_sp = d->stack;
    d->firmware.uc_stack.ss_size = STACK_BYTES;
    d->firmware.uc_link = NULL;
    makecontext(&d->firmware, run_firmware, 0);
}

/* Bytes that arrive one after another at the line's rate, the first at `first_ns`. Calls come in the order of time. */
void device_receive(struct device *d, const uint8_t *bytes, uint32_t count, uint64_t first_ns) {
    struct chunk *chunk = malloc(sizeof *chunk + count);
    *chunk = (struct chunk){.first_ns = first_ns, .count = count};
    memcpy(chunk->bytes, bytes, count);
    *d->coming_end = chunk;
    d->coming_end = &chunk->next;
}

/* Drops what is on its way: the line was cut. */
void device_cut(struct device *d) {
    while (d->coming != NULL) {
        struct chunk *next = d->coming->next;
        free(d->coming);
        d->coming = next;
    }
    d->coming_end = &d->coming;
}

enum reason device_run(struct device *d, uint64_t until_ns) {
    device = d;
    d->until_ns = until_ns;
    swapcontext(&d->caller, &d->firmware);
    return d->reason;
}

uint64_t device_now(const struct device *d) {
    return d->now_ns;
}

uint32_t device_lost(const struct device *d) {
    return d->lost;
}

/* What was written since the last call, and when its first byte began. */
uint32_t device_written(struct device *d, uint8_t *bytes, uint64_t *first_ns) {
    const uint32_t count = d->out_count;
    memcpy(bytes, d->out, count);
    *first_ns = d->out_first_ns;
    d->out_count = 0;
    return count;
}

void port_init(void) {}

struct port_info port_info(void) {
    return (struct port_info){.clock_hz = CLOCK_HZ,
                              .clock_source = CLOCK_EMULATED,
                              .counter_kind = COUNTER_INSTRUCTIONS,
                              .flags = PORT_EMULATED};
}

uint32_t port_peek(uint32_t from, uint8_t *bytes, uint32_t capacity) {
    hand_over();
    take_arrived();
    return ring_peek(&device->ring, from, bytes, capacity);
}

uint32_t port_read(uint8_t *bytes, uint32_t capacity) {
    hand_over();
    take_arrived();
    return ring_take(&device->ring, bytes, capacity);
}

void port_keep_received(uint8_t *room, uint32_t bytes) {
    take_arrived();
    ring_move(&device->ring, room != NULL ? room : device->own_room,
              room != NULL ? bytes : PORT_RX_RING_BYTES);
}

void port_write(const uint8_t *bytes, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (device->out_count == OUT_BYTES) hand_over();
        if (device->out_count == 0) device->out_first_ns = device->now_ns;
        device->out[device->out_count++] = bytes[i];
        device->now_ns += device->byte_ns;
    }
}

void port_go_slow(bool slow) {
    (void)slow;
}

bool port_has_energy_pin(void) {
    return true;
}

void port_pulse(void) {}

void port_wait(void) {
    hand_over();
    for (;;) {
        take_arrived();
        if (!ring_empty(&device->ring)) return;
        const struct chunk *next = device->coming;
        const uint64_t arrival =
            next == NULL ? UINT64_MAX : next->first_ns + (uint64_t)next->taken * device->byte_ns;
        if (arrival <= device->until_ns) {
            if (arrival > device->now_ns) device->now_ns = arrival;
        } else {
            if (device->until_ns > device->now_ns) device->now_ns = device->until_ns;
            leave(IDLE);
        }
    }
}

uint32_t port_counter(void) {
    hand_over();
    return (uint32_t)(device->now_ns / 1000);
}

/* The linker puts this before the firmware's own. */
void __real_plan_run_step(const struct plan *plan, uint32_t step);
void __wrap_plan_run_step(const struct plan *plan, uint32_t step);
void __wrap_plan_run_step(const struct plan *plan, uint32_t step) {
    __real_plan_run_step(plan, step);
    pass(device->step_ns);
}

uint8_t *port_pool(uint32_t index, uint32_t *bytes) {
    *bytes = index < PORT_MAX_POOLS ? device->pool_bytes[index] : 0;
    return *bytes > 0 ? device->pools[index] : NULL;
}

const uint8_t *port_flash_plan(uint32_t *bytes) {
    *bytes = device->flash_bytes;
    return device->flash_plan;
}

struct port_fault port_last_fault(void) {
    return (struct port_fault){0};
}

enum reset_cause port_reset_cause(void) {
    return RESET_UNKNOWN;
}

struct port_stack port_stack(void) {
    return (struct port_stack){0};
}

uint32_t port_watchdog_ms(void) {
    return 0;
}

void port_feed(void) {}

_Noreturn void port_reset(void) {
    hand_over();
    for (;;) leave(RESET);
}
