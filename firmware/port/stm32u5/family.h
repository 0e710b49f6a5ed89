/* STM32U575/585, TrustZone off (TZEN = 0): registers that the port uses, at their non-secure addresses. Names as in the reference
 * manual RM0456. */
#ifndef TINYCONV_FAMILY_H
#define TINYCONV_FAMILY_H

#include "../port.h"
#include "board_config.h" /* generated from the board's manifest */
#include "cortexm.h"

#if !defined(BOARD_STM32U575) && !defined(BOARD_STM32U585)
    #error "stm32u5: cmsis_pack must be an STM32U575 or U585"
#endif

#define PORT_UART_FIFO   1
#define PORT_UART_LPUART 0
#include "usart_v2.h"

struct rcc {
    volatile uint32_t CR, reserved0, ICSCR1, ICSCR2, ICSCR3, CRRCR, reserved1, CFGR1, CFGR2, CFGR3;
    volatile uint32_t PLL1CFGR, PLL2CFGR, PLL3CFGR, PLL1DIVR, reserved2[20];
    volatile uint32_t AHB1ENR, AHB2ENR1, AHB2ENR2, AHB3ENR, reserved3, APB1ENR1, APB1ENR2, APB2ENR, APB3ENR;
    volatile uint32_t reserved4[13], CCIPR1;
};
#define RCC                         ((struct rcc *)0x46020c00u)
#define RCC_CR_MSISON               (1u << 0)
#define RCC_CR_MSISRDY              (1u << 2)
#define RCC_CR_HSION                (1u << 8)
#define RCC_CR_HSIRDY               (1u << 10)
#define RCC_CR_HSEON                (1u << 16)
#define RCC_CR_HSERDY               (1u << 17)
#define RCC_CR_HSEBYP               (1u << 18)
#define RCC_CR_PLL1ON               (1u << 24)
#define RCC_CR_PLL1RDY              (1u << 25)
#define RCC_ICSCR1_MSIRGSEL         (1u << 23)
#define RCC_ICSCR1_MSISRANGE_MASK   (0xfu << 28)
#define RCC_ICSCR1_MSISRANGE_24_MHZ (1u << 28)
#define RCC_CFGR1_SW_MASK           3u
#define RCC_CFGR1_SW_PLL1           3u
#define RCC_CFGR1_SWS_MASK          (3u << 2)
#define RCC_CFGR1_SWS_MSIS          0u
#define RCC_CFGR1_SWS_PLL1          (3u << 2)
#define RCC_CFGR2_HPRE_MASK         0xfu
#define RCC_CFGR2_HPRE_DIV2         8u
#define RCC_PLL1CFGR_SRC_HSI16      2u
#define RCC_PLL1CFGR_SRC_HSE        3u
#define RCC_PLL1CFGR_RGE_4_8_MHZ    0u
#define RCC_PLL1CFGR_RGE_8_16_MHZ   (3u << 2)
#define RCC_PLL1CFGR_REN            (1u << 18)
#define RCC_AHB3ENR_PWREN           (1u << 2)

/* In CCIPR1, USARTnSEL of USART1 to 3: their bus, or the system clock before its prescalers. */
#define UART_KERNEL_MASK   (3u << 2 * (BOARD_UART_INSTANCE - 1))
#define UART_KERNEL_SYSCLK (1u << 2 * (BOARD_UART_INSTANCE - 1))

struct pwr {
    volatile uint32_t CR1, CR2, CR3, VOSR;
};
#define PWR                 ((struct pwr *)0x46020800u)
#define PWR_VOSR_BOOSTRDY   (1u << 14)
#define PWR_VOSR_VOSRDY     (1u << 15)
#define PWR_VOSR_VOS_MASK   (3u << 16)
#define PWR_VOSR_VOS_RANGE1 (3u << 16)
#define PWR_VOSR_BOOSTEN    (1u << 18)

#define FLASH_ACR              REG32(0x40022000u)
#define FLASH_ACR_LATENCY_MASK 0xfu
#define FLASH_ACR_PRFTEN       (1u << 8)

struct icache {
    volatile uint32_t CR, SR;
};
#define ICACHE             ((struct icache *)0x40030400u)
#define ICACHE_CR_EN       (1u << 0)
#define ICACHE_CR_CACHEINV (1u << 1)
#define ICACHE_SR_BUSYF    (1u << 0)

#define RESET_CLOCK_HZ 4000000u /* MSIS */

#define GPIO_BASE       0x42020000u
#define GPIO_ENABLE_REG (&RCC->AHB2ENR1)

/* base address, interrupt, register and bit of its bus clock, which is also its kernel clock unless CCIPR1 says otherwise */
#if BOARD_UART_INSTANCE == 1
    #define PORT_UART            ((struct usart *)0x40013800u)
    #define PORT_UART_IRQ        61
    #define PORT_UART_ENABLE_REG (&RCC->APB2ENR)
    #define PORT_UART_ENABLE     (1u << 14)
#elif BOARD_UART_INSTANCE == 2
    #define PORT_UART            ((struct usart *)0x40004400u)
    #define PORT_UART_IRQ        62
    #define PORT_UART_ENABLE_REG (&RCC->APB1ENR1)
    #define PORT_UART_ENABLE     (1u << 17)
#elif BOARD_UART_INSTANCE == 3
    #define PORT_UART            ((struct usart *)0x40004800u)
    #define PORT_UART_IRQ        63
    #define PORT_UART_ENABLE_REG (&RCC->APB1ENR1)
    #define PORT_UART_ENABLE     (1u << 18)
#else
    #error "uart.instance must be 1, 2 or 3"
#endif
#define PORT_UART_HZ BOARD_CLOCK_HZ /* AHB and APB run as fast as the core */

/* What of the flash's accelerators is on, as enum port_flag. The instruction cache sits on the C-bus and serves data of the flash too. */
static inline uint32_t accelerator_flags(void) {
    return (ICACHE->CR & ICACHE_CR_EN ? PORT_ICACHE : 0) | (FLASH_ACR & FLASH_ACR_PRFTEN ? PORT_PREFETCH : 0);
}

/* What the last reset was, and where the independent watchdog is. */
#define RCC_CSR             REG32(0x46020cf4u)
#define RCC_CSR_RMVF        (1u << 23)
#define RCC_CSR_IWDGRSTF    (1u << 29)
#define RCC_CSR_SFTRSTF     (1u << 28)
#define RCC_CSR_PINRSTF     (1u << 26)
#define RCC_CSR_BORRSTF     (1u << 27)
#define RESET_FLAGS_REG     RCC_CSR
#define RESET_FLAGS_CLEAR   RCC_CSR_RMVF
#define RESET_FLAG_WATCHDOG RCC_CSR_IWDGRSTF
#define RESET_FLAG_SOFTWARE RCC_CSR_SFTRSTF
#define RESET_FLAG_PIN      RCC_CSR_PINRSTF
#define RESET_FLAGS_POWER   RCC_CSR_BORRSTF /* power on is one too */
#define IWDG_BASE           0x40003000u

#endif
