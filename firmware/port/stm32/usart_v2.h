/* The USART and LPUART of all families after the STM32F4: flags are cleared by a register of their own, data registers are two.
 * RM0385: 31 USART; RM0433: 48 USART, 49 LPUART. family.h defines, before it includes this,
 *   PORT_UART_FIFO    1 if this instance has FIFOs
 *   PORT_UART_LPUART  1 if it is an LPUART, whose BRR counts 256ths
 */
#ifndef TINYCONV_USART_V2_H
#define TINYCONV_USART_V2_H

#include "usart.h"

struct usart {
    volatile uint32_t CR1, CR2, CR3, BRR, GTPR, RTOR, RQR, ISR, ICR, RDR, TDR, PRESC;
};
#define USART_CR1_UE     (1u << 0)
#define USART_CR1_RE     (1u << 2)
#define USART_CR1_TE     (1u << 3)
#define USART_CR1_RXNEIE (1u << 5) /* with FIFOs: not empty */
#define USART_CR1_FIFOEN (1u << 29)
#define USART_ISR_ORE    (1u << 3)
#define USART_ISR_RXNE   (1u << 5)
#define USART_ISR_TC     (1u << 6)
#define USART_ISR_TXE    (1u << 7) /* with FIFOs: not full */
#define USART_ICR_ORECF  (1u << 3)

#if PORT_UART_LPUART
    /* The LPUART wants a clock of 3 to 4096 times the baud rate (RM0433 49.4.4), which is what 0x300 to 0xfffff mean; a faster one
     * is divided by 4 before. */
    #define MAX_CLOCKS            4095u
    #define USART_PRESC(hz, baud) ((hz) / (baud) > MAX_CLOCKS ? 2u : 0u)
    #define USART_BRR(hz, baud) ((uint32_t)((((hz) >> USART_PRESC(hz, baud)) * 256ull + (baud) / 2) / (baud)))
    #define USART_BAUD_FITS(hz, baud) (USART_BRR(hz, baud) >= 0x300 && USART_BRR(hz, baud) <= 0xfffff)
#else
    #define USART_PRESC(hz, baud)     0u
    #define USART_BRR(hz, baud)       USART_DIVISOR(hz, baud)
    #define USART_BAUD_FITS(hz, baud) USART_DIVISOR_FITS(hz, baud)
#endif

/* 8 data bits, no parity, 1 stop bit, an interrupt for what is received. */
static inline void usart_start(struct usart *usart, uint32_t hz, uint32_t baud) {
    if (PORT_UART_LPUART) usart->PRESC = USART_PRESC(hz, baud); /* an STM32F7 has no such register */
    usart->BRR = USART_BRR(hz, baud);
    const uint32_t fifo = PORT_UART_FIFO ? USART_CR1_FIFOEN : 0;
    usart->CR1 = fifo; /* FIFOEN changes only while UE is 0 */
    usart->CR1 = fifo | USART_CR1_UE | USART_CR1_TE | USART_CR1_RE | USART_CR1_RXNEIE;
}

/* Divisor and format change while it is off. */
static inline void usart_stop(struct usart *usart) {
    usart->CR1 &= ~USART_CR1_UE;
}

static inline bool usart_started(const struct usart *usart) {
    return usart->CR1 & USART_CR1_UE;
}

/* An overrun keeps the interrupt up until it is cleared; what was received before it is still there. */
static inline enum usart_event usart_receive(struct usart *usart, uint8_t *byte) {
    const uint32_t status = usart->ISR;
    if (status & USART_ISR_ORE) usart->ICR = USART_ICR_ORECF;
    if ((status & USART_ISR_RXNE) == 0) return status & USART_ISR_ORE ? USART_OVERRUN : USART_NOTHING;
    *byte = (uint8_t)usart->RDR;
    return USART_BYTE;
}

static inline bool usart_has_room(const struct usart *usart) {
    return usart->ISR & USART_ISR_TXE;
}

static inline void usart_send(struct usart *usart, uint8_t byte) {
    usart->TDR = byte;
}

/* Whether the last byte has left. */
static inline bool usart_is_idle(const struct usart *usart) {
    return usart->ISR & USART_ISR_TC;
}

#endif
