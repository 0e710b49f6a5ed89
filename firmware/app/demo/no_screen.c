/* For boards without a display: firmware/display/, if it is linked, takes the place of these. */
#include "screen.h"

__attribute__((weak)) bool screen_start(const struct demo_block *block, uint8_t *spare,
                                        uint32_t spare_bytes) {
    (void)block;
    (void)spare;
    (void)spare_bytes;
    return false;
}

__attribute__((weak)) void screen_show(const struct demo_result *result) {
    (void)result;
}

__attribute__((weak)) void screen_stop(void) {}
