/* Received bytes between the interrupt that puts and the program that takes. One of each, so it needs no lock: each index has
 * one writer. Indices run on modulo 2^32; the size is a power of two. Where the bytes are changes only while interrupts are off. */
#ifndef TINYCONV_RING_H
#define TINYCONV_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "../port.h"

_Static_assert((PORT_RX_RING_BYTES & (PORT_RX_RING_BYTES - 1)) == 0, "indices are masked");

struct ring {
    volatile uint32_t put;
    volatile uint32_t taken;
    uint32_t mask; /* of an index: the size less one */
    uint8_t *bytes;
};

/* A ring, empty, of PORT_RX_RING_BYTES. */
#define RING_IN(own) {.mask = sizeof(own) - 1, .bytes = (own)}

static inline bool ring_empty(const struct ring *ring) {
    return ring->put == ring->taken;
}

/* Drops the byte if the ring is full: the frame's checksum will tell. */
static inline void ring_put(struct ring *ring, uint8_t byte) {
    const uint32_t put = ring->put;
    if (put - ring->taken > ring->mask) return;
    ring->bytes[put & ring->mask] = byte;
    __asm volatile("" ::: "memory"); /* the byte before the index */
    ring->put = put + 1;
}

/* Copies what lies `from` bytes behind the oldest byte; takes nothing. */
static inline uint32_t ring_peek(const struct ring *ring, uint32_t from, uint8_t *bytes, uint32_t capacity) {
    const uint32_t there = ring->put - ring->taken;
    const uint32_t behind = from < there ? there - from : 0;
    const uint32_t count = behind < capacity ? behind : capacity;
    const uint32_t first = ring->taken + from;
    for (uint32_t i = 0; i < count; i++) bytes[i] = ring->bytes[(first + i) & ring->mask];
    return count;
}

static inline uint32_t ring_take(struct ring *ring, uint8_t *bytes, uint32_t capacity) {
    const uint32_t count = ring_peek(ring, 0, bytes, capacity);
    __asm volatile("" ::: "memory"); /* the bytes before their place is free */
    ring->taken += count;
    return count;
}

/* Moves what is in the ring to another place, interrupts being off; what does not fit is lost. */
static inline void ring_move(struct ring *ring, uint8_t *bytes, uint32_t size) {
    if (ring->bytes == bytes) return;
    ring->put = ring_peek(ring, 0, bytes, size);
    ring->taken = 0;
    ring->mask = size - 1;
    ring->bytes = bytes;
}

#endif
