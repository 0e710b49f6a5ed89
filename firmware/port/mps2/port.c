/* QEMU's mps2-an500. Only an emulator is meant: on the FPGA board the counter would be wrong. */
#include "../port.h"

#include <stddef.h>

#include "family.h"
#include "ring.h"
#include "startup.h"

/* The timer counts 25 MHz of virtual time, one tick every 40 ns; with an icount shift of 7 an instruction takes 128 ns, 16/5 ticks.
 * Virtual time also passes while the core sleeps, so instructions fall anywhere between two ticks: n of them show as 16/5 n ticks,
 * give or take less than one, hence as n +- 5/16 instructions, and rounding gives n. (A shift of 6 would leave +- 5/8: not exact.) */
_Static_assert(BOARD_ICOUNT_SHIFT == 7, "port_counter() is made for icount_shift 7");

#define SEND_POLLS 4000000u /* then the byte is lost, as on a bad line */

static uint8_t own_room[PORT_RX_RING_BYTES];
static struct ring received = RING_IN(own_room);
static uint32_t instructions;
static uint32_t last_value = UINT32_MAX;

void port_init(void) {
    TIMER0->RELOAD = UINT32_MAX;
    TIMER0->VALUE = UINT32_MAX;
    TIMER0->CTRL = TIMER_CTRL_ENABLE;
    PORT_UART->BAUDDIV = (PERIPHERAL_HZ + BOARD_UART_BAUD / 2) / BOARD_UART_BAUD;
    PORT_UART->CTRL = UART_CTRL_TX_ENABLE | UART_CTRL_RX_ENABLE | UART_CTRL_RX_INTERRUPT;
    (void)PORT_UART->DATA; /* tells QEMU, which had refused what came before, that it may deliver again */
    nvic_enable(PORT_UART_IRQ);
}

struct port_info port_info(void) {
    return (struct port_info){
        .clock_hz = BOARD_CLOCK_HZ,
        .clock_source = CLOCK_EMULATED,
        .counter_kind = COUNTER_INSTRUCTIONS,
        .flags = PORT_EMULATED,
        .core = BOARD_CORE,
        .hot_code_bytes = hot_code_bytes(),
    };
}

void uart_irq_handler(void) {
    /* cleared first, so that a byte that comes in between asks again */
    PORT_UART->INTSTATUS = UART_INT_RX;
    while (PORT_UART->STATE & UART_STATE_RX_FULL) ring_put(&received, (uint8_t)PORT_UART->DATA);
}

uint32_t port_read(uint8_t *bytes, uint32_t capacity) {
    return ring_take(&received, bytes, capacity);
}

uint32_t port_peek(uint32_t from, uint8_t *bytes, uint32_t capacity) {
    return ring_peek(&received, from, bytes, capacity);
}

void port_keep_received(uint8_t *room, uint32_t bytes) {
    IRQ_DISABLE();
    ring_move(&received, room != NULL ? room : own_room, room != NULL ? bytes : PORT_RX_RING_BYTES);
    IRQ_ENABLE();
}

void port_write(const uint8_t *bytes, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t polls = 0; polls < SEND_POLLS && (PORT_UART->STATE & UART_STATE_TX_FULL); polls++) {}
        PORT_UART->DATA = bytes[i];
    }
}

void port_flush(void) {
    for (uint32_t i = 0; i < 100000u && (PORT_UART->STATE & UART_STATE_TX_FULL); i++) {}
}

void port_go_slow(bool slow) {
    (void)slow;
}

bool port_has_energy_pin(void) {
    return false;
}

void port_pulse(void) {}

void port_wait(void) {
    IRQ_DISABLE();
    if (ring_empty(&received)) WFI();
    IRQ_ENABLE();
}

enum reset_cause port_reset_cause(void) {
    return RESET_UNKNOWN;
}

uint32_t port_watchdog_ms(void) {
    return 0;
}

void port_feed(void) {}

/* Exact for up to 1.3 thousand million instructions since the last look. */
uint32_t port_counter(void) {
    const uint32_t value = TIMER0->VALUE; /* counts down, modulo 2^32 */
    const uint64_t ticks = last_value - value;
    last_value = value;
    instructions += (uint32_t)((ticks * 5 + 8) / 16);
    return instructions;
}
