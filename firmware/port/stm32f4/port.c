/* The STM32F4 port: serial line and counter. RM0090: 8 GPIO, 18 TIM2, 30 USART. */
#include "../port.h"

#include "clock.h"
#include "family.h"
#include "ring.h"
#include "startup.h"

#define GPIO_MODE_ALTERNATE 2u
#define GPIO_SPEED_HIGH     2u
#define GPIO_PULL_UP        1u
#define FLUSH_POLLS         1000000u /* at least 30 ms at 168 MHz: far more than one byte takes */

static struct ring received;
static struct clock clock;
static bool dwt_counts;

static void pin_start(uint32_t port, uint32_t pin) {
    RCC->AHB1ENR |= 1u << port;
    (void)RCC->AHB1ENR;
    struct gpio *gpio = GPIO(port);
    volatile uint32_t *afr = &gpio->AFR[pin / 8];
    const uint32_t nibble = pin % 8 * 4;
    *afr = (*afr & ~(0xfu << nibble)) | (uint32_t)BOARD_UART_AF << nibble;
    gpio->OSPEEDR |= GPIO_SPEED_HIGH << (pin * 2);
    gpio->PUPDR |= GPIO_PULL_UP << (pin * 2); /* an open line must not look like data */
    gpio->MODER = (gpio->MODER & ~(3u << (pin * 2))) | GPIO_MODE_ALTERNATE << (pin * 2);
}

static void uart_start(void) {
    pin_start(BOARD_UART_TX_PORT, BOARD_UART_TX_PIN);
    pin_start(BOARD_UART_RX_PORT, BOARD_UART_RX_PIN);
    volatile uint32_t *enable = PORT_UART_BUS == 1 ? &RCC->APB1ENR : &RCC->APB2ENR;
    const uint32_t bus_hz = PORT_UART_BUS == 1 ? clock.apb1_hz : clock.apb2_hz;
    *enable |= PORT_UART_ENABLE;
    (void)*enable;
    PORT_UART->BRR = (bus_hz + BOARD_UART_BAUD / 2) / BOARD_UART_BAUD;
    PORT_UART->CR1 = USART_CR1_UE | USART_CR1_TE | USART_CR1_RE | USART_CR1_RXNEIE;
    nvic_enable(PORT_UART_IRQ);
}

/* Cycles on a chip. QEMU has no cycle counter, but its TIM2 counts nanoseconds of virtual time, and the manifest's icount_shift
 * of 0 makes every instruction take one. */
static void counter_start(void) {
    dwt_start();
    const uint32_t before = DWT_CYCCNT;
    for (uint32_t i = 0; i < 16; i++) ISB();
    dwt_counts = DWT_CYCCNT != before;
    if (dwt_counts || !BOARD_EMULATED) return;
    _Static_assert(!BOARD_EMULATED || BOARD_ICOUNT_SHIFT == 0,
                   "TIM2 counts instructions only with icount_shift 0");
    RCC->APB1ENR |= RCC_APB1ENR_TIM2EN;
    TIM2->CR1 = TIM_CR1_CEN;
}

void port_init(void) {
    clock = clock_start();
    counter_start();
    uart_start();
}

struct port_info port_info(void) {
    struct port_info info = {
        .clock_hz = clock.core_hz,
        .clock_source = (uint8_t)clock.source,
        .counter_kind = dwt_counts       ? COUNTER_CYCLES
                        : BOARD_EMULATED ? COUNTER_INSTRUCTIONS
                                         : COUNTER_NONE,
        .flags = BOARD_EMULATED ? PORT_EMULATED : 0,
        .core = BOARD_CORE,
    };
    const uint32_t acr = FLASH_ACR;
    if (acr & FLASH_ACR_ICEN) info.flags |= PORT_ICACHE;
    if (acr & FLASH_ACR_DCEN) info.flags |= PORT_DCACHE;
    if (acr & FLASH_ACR_PRFTEN) info.flags |= PORT_PREFETCH;
    return info;
}

void uart_irq_handler(void) {
    /* A loop, since QEMU may deliver the next byte within the read of DR and then lowers the interrupt line. Reading SR, then
     * DR also clears an overrun, whose lost byte the checksum will find. */
    uint32_t status;
    while ((status = PORT_UART->SR) & (USART_SR_RXNE | USART_SR_ORE)) {
        const uint8_t byte = (uint8_t)PORT_UART->DR;
        if (status & USART_SR_RXNE) ring_put(&received, byte);
    }
}

uint32_t port_read(uint8_t *bytes, uint32_t capacity) {
    return ring_take(&received, bytes, capacity);
}

void port_write(const uint8_t *bytes, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        while ((PORT_UART->SR & USART_SR_TXE) == 0) {}
        PORT_UART->DR = bytes[i];
    }
}

void port_flush(void) {
    if ((PORT_UART->CR1 & USART_CR1_UE) == 0) return;
    for (uint32_t i = 0; i < FLUSH_POLLS && (PORT_UART->SR & USART_SR_TC) == 0; i++) {}
}

void port_wait(void) {
    /* masked, so that a byte between the look and the sleep is pending and WFI falls through */
    IRQ_DISABLE();
    if (ring_empty(&received)) WFI();
    IRQ_ENABLE();
}

uint32_t port_counter(void) {
    return dwt_counts ? DWT_CYCCNT : TIM2->CNT;
}
