/* The way in: bytes from the port become requests, requests become answers. */
#ifndef TINYCONV_RECEIVE_H
#define TINYCONV_RECEIVE_H

#include "../port/port.h"
#include "session.h"

/* What HELLO promises: the port's receive ring, less room for a HELLO of a host that has just restarted. */
#define RX_WINDOW_BYTES (PORT_RX_RING_BYTES - 64u)

/* Works off these bytes, as if the port had received them. */
void receive_bytes(struct session *session, const uint8_t *bytes, uint32_t count);

/* Works off everything that the port has received so far. */
void receive(struct session *session);

#endif
