/* A whole conversation: any frames and rubbish through receive(), then a HELLO that must be answered.
 *
 * Input: a list of items. An item's first byte says what it is: a command (its line in commands.def) with its payload in a sound
 * frame, raw bytes, a text command, or a plan whose header and checksum are put right: loaded in pieces, or put into flash with an
 * MLPerf block behind it. The pools are allocations of exactly their sizes. Runs are kept short; a new host ends long inferences.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "app/demo/block.h"
#include "app/handlers.h"
#include "app/mlperf/block.h"
#include "app/mlperf/mlperf.h"
#include "app/receive.h"
#include "link/frame.h"
#include "port/port.h"

#define SMALL_POOL 2048u
#define LARGE_POOL 16384u
#define MOST_RUNS  2u
#define MOST_FEEDS 64u

static uint8_t *pools[2];
static uint8_t own_room[PORT_RX_RING_BYTES];
static uint8_t *input = own_room;
static uint32_t input_bytes = sizeof own_room;
static uint32_t input_count;
static _Alignas(8) uint8_t flash[8192];
static uint32_t clock_us;
static struct frame_decoder decoder;
static uint8_t answer[FRAME_OVERHEAD_BYTES + MAX_PAYLOAD_BYTES];
static uint32_t hellos;

struct port_info port_info(void) {
    return (struct port_info){.clock_hz = 1000000, .counter_kind = COUNTER_INSTRUCTIONS};
}
uint32_t port_peek(uint32_t from, uint8_t *bytes, uint32_t capacity) {
    const uint32_t behind = from < input_count ? input_count - from : 0;
    const uint32_t count = behind < capacity ? behind : capacity;
    memcpy(bytes, input + from, count);
    return count;
}
uint32_t port_read(uint8_t *bytes, uint32_t capacity) {
    const uint32_t count = port_peek(0, bytes, capacity);
    input_count -= count;
    memmove(input, input + count, input_count);
    return count;
}
void port_keep_received(uint8_t *room, uint32_t bytes) {
    uint8_t *place = room != NULL ? room : own_room;
    input_bytes = room != NULL ? bytes : (uint32_t)sizeof own_room;
    if (input_count > input_bytes) input_count = input_bytes;
    memmove(place, input, input_count);
    input = place;
}
/* What is sent between two zeros is a frame, whose second byte is the version, or text. */
void port_write(const uint8_t *bytes, uint32_t count) {
    static uint32_t since_zero;
    static bool text;
    for (uint32_t i = 0; i < count; i++) {
        if (++since_zero == 2) text = bytes[i] != PROTOCOL_VERSION && bytes[i] != 0;
        if (bytes[i] == 0) {
            if (text) frame_decoder_forget(&decoder);
            since_zero = 0;
            text = false;
        } else if (text && bytes[i] >= 0x7f)
            abort();
        enum frame_event event;
        frame_decode(&decoder, bytes + i, 1, &event);
        struct frame_header header;
        if (event == FRAME_DAMAGED) abort();
        if (event == FRAME_ENDED) {
            if (!frame_check(answer, decoder.length, &header)) abort();
            hellos += header.command == COMMAND_HELLO && header.status == STATUS_OK;
        }
    }
}
void port_go_slow(bool slow) {
    (void)slow;
}
bool port_has_energy_pin(void) {
    return true;
}
void port_pulse(void) {}
void port_wait(void) {}
uint32_t port_counter(void) {
    return clock_us += 1000;
}
uint8_t *port_pool(uint32_t index, uint32_t *bytes) {
    *bytes = index == 0 ? SMALL_POOL : index == 1 ? LARGE_POOL : 0;
    return index < 2 ? pools[index] : NULL;
}
const uint8_t *port_flash_plan(uint32_t *bytes) {
    *bytes = sizeof flash;
    return flash;
}
struct port_fault port_last_fault(void) {
    return (struct port_fault){0};
}
enum reset_cause port_reset_cause(void) {
    return RESET_POWER;
}
struct port_stack port_stack(void) {
    return (struct port_stack){0};
}
uint32_t port_watchdog_ms(void) {
    return 0;
}
static void say_hello(void);
static uint32_t feeds;
void port_feed(void) {
    if (++feeds == MOST_FEEDS) say_hello();
}
_Noreturn void port_reset(void) {
    abort(); /* main() would call it, not receive() */
}

static void put(void *context, const uint8_t *bytes, uint32_t count) {
    (void)context;
    const uint32_t room = input_bytes - input_count;
    memcpy(input + input_count, bytes, count < room ? count : room);
    input_count += count < room ? count : room;
}

static uint16_t sequence;

static void encode(uint8_t command, const void *payload, uint32_t length) {
    struct frame_encoder encoder;
    const struct frame_header header = {.version = PROTOCOL_VERSION,
                                        .kind = FRAME_REQUEST,
                                        .command = command,
                                        .sequence = ++sequence,
                                        .length = (uint16_t)length};
    frame_begin(&encoder, put, NULL, &header);
    frame_append(&encoder, payload, length);
    frame_end(&encoder);
}

/* A new host. */
static void say_hello(void) {
    static uint32_t number = 0x40000000;
    number++;
    put(NULL, (const uint8_t[]){0}, 1);
    encode(COMMAND_HELLO, &number, sizeof number);
}

static void work_off(struct session *session) {
    feeds = 0;
    receive(session);
    session->reset_requested = false;
}

static void request(struct session *session, uint8_t command, const void *payload, uint32_t length) {
    encode(command, payload, length);
    work_off(session);
}

/* Rubbish or text; there is always room for a HELLO behind it. */
static void put_raw(const uint8_t *bytes, uint32_t count) {
    const uint32_t most = input_bytes - 64 - input_count;
    put(NULL, bytes, count < most ? count : most);
}

static union {
    struct plan_header header;
    uint8_t bytes[LARGE_POOL];
} plan;

/* Puts header and checksum right; returns the plan's size. */
static uint32_t repair(const uint8_t *bytes, uint32_t size) {
    const uint32_t total = (size < sizeof plan ? size : (uint32_t)sizeof plan) & ~3u;
    memcpy(plan.bytes, bytes, total);
    if (total >= sizeof plan.header) {
        plan.header.magic = PLAN_MAGIC;
        plan.header.version = PLAN_VERSION;
        plan.header.total_bytes = total;
        const uint32_t unchecked = offsetof(struct plan_header, arena_bytes);
        plan.header.crc32 = crc32_update(0, plan.bytes + unchecked, total - unchecked);
    }
    return total;
}

static void load(struct session *session, const uint8_t *bytes, uint32_t size) {
    const uint32_t total = repair(bytes, size);
    request(session, COMMAND_PLAN_BEGIN, &total, sizeof total);
    for (uint32_t at = 0; at < total; at += 1000) {
        uint8_t piece[1004];
        const uint32_t count = total - at < 1000 ? total - at : 1000;
        memcpy(piece, &at, sizeof at);
        memcpy(piece + 4, plan.bytes + at, count);
        request(session, COMMAND_PLAN_DATA, piece, 4 + count);
    }
    request(session, COMMAND_PLAN_COMMIT, NULL, 0);
}

static void start_device(struct session *session) {
    input_count = 0;
    port_keep_received(NULL, 0);
    session_init(session);
    mlperf_start(session);
}

/* The device starts anew with a plan and an MLPerf block in its flash. */
static void place(struct session *session, uint8_t what, const uint8_t *bytes, uint32_t size) {
    const uint32_t room = (uint32_t)sizeof flash - DEMO_ALIGN - (uint32_t)sizeof(struct mlperf_block);
    memcpy(flash, plan.bytes, repair(bytes, size < room ? size : room));
    struct mlperf_block block = {
        .magic = MLPERF_MAGIC,
        .version = MLPERF_VERSION,
        .total_bytes = sizeof block,
        .plan_crc32 = plan.header.crc32,
        .model = "fuzz",
        .input_kind = what & 3,
        .result_kind = what >> 2 & 1,
        .flags = what >> 3 & MLPERF_FLAG_ENERGY,
        .input_scale = 0.0625f,
        .output_scale = 0.0625f,
    };
    const uint32_t begin = offsetof(struct mlperf_block, plan_crc32);
    block.crc32 = crc32_update(0, (const uint8_t *)&block + begin, (uint32_t)sizeof block - begin);
    const uint32_t offset = demo_block_offset(flash, sizeof flash);
    if (offset + sizeof block <= sizeof flash) memcpy(flash + offset, &block, sizeof block);
    start_device(session);
}

static const uint8_t commands[] = {
#define COMMAND(code, name, summary) code,
#include "link/commands.def"
#undef COMMAND
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct session session;
    pools[0] = malloc(SMALL_POOL);
    pools[1] = malloc(LARGE_POOL);
    if (pools[0] == NULL || pools[1] == NULL) abort();
    memset(pools[0], 0xa5, SMALL_POOL);
    memset(pools[1], 0xa5, LARGE_POOL);
    if (decoder.body == NULL) frame_decoder_init(&decoder, answer, sizeof answer);
    memset(flash, 0, sizeof flash);
    start_device(&session);
    put(NULL, (const uint8_t[]){0}, 1);
    work_off(&session);
    request(&session, COMMAND_HELLO, "abcd", 4);

    while (size >= 3) {
        const uint8_t what = data[0];
        const size_t wanted = (size_t)data[1] | (size_t)data[2] << 8;
        data += 3;
        size -= 3;
        const uint32_t count = (uint32_t)(wanted < size ? wanted : size);
        if (what < 0x80) {
            uint8_t payload[MAX_PAYLOAD_BYTES];
            const uint32_t length = count < sizeof payload ? count : (uint32_t)sizeof payload;
            memcpy(payload, data, length);
            const uint8_t command = commands[what % sizeof commands];
            if (command == COMMAND_RUN && length >= 8) {
                const uint32_t runs = load_u32(payload + 4) % (MOST_RUNS + 1);
                memcpy(payload + 4, &runs, sizeof runs);
            }
            request(&session, command, payload, length);
        } else if (what < 0xc0) {
            put_raw(data, count);
            if (what >= 0xa0) put_raw((const uint8_t *)"%", 1);
            work_off(&session);
        } else if (what < 0xe0)
            load(&session, data, count);
        else
            place(&session, what, data, count);
        data += count;
        size -= count;
    }

    hellos = 0;
    put(NULL, (const uint8_t[]){0}, 1);
    work_off(&session);
    hellos = 0;
    const uint32_t number = session.number ^ session.previous_number ^ 0x80000001u;
    if (number == session.number || number == session.previous_number) return 0;
    request(&session, COMMAND_HELLO, &number, sizeof number);
    if (hellos != 1) abort();
    free(pools[0]);
    free(pools[1]);
    return 0;
}
