/* The USART of the STM32F4: one status and one data register. RM0090: 30 USART. */
#ifndef TINYCONV_USART_V1_H
#define TINYCONV_USART_V1_H

#include "usart.h"

struct usart {
    volatile uint32_t SR, DR, BRR, CR1, CR2, CR3;
};
#define USART_SR_ORE     (1u << 3)
#define USART_SR_RXNE    (1u << 5)
#define USART_SR_TC      (1u << 6)
#define USART_SR_TXE     (1u << 7)
#define USART_CR1_RE     (1u << 2)
#define USART_CR1_TE     (1u << 3)
#define USART_CR1_RXNEIE (1u << 5)
#define USART_CR1_UE     (1u << 13)

#define USART_BAUD_FITS(hz, baud) USART_DIVISOR_FITS(hz, baud)

/* 8 data bits, no parity, 1 stop bit, an interrupt for what is received. */
static inline void usart_start(struct usart *usart, uint32_t hz, uint32_t baud) {
    usart->BRR = USART_DIVISOR(hz, baud);
    usart->CR1 = USART_CR1_UE | USART_CR1_TE | USART_CR1_RE | USART_CR1_RXNEIE;
}

/* Divisor and format change while it is off. */
static inline void usart_stop(struct usart *usart) {
    usart->CR1 = 0;
}

static inline bool usart_started(const struct usart *usart) {
    return usart->CR1 & USART_CR1_UE;
}

/* Reading SR, then DR also clears an overrun. */
static inline enum usart_event usart_receive(struct usart *usart, uint8_t *byte) {
    const uint32_t status = usart->SR;
    if ((status & (USART_SR_RXNE | USART_SR_ORE)) == 0) return USART_NOTHING;
    *byte = (uint8_t)usart->DR;
    return status & USART_SR_RXNE ? USART_BYTE : USART_OVERRUN;
}

static inline bool usart_has_room(const struct usart *usart) {
    return usart->SR & USART_SR_TXE;
}

static inline void usart_send(struct usart *usart, uint8_t byte) {
    usart->DR = byte;
}

/* Whether the last byte has left. */
static inline bool usart_is_idle(const struct usart *usart) {
    return usart->SR & USART_SR_TC;
}

#endif
