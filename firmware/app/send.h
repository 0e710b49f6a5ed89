/* The way out: one frame, straight to the port. */
#ifndef TINYCONV_SEND_H
#define TINYCONV_SEND_H

#include <stdint.h>

#include "../link/frame.h"
#include "../runtime/plan.h"

/* Sends a frame of this protocol version. `length` is at most MAX_PAYLOAD_BYTES. */
void send_frame(enum frame_kind kind, uint32_t command, enum status status, uint16_t sequence,
                const void *payload, uint32_t length);

/* Sends bytes that are no frame. The next frame is then parted from them by a zero, so that nothing of it is lost. */
void send_text(const char *text, uint32_t count);

/* The answer to a frame of another version: itself of version 1, which every host can read. */
void send_bad_version(uint32_t command, uint16_t sequence);

#endif
