/* STM32L4+ (STM32L4R5/R7/R9/S5/S7/S9): registers that the port uses. Names as in the reference manual RM0432. The plain STM32L4, which
 * ends at 80 MHz and has no FIFOs in its USARTs, is another chip. */
#ifndef TINYCONV_FAMILY_H
#define TINYCONV_FAMILY_H

#include "../port.h"
#include "board_config.h" /* generated from the board's manifest */
#include "cortexm.h"

#if !defined(BOARD_STM32L4R5) && !defined(BOARD_STM32L4R7) && !defined(BOARD_STM32L4R9) &&                   \
    !defined(BOARD_STM32L4S5) && !defined(BOARD_STM32L4S7) && !defined(BOARD_STM32L4S9)
    #error "stm32l4: cmsis_pack must be an STM32L4R or L4S"
#endif

#define PORT_UART_FIFO   1
#define PORT_UART_LPUART BOARD_UART_LPUART
#include "usart_v2.h"

struct rcc {
    volatile uint32_t CR, ICSCR, CFGR, PLLCFGR, PLLSAI1CFGR, PLLSAI2CFGR, CIER, CIFR, CICR, reserved0;
    volatile uint32_t AHB1RSTR, AHB2RSTR, AHB3RSTR, reserved1;
    volatile uint32_t APB1RSTR1, APB1RSTR2, APB2RSTR, reserved2;
    volatile uint32_t AHB1ENR, AHB2ENR, AHB3ENR, reserved3;
    volatile uint32_t APB1ENR1, APB1ENR2, APB2ENR;
};
#define RCC                      ((struct rcc *)0x40021000u)
#define RCC_CR_MSION             (1u << 0)
#define RCC_CR_MSIRDY            (1u << 1)
#define RCC_CR_HSION             (1u << 8)
#define RCC_CR_HSIRDY            (1u << 10)
#define RCC_CR_HSEON             (1u << 16)
#define RCC_CR_HSERDY            (1u << 17)
#define RCC_CR_HSEBYP            (1u << 18)
#define RCC_CR_PLLON             (1u << 24)
#define RCC_CR_PLLRDY            (1u << 25)
#define RCC_CFGR_SW_MASK         3u
#define RCC_CFGR_SW_PLL          3u
#define RCC_CFGR_SWS_MASK        (3u << 2)
#define RCC_CFGR_SWS_MSI         0u
#define RCC_CFGR_SWS_PLL         (3u << 2)
#define RCC_CFGR_HPRE_MASK       (0xfu << 4)
#define RCC_CFGR_HPRE_DIV2       (8u << 4)
#define RCC_PLLCFGR_PLLSRC_HSI16 2u
#define RCC_PLLCFGR_PLLSRC_HSE   3u
#define RCC_PLLCFGR_PLLREN       (1u << 24) /* PLLR of 0 divides by 2 */
#define RCC_APB1ENR1_PWREN       (1u << 28)

struct pwr {
    volatile uint32_t CR1, CR2, CR3, CR4, SR1, SR2, SCR, reserved0, PUCRA[18], reserved1[6], CR5;
};
#define PWR                ((struct pwr *)0x40007000u)
#define PWR_CR1_VOS_MASK   (3u << 9)
#define PWR_CR1_VOS_RANGE1 (1u << 9)
#define PWR_CR2_IOSV       (1u << 9)
#define PWR_SR2_VOSF       (1u << 10)
#define PWR_CR5_R1MODE     (1u << 8)

#define FLASH_ACR              REG32(0x40022000u)
#define FLASH_ACR_LATENCY_MASK 0xfu
#define FLASH_ACR_PRFTEN       (1u << 8)
#define FLASH_ACR_ICEN         (1u << 9)
#define FLASH_ACR_DCEN         (1u << 10)
#define FLASH_ACR_ICRST        (1u << 11) /* only while ICEN is 0 */
#define FLASH_ACR_DCRST        (1u << 12) /* only while DCEN is 0 */

#define RESET_CLOCK_HZ 4000000u /* MSI */

#define GPIO_BASE       0x48000000u
#define GPIO_ENABLE_REG (&RCC->AHB2ENR)

/* base address, interrupt, register and bit of its bus clock, which is also its kernel clock as at reset (CCIPR is 0) */
#if BOARD_UART_LPUART && BOARD_UART_INSTANCE == 1
    #define PORT_UART            ((struct usart *)0x40008000u)
    #define PORT_UART_IRQ        70
    #define PORT_UART_ENABLE_REG (&RCC->APB1ENR2)
    #define PORT_UART_ENABLE     (1u << 0)
#elif BOARD_UART_INSTANCE == 1
    #define PORT_UART            ((struct usart *)0x40013800u)
    #define PORT_UART_IRQ        37
    #define PORT_UART_ENABLE_REG (&RCC->APB2ENR)
    #define PORT_UART_ENABLE     (1u << 14)
#elif !BOARD_UART_LPUART && BOARD_UART_INSTANCE == 2
    #define PORT_UART            ((struct usart *)0x40004400u)
    #define PORT_UART_IRQ        38
    #define PORT_UART_ENABLE_REG (&RCC->APB1ENR1)
    #define PORT_UART_ENABLE     (1u << 17)
#elif !BOARD_UART_LPUART && BOARD_UART_INSTANCE == 3
    #define PORT_UART            ((struct usart *)0x40004800u)
    #define PORT_UART_IRQ        39
    #define PORT_UART_ENABLE_REG (&RCC->APB1ENR1)
    #define PORT_UART_ENABLE     (1u << 18)
#else
    #error "uart must be USART 1, 2, 3 or LPUART 1"
#endif
#define PORT_UART_HZ BOARD_CLOCK_HZ /* AHB and APB run as fast as the core */

/* Which parts of the flash accelerator are on, as enum port_flag. */
static inline uint32_t accelerator_flags(void) {
    const uint32_t acr = FLASH_ACR;
    return (acr & FLASH_ACR_ICEN ? PORT_ICACHE : 0) | (acr & FLASH_ACR_DCEN ? PORT_DCACHE : 0) |
           (acr & FLASH_ACR_PRFTEN ? PORT_PREFETCH : 0);
}

/* What the last reset was, and where the independent watchdog is. */
#define RCC_CSR             REG32(0x40021094u)
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
