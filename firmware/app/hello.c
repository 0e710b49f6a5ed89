/* HELLO: who the device is. PROTOCOL.md has the layout. */
#include <string.h>

#include "../kernels/kernel.h"
#include "../link/frame.h"
#include "../port/port.h"
#include "build_info.h"
#include "handlers.h"
#include "receive.h"

struct hello {
    uint16_t protocol_version;
    uint16_t plan_version;
    uint8_t build_hash[BUILD_HASH_BYTES];
    uint32_t clock_hz;
    uint8_t clock_source;
    uint8_t counter_kind;
    uint8_t flags;
    uint8_t core;
    uint32_t pool_bytes[PORT_MAX_POOLS];
    uint32_t hot_code_bytes;
    uint32_t flash_plan_bytes;
    uint32_t rx_window_bytes;
    uint16_t max_payload_bytes;
    uint16_t kernel_count;
    struct port_fault fault;
    uint32_t session_number;
    struct port_stack stack;
    uint8_t reset_cause;
    uint8_t reserved[3];
    uint32_t watchdog_ms;
};
_Static_assert(sizeof(struct hello) == 88, "PROTOCOL.md: strings begin at 88");

/* Appends a length byte and the text, shortened to what fits; returns the new length. */
static uint32_t put_string(uint8_t *buffer, uint32_t length, const char *text) {
    size_t bytes = strlen(text);
    if (bytes > 255) bytes = 255;
    buffer[length] = (uint8_t)bytes;
    memcpy(buffer + length + 1, text, bytes);
    return length + 1 + (uint32_t)bytes;
}
_Static_assert(sizeof(struct hello) + 3 * 256 < MAX_PAYLOAD_BYTES, "the strings always fit");

enum status handle_HELLO(struct session *session, const struct request *request, struct reply *reply) {
    const enum status status = expect_length(request, 4, reply);
    if (status != STATUS_OK) return status;
    const uint32_t number = load_u32(request->payload);
    if (session->greeted && session->number != number) {
        session->fault_forgotten = true;
        session->previous_number = session->number;
        session->greeted_before = true;
    }
    session->run_kept = false;
    session->greeted = true;
    session->number = number;
    session->newest_sequence = request->sequence;

    const struct port_info info = port_info();
    struct hello hello = {
        .protocol_version = PROTOCOL_VERSION,
        .plan_version = PLAN_VERSION,
        .clock_hz = info.clock_hz,
        .clock_source = info.clock_source,
        .counter_kind = info.counter_kind,
        .flags = info.flags,
        .core = info.core,
        .hot_code_bytes = info.hot_code_bytes,
        .rx_window_bytes = RX_WINDOW(PORT_RX_RING_BYTES),
        .max_payload_bytes = MAX_PAYLOAD_BYTES,
        .kernel_count = (uint16_t)kernel_count,
        .session_number = number,
        .stack = port_stack(),
        .reset_cause = (uint8_t)port_reset_cause(),
        .watchdog_ms = port_watchdog_ms(),
    };
    memcpy(hello.build_hash, build_hash, sizeof hello.build_hash);
    for (uint32_t i = 0; i < session->pools.count; i++) hello.pool_bytes[i] = session->pools.at[i].bytes;
    port_flash_plan(&hello.flash_plan_bytes);
    if (!session->fault_forgotten) hello.fault = port_last_fault();

    memcpy(reply->buffer, &hello, sizeof hello);
    uint32_t length = sizeof hello;
    length = put_string(reply->buffer, length, build_board);
    length = put_string(reply->buffer, length, build_compiler);
    length = put_string(reply->buffer, length, build_flags);
    for (uint32_t i = 0; i < kernel_count && length + 2 <= MAX_PAYLOAD_BYTES; i++, length += 2)
        memcpy(reply->buffer + length, &kernel_table[i].id, 2);
    reply->payload = reply->buffer;
    reply->length = length;
    return STATUS_OK;
}
