/* Joins the parts: a port, a session, and requests until the power goes. */
#include "../port/port.h"
#include "receive.h"
#include "session.h"

int main(void) {
    static struct session session;
    port_init();
    session_init(&session);
    for (;;) {
        receive(&session);
        if (session.reset_requested) port_reset();
        port_wait();
    }
}
