/* Registers that the STM32F4 and the STM32F7 have in common, bit for bit: RCC, PWR, and where GPIO and USART are. Names as in
 * RM0090, RM0390 (F4), RM0385 and RM0410 (F7; its PWR_CR1 and PWR_CSR1 are called PWR_CR and PWR_CSR here). family.h includes this.
 */
#ifndef TINYCONV_F4_F7_H
#define TINYCONV_F4_F7_H

#include "../port.h"
#include "board_config.h" /* generated from the board's manifest */
#include "cortexm.h"

struct rcc {
    volatile uint32_t CR, PLLCFGR, CFGR, CIR;
    volatile uint32_t AHB1RSTR, AHB2RSTR, AHB3RSTR, reserved0;
    volatile uint32_t APB1RSTR, APB2RSTR, reserved1[2];
    volatile uint32_t AHB1ENR, AHB2ENR, AHB3ENR, reserved2;
    volatile uint32_t APB1ENR, APB2ENR;
};
#define RCC                  ((struct rcc *)0x40023800u)
#define RCC_CR_HSION         (1u << 0)
#define RCC_CR_HSIRDY        (1u << 1)
#define RCC_CR_HSEON         (1u << 16)
#define RCC_CR_HSERDY        (1u << 17)
#define RCC_CR_HSEBYP        (1u << 18)
#define RCC_CR_PLLON         (1u << 24)
#define RCC_CR_PLLRDY        (1u << 25)
#define RCC_PLLCFGR_RESERVED 0xf0000000u /* to be left as at reset; PLLR, unused, where there is one */
#define RCC_PLLCFGR_SRC_HSE  (1u << 22)
#define RCC_CFGR_SW_HSI      0u
#define RCC_CFGR_SW_PLL      2u
#define RCC_CFGR_SWS_MASK    (3u << 2)
#define RCC_CFGR_SWS_HSI     (0u << 2)
#define RCC_CFGR_SWS_PLL     (2u << 2)
#define RCC_CFGR_PPRE1_DIV4  (5u << 10)
#define RCC_CFGR_PPRE2_DIV2  (4u << 13)
#define RCC_APB1ENR_PWREN    (1u << 28)

#define FLASH_ACR              REG32(0x40023c00u)
#define FLASH_ACR_LATENCY_MASK 0xfu
#define FLASH_ACR_PRFTEN       (1u << 8)

#define PWR_CR          REG32(0x40007000u)
#define PWR_CR_ODEN     (1u << 16)
#define PWR_CR_ODSWEN   (1u << 17)
#define PWR_CSR         REG32(0x40007004u)
#define PWR_CSR_VOSRDY  (1u << 14)
#define PWR_CSR_ODRDY   (1u << 16)
#define PWR_CSR_ODSWRDY (1u << 17)

#define GPIO_BASE       0x40020000u
#define GPIO_ENABLE_REG (&RCC->AHB1ENR)
#define TIM2_ENABLE_REG (&RCC->APB1ENR)
#define TIM2_ENABLE     (1u << 0)

/* What the last reset was, and where the independent watchdog is. */
#define RCC_CSR             REG32(0x40023874u)
#define RCC_CSR_RMVF        (1u << 24)
#define RCC_CSR_IWDGRSTF    (1u << 29)
#define RCC_CSR_SFTRSTF     (1u << 28)
#define RCC_CSR_PINRSTF     (1u << 26)
#define RCC_CSR_PORRSTF     (1u << 27)
#define RCC_CSR_BORRSTF     (1u << 25)
#define RESET_FLAGS_REG     RCC_CSR
#define RESET_FLAGS_CLEAR   RCC_CSR_RMVF
#define RESET_FLAG_WATCHDOG RCC_CSR_IWDGRSTF
#define RESET_FLAG_SOFTWARE RCC_CSR_SFTRSTF
#define RESET_FLAG_PIN      RCC_CSR_PINRSTF
#define RESET_FLAGS_POWER   (RCC_CSR_PORRSTF | RCC_CSR_BORRSTF)
#define IWDG_BASE           0x40003000u

#define RESET_CLOCK_HZ 16000000u
#define APB1_DIVIDER   4u /* at the manifest's clock */
#define APB2_DIVIDER   2u

/* base address, interrupt, bit in APB1ENR or APB2ENR, and which of the two buses */
#if BOARD_UART_INSTANCE == 1
    #define PORT_UART        ((struct usart *)0x40011000u)
    #define PORT_UART_IRQ    37
    #define PORT_UART_ENABLE (1u << 4)
    #define PORT_UART_BUS    2
#elif BOARD_UART_INSTANCE == 2
    #define PORT_UART        ((struct usart *)0x40004400u)
    #define PORT_UART_IRQ    38
    #define PORT_UART_ENABLE (1u << 17)
    #define PORT_UART_BUS    1
#elif BOARD_UART_INSTANCE == 3
    #define PORT_UART        ((struct usart *)0x40004800u)
    #define PORT_UART_IRQ    39
    #define PORT_UART_ENABLE (1u << 18)
    #define PORT_UART_BUS    1
#elif BOARD_UART_INSTANCE == 6
    #define PORT_UART        ((struct usart *)0x40011400u)
    #define PORT_UART_IRQ    71
    #define PORT_UART_ENABLE (1u << 5)
    #define PORT_UART_BUS    2
#else
    #error "uart.instance must be 1, 2, 3 or 6"
#endif

#if PORT_UART_BUS == 1
    #define PORT_UART_ENABLE_REG (&RCC->APB1ENR)
    #define PORT_UART_DIVIDER    APB1_DIVIDER
#else
    #define PORT_UART_ENABLE_REG (&RCC->APB2ENR)
    #define PORT_UART_DIVIDER    APB2_DIVIDER
#endif
#define PORT_UART_HZ (BOARD_CLOCK_HZ / PORT_UART_DIVIDER)

#endif
