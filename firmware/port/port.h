/* What a board must offer to the rest of the firmware; one folder a family implements it. */
#ifndef TINYCONV_PORT_H
#define TINYCONV_PORT_H

#include <stdbool.h>
#include <stdint.h>

/* Received bytes that a port keeps until port_read() takes them, unless it is given more room; more are lost. A power of two. */
#define PORT_RX_RING_BYTES 4096u

/* Bits a second of the slow serial line. */
#define PORT_SLOW_BAUD 9600u

/* Most banks of RAM that port_pool() knows. */
#define PORT_MAX_POOLS 4u

enum clock_source {
    CLOCK_RESET_DEFAULT,
    CLOCK_PLL_CRYSTAL,
    CLOCK_PLL_INTERNAL,
    CLOCK_FELL_BACK,
    CLOCK_EMULATED
};
enum counter_kind { COUNTER_NONE, COUNTER_CYCLES, COUNTER_INSTRUCTIONS };
enum port_flag { PORT_EMULATED = 1, PORT_ICACHE = 2, PORT_DCACHE = 4, PORT_PREFETCH = 8 };

struct port_info {
    uint32_t clock_hz;
    uint8_t clock_source;    /* enum clock_source */
    uint8_t counter_kind;    /* enum counter_kind */
    uint8_t flags;           /* enum port_flag */
    uint8_t core;            /* 4, 7, 33; 0 native */
    uint32_t hot_code_bytes; /* of code that start-up has copied to tightly coupled RAM */
};

/* What made the device start; RESET_WATCHDOG says that the watchdog did. */
enum reset_cause { RESET_UNKNOWN, RESET_POWER, RESET_PIN, RESET_SOFTWARE, RESET_WATCHDOG, RESET_OTHER };

/* The stack's size and the most of it that was ever in use since the start, in bytes; 0 where nobody knows. */
struct port_stack {
    uint32_t bytes;
    uint32_t used;
};

/* Registers at a fault, kept over the reset that follows it. kind is the exception number, 0 for none; PORT_FAULT_STACK is added if
 * the stack had overflowed. */
#define PORT_FAULT_STACK 256u
struct port_fault {
    uint32_t kind;
    uint32_t pc;
    uint32_t lr;
    uint32_t cfsr;
};

/* Clock, serial port, counter. Never hangs: what does not start in time falls back and says so in port_info(). */
void port_init(void);

struct port_info port_info(void);

/* Up to `capacity` received bytes, 0 if none are there. Never waits. */
uint32_t port_read(uint8_t *bytes, uint32_t capacity);

/* As port_read(), but takes nothing; begins `from` bytes behind what port_read() would give next. Never waits. */
uint32_t port_peek(uint32_t from, uint8_t *bytes, uint32_t capacity);

/* Keeps received bytes at `room` from now on, a power of two of bytes from PORT_RX_RING_BYTES on; NULL: at a place of the port's own. What has
 * arrived moves there, and is lost where it does not fit. */
void port_keep_received(uint8_t *room, uint32_t bytes);

/* Sends all bytes; returns when they are handed to the hardware. */
void port_write(const uint8_t *bytes, uint32_t count);

/* Changes the serial line's rate as soon as all has been sent: to PORT_SLOW_BAUD, or back to the manifest's. What arrives meanwhile is lost. */
void port_go_slow(bool slow);

/* Whether the board has a pin that tells an energy monitor when something happens. */
bool port_has_energy_pin(void);

/* Pulls that pin low for some milliseconds, at least one; between pulses, and from the first on, it is high. */
void port_pulse(void);

/* Sleeps until something may have been received. */
void port_wait(void);

/* Cycles or instructions so far, modulo 2^32. Differences are exact. */
uint32_t port_counter(void);

/* A bank of RAM for plan, counts and arena, 8-byte aligned; 0 is the fastest. NULL and no bytes behind the last. */
uint8_t *port_pool(uint32_t index, uint32_t *bytes);

/* The flash region for plans; *bytes is 0 if there is none. */
const uint8_t *port_flash_plan(uint32_t *bytes);

/* The fault before the last reset. */
struct port_fault port_last_fault(void);

enum reset_cause port_reset_cause(void);

struct port_stack port_stack(void);

/* The longest time between two calls of port_feed() before the watchdog restarts the device, in ms; 0 if none runs. */
uint32_t port_watchdog_ms(void);

/* Tells the watchdog that the program goes on. */
void port_feed(void);

/* Restarts the device; does not return. */
_Noreturn void port_reset(void);

#endif
