/* A process of the computer that it is built on: the link on standard input and output, for tests under the
 * sanitizers. The first argument names a file that plays the flash region for plans ("": none); more are bytes of the pools. */
#include "../port.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* as a small tightly coupled bank before a large one */
#define FAST_POOL_BYTES  (16u * 1024)
#define POOL_BYTES       (128u * 1024)
#define FLASH_PLAN_BYTES (1024u * 1024)

static char **arguments;
static uint8_t *pools[PORT_MAX_POOLS];
static uint32_t pool_bytes[PORT_MAX_POOLS] = {FAST_POOL_BYTES, POOL_BYTES};
static uint32_t pool_count = 2;
static uint8_t *flash_plan;
static uint8_t own_room[PORT_RX_RING_BYTES];
static uint8_t *received = own_room;
static uint32_t received_capacity = sizeof own_room;
static uint32_t received_count;

/* main() takes no arguments, as on a chip; both glibc and macOS hand them to constructors too. */
__attribute__((constructor)) static void keep_arguments(int count, char **values) {
    (void)count;
    arguments = values;
}

/* What no device meets: nothing can be reported over the link then. */
static _Noreturn void give_up(const char *what) {
    perror(what);
    exit(2);
}

void port_init(void) {
    if (arguments[1] != NULL && arguments[2] != NULL)
        for (pool_count = 0; pool_count < PORT_MAX_POOLS && arguments[2 + pool_count] != NULL; pool_count++)
            pool_bytes[pool_count] = (uint32_t)strtoul(arguments[2 + pool_count], NULL, 10);
    /* Of exactly these sizes, so that the address sanitizer sees a byte too far. */
    for (uint32_t i = 0; i < pool_count; i++) {
        pools[i] = aligned_alloc(8, pool_bytes[i]);
        if (pools[i] == NULL) give_up("memory");
    }
    flash_plan = calloc(1, FLASH_PLAN_BYTES);
    if (flash_plan == NULL) give_up("memory");
    if (arguments[1] == NULL || arguments[1][0] == '\0') return;
    FILE *file = fopen(arguments[1], "rb");
    if (file == NULL) give_up(arguments[1]);
    if (fread(flash_plan, 1, FLASH_PLAN_BYTES, file) == 0) give_up(arguments[1]);
    fclose(file);
}

struct port_info port_info(void) {
    return (struct port_info){
        .clock_source = CLOCK_EMULATED, .counter_kind = COUNTER_NONE, .flags = PORT_EMULATED};
}

static bool can_read(int timeout_ms) {
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&input, 1, timeout_ms) > 0;
}

/* Fills the ring with what the pipe holds, as an interrupt does on a chip; what does not fit stays in the pipe. */
static void take_received(void) {
    while (received_count < received_capacity && can_read(0)) {
        const ssize_t count =
            read(STDIN_FILENO, received + received_count, received_capacity - received_count);
        if (count <= 0) exit(0); /* the host is gone */
        received_count += (uint32_t)count;
    }
}

uint32_t port_peek(uint32_t from, uint8_t *bytes, uint32_t capacity) {
    take_received();
    const uint32_t behind = from < received_count ? received_count - from : 0;
    const uint32_t count = behind < capacity ? behind : capacity;
    memcpy(bytes, received + from, count);
    return count;
}

uint32_t port_read(uint8_t *bytes, uint32_t capacity) {
    const uint32_t count = port_peek(0, bytes, capacity);
    received_count -= count;
    memmove(received, received + count, received_count);
    return count;
}

void port_keep_received(uint8_t *room, uint32_t bytes) {
    uint8_t *place = room != NULL ? room : own_room;
    const uint32_t capacity = room != NULL ? bytes : (uint32_t)sizeof own_room;
    if (received_count > capacity) received_count = capacity;
    memmove(place, received, received_count);
    received = place;
    received_capacity = capacity;
}

void port_write(const uint8_t *bytes, uint32_t count) {
    while (count > 0) {
        const ssize_t written = write(STDOUT_FILENO, bytes, count);
        if (written <= 0) exit(0);
        bytes += written;
        count -= (uint32_t)written;
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
    if (received_count == 0) can_read(-1);
}

/* Nanoseconds: only good for seeing that time passes, hence COUNTER_NONE. */
uint32_t port_counter(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)((uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
}

uint8_t *port_pool(uint32_t index, uint32_t *bytes) {
    *bytes = index < pool_count ? pool_bytes[index] : 0;
    return index < pool_count ? pools[index] : NULL;
}

const uint8_t *port_flash_plan(uint32_t *bytes) {
    *bytes = FLASH_PLAN_BYTES;
    return flash_plan;
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
    execv(arguments[0], arguments);
    give_up(arguments[0]);
}
