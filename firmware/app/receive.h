/* The way in: bytes from the port become requests, requests become answers. */
#ifndef TINYCONV_RECEIVE_H
#define TINYCONV_RECEIVE_H

#include "../link/frame.h"
#include "../port/port.h"
#include "session.h"

/* What a host may have on its way of a ring: all less room for a HELLO of a host that has just restarted. */
#define RX_WINDOW(ring_bytes) ((ring_bytes) - 64u)

/* Works off a byte that was taken from the port already. */
void receive_byte(struct session *session, uint8_t byte);

/* Works off everything that the port has received so far. */
void receive(struct session *session);

/* Looks for a new host among the bytes that came while a request is worked off: its HELLO is whole and sound. Takes nothing. */
struct lookout {
    uint32_t seen; /* bytes of the port */
    struct frame_decoder decoder;
    uint8_t body[FRAME_OVERHEAD_BYTES + 4]; /* longer frames are no HELLO */
};
void lookout_init(struct lookout *lookout);
bool lookout_new_host(struct lookout *lookout, const struct session *session);

#endif
