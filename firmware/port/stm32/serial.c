/* Receives by interrupt into the ring, sends by polling. */
#include "serial.h"

#include <stddef.h>

#include "../port.h"
#include "family.h"
#include "gpio.h"
#include "ring.h"
#include "startup.h"

#define SEND_POLLS  4000000u /* a byte at 9600 baud takes 1 ms, at most 600,000 cycles */
#define FLUSH_POLLS 4000000u /* at least 40 ms at 550 MHz: more than a full FIFO takes at 9600 baud */

_Static_assert(USART_BAUD_FITS(PORT_UART_HZ, BOARD_UART_BAUD), "uart.baud: more than 1 % off at this clock");
_Static_assert(USART_BAUD_FITS(PORT_UART_HZ, PORT_SLOW_BAUD),
               "the slow line: more than 1 % off at this clock");

static uint8_t own_room[PORT_RX_RING_BYTES];
static struct ring received = RING_IN(own_room);
static uint32_t kernel_hz;

void serial_start(uint32_t uart_hz) {
    gpio_alternate(BOARD_UART_TX_PORT, BOARD_UART_TX_PIN, BOARD_UART_AF);
    gpio_alternate(BOARD_UART_RX_PORT, BOARD_UART_RX_PIN, BOARD_UART_AF);
    *PORT_UART_ENABLE_REG |= PORT_UART_ENABLE;
    (void)*PORT_UART_ENABLE_REG; /* the clock reaches the block after the next bus access */
    kernel_hz = uart_hz;
    usart_start(PORT_UART, kernel_hz, BOARD_UART_BAUD);
    nvic_enable(PORT_UART_IRQ);
}

void uart_irq_handler(void) {
    /* A loop, since QEMU may deliver the next byte within the read of DR and then lowers the interrupt line. A byte lost to an
     * overrun the checksum will find. */
    uint8_t byte;
    enum usart_event event;
    while ((event = usart_receive(PORT_UART, &byte)) != USART_NOTHING)
        if (event == USART_BYTE) ring_put(&received, byte);
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

/* A transmitter that does not empty must not hang the device: after SEND_POLLS its bytes are dropped, and the frame is lost to the host as
 * on a bad line. */
void port_write(const uint8_t *bytes, uint32_t count) {
    static bool stuck;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t polls = stuck ? 1 : SEND_POLLS;
        while (!usart_has_room(PORT_UART) && --polls > 0) {}
        stuck = polls == 0;
        if (!stuck) usart_send(PORT_UART, bytes[i]);
    }
}

void port_flush(void) {
    if (!usart_started(PORT_UART)) return;
    for (uint32_t i = 0; i < FLUSH_POLLS && !usart_is_idle(PORT_UART); i++) {}
}

void port_go_slow(bool slow) {
    port_flush();
    usart_stop(PORT_UART);
    usart_start(PORT_UART, kernel_hz, slow ? PORT_SLOW_BAUD : BOARD_UART_BAUD);
}

void port_wait(void) {
    /* masked, so that a byte between the look and the sleep is pending and WFI falls through */
    IRQ_DISABLE();
    if (ring_empty(&received)) WFI();
    IRQ_ENABLE();
}
