/* Joins the parts: a port, a demo as long as nobody talks, a session, and requests until the power goes. */
#include "../port/port.h"
#include "demo/demo.h"
#include "mlperf/mlperf.h"
#include "receive.h"
#include "session.h"

int main(void) {
    static struct session session;
    port_init();
    session_init(&session);
    uint8_t first_byte;
    if (demo_run(&first_byte)) receive_byte(&session, first_byte);
    mlperf_start(&session);
    for (;;) {
        receive(&session);
        if (session.reset_requested) port_reset();
        port_wait();
        port_feed();
    }
}
