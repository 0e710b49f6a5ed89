/* Arm MPS2 with AN500 (Cortex-M7): the CMSDK peripherals that QEMU's mps2-an500 has. Names as in Arm DDI 0479. */
#ifndef TINYCONV_FAMILY_H
#define TINYCONV_FAMILY_H

#include "board_config.h" /* generated from the board's manifest */
#include "cortexm.h"

struct cmsdk_uart {
    volatile uint32_t DATA, STATE, CTRL, INTSTATUS, BAUDDIV;
};
#define PORT_UART              ((struct cmsdk_uart *)(0x40004000u + 0x1000u * BOARD_UART_INSTANCE))
#define PORT_UART_IRQ          (2 * BOARD_UART_INSTANCE) /* receive; 2n + 1 is transmit */
#define UART_STATE_TX_FULL     (1u << 0)
#define UART_STATE_RX_FULL     (1u << 1)
#define UART_CTRL_TX_ENABLE    (1u << 0)
#define UART_CTRL_RX_ENABLE    (1u << 1)
#define UART_CTRL_RX_INTERRUPT (1u << 3)
#define UART_INT_RX            (1u << 1)

struct cmsdk_timer {
    volatile uint32_t CTRL, VALUE, RELOAD, INTSTATUS;
};
#define TIMER0            ((struct cmsdk_timer *)0x40000000u)
#define TIMER_CTRL_ENABLE (1u << 0)

#define PERIPHERAL_HZ 25000000u

#endif
