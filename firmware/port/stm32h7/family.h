/* STM32H742/743/750/753 (RM0433) and STM32H7A3/7B0/7B3 (RM0455): registers that the port uses. Where the manuals name the same bits
 * differently, the names are RM0433's; D1 and D2 are CD in RM0455, D3 is SRD. What differs is in h743.h and h7a3.h. */
#ifndef TINYCONV_FAMILY_H
#define TINYCONV_FAMILY_H

#include "../port.h"
#include "board_config.h" /* generated from the board's manifest */
#include "cortexm.h"

#define PORT_UART_FIFO   1
#define PORT_UART_LPUART 0
#include "usart_v2.h"

struct rcc {
    volatile uint32_t CR, HSICFGR, CRRCR, CSICFGR, CFGR, reserved0;
    volatile uint32_t D1CFGR, D2CFGR, D3CFGR, reserved1;
    volatile uint32_t PLLCKSELR, PLLCFGR, PLL1DIVR;
};
#define RCC                          ((struct rcc *)0x58024400u)
#define RCC_CR_HSION                 (1u << 0)
#define RCC_CR_HSIRDY                (1u << 2)
#define RCC_CR_HSEON                 (1u << 16)
#define RCC_CR_HSERDY                (1u << 17)
#define RCC_CR_HSEBYP                (1u << 18)
#define RCC_CR_PLL1ON                (1u << 24)
#define RCC_CR_PLL1RDY               (1u << 25)
#define RCC_CFGR_SW_MASK             7u
#define RCC_CFGR_SW_PLL1             3u
#define RCC_CFGR_SWS_MASK            (7u << 3)
#define RCC_CFGR_SWS_HSI             0u
#define RCC_CFGR_SWS_PLL1            (3u << 3)
#define RCC_D1CFGR_HPRE_DIV2         8u
#define RCC_D1CFGR_D1PPRE_DIV2       (4u << 4)
#define RCC_D2CFGR_D2PPRE1_DIV2      (4u << 4)
#define RCC_D2CFGR_D2PPRE2_DIV2      (4u << 8)
#define RCC_D3CFGR_D3PPRE_DIV2       (4u << 4)
#define RCC_PLLCKSELR_PLLSRC_MASK    3u
#define RCC_PLLCKSELR_PLLSRC_HSI     0u
#define RCC_PLLCKSELR_PLLSRC_HSE     2u
#define RCC_PLLCKSELR_DIVM1_MASK     (0x3fu << 4)
#define RCC_PLLCFGR_PLL1FRACEN       (1u << 0)
#define RCC_PLLCFGR_PLL1VCOSEL       (1u << 1)
#define RCC_PLLCFGR_PLL1RGE_MASK     (3u << 2)
#define RCC_PLLCFGR_PLL1RGE_4_8_MHZ  (2u << 2)
#define RCC_PLLCFGR_PLL1RGE_8_16_MHZ (3u << 2)
#define RCC_PLLCFGR_DIVP1EN          (1u << 16)
#define RCC_PLLCFGR_DIVQ1EN          (1u << 17)
#define RCC_PLLCFGR_DIVR1EN          (1u << 18)
#define RCC_PLL1DIVR_Q_R_MASK        0x7f7f0000u

struct rcc_enable {
    volatile uint32_t AHB3ENR, AHB1ENR, AHB2ENR, AHB4ENR, APB3ENR, APB1LENR, APB1HENR, APB2ENR, APB4ENR;
};

struct pwr {
    volatile uint32_t CR1, CSR1, CR2, CR3, CPUCR, reserved0, D3CR;
};
#define PWR                ((struct pwr *)0x58024800u)
#define PWR_CSR1_ACTVOSRDY (1u << 13)
#define SUPPLY_POLLS       100000u /* at least 6 ms, where the supply takes some 40 us */
#define PWR_D3CR_VOSRDY    (1u << 13)
#define PWR_D3CR_VOS_MASK  (3u << 14)

#define DBGMCU_IDC             REG32(0x5c001000u)
#define DBGMCU_IDC_DEV_ID_MASK 0xfffu

#define FLASH_ACR                 REG32(0x52002000u)
#define FLASH_ACR_LATENCY_MASK    0xfu
#define FLASH_ACR_WRHIGHFREQ_MASK (3u << 4)

#define RESET_CLOCK_HZ 64000000u /* HSI */
#define APB_DIVIDER    2u        /* of each APB against AXI and AHB, at the manifest's clock */

#if defined(BOARD_STM32H742) || defined(BOARD_STM32H743) || defined(BOARD_STM32H750) ||                      \
    defined(BOARD_STM32H753)
    #include "h743.h"
#elif defined(BOARD_STM32H7A3) || defined(BOARD_STM32H7B0) || defined(BOARD_STM32H7B3)
    #include "h7a3.h"
#else
    #error "stm32h7: cmsis_pack must be an STM32H742, H743, H750, H753, H7A3, H7B0 or H7B3"
#endif

#define GPIO_BASE       0x58020000u
#define GPIO_ENABLE_REG (&RCC_ENABLE->AHB4ENR)

/* base address, interrupt, bit in APB1LENR or APB2ENR. Their kernel clocks are the buses' as at reset (D2CCIP2R is 0). */
#if BOARD_UART_INSTANCE == 1
    #define PORT_UART            ((struct usart *)0x40011000u)
    #define PORT_UART_IRQ        37
    #define PORT_UART_ENABLE_REG (&RCC_ENABLE->APB2ENR)
    #define PORT_UART_ENABLE     (1u << 4)
#elif BOARD_UART_INSTANCE == 2
    #define PORT_UART            ((struct usart *)0x40004400u)
    #define PORT_UART_IRQ        38
    #define PORT_UART_ENABLE_REG (&RCC_ENABLE->APB1LENR)
    #define PORT_UART_ENABLE     (1u << 17)
#elif BOARD_UART_INSTANCE == 3
    #define PORT_UART            ((struct usart *)0x40004800u)
    #define PORT_UART_IRQ        39
    #define PORT_UART_ENABLE_REG (&RCC_ENABLE->APB1LENR)
    #define PORT_UART_ENABLE     (1u << 18)
#elif BOARD_UART_INSTANCE == 6
    #define PORT_UART            ((struct usart *)0x40011400u)
    #define PORT_UART_IRQ        71
    #define PORT_UART_ENABLE_REG (&RCC_ENABLE->APB2ENR)
    #define PORT_UART_ENABLE     (1u << 5)
#else
    #error "uart.instance must be 1, 2, 3 or 6"
#endif
#define UART_HZ(core_hz) ((core_hz) / AHB_DIVIDER / APB_DIVIDER)
#define PORT_UART_HZ     UART_HZ(BOARD_CLOCK_HZ)

/* The flash has no accelerator of its own; the core's caches are told by caches_flags(). */
static inline uint32_t accelerator_flags(void) {
    return 0;
}

/* What the last reset was, and where the independent watchdog is. */
#define RCC_RSR             REG32((uint32_t)RCC_ENABLE - 4u)
#define RCC_RSR_RMVF        (1u << 16)
#define RCC_RSR_IWDG1RSTF   (1u << 26)
#define RCC_RSR_SFTRSTF     (1u << 24)
#define RCC_RSR_PINRSTF     (1u << 22)
#define RCC_RSR_PORRSTF     (1u << 23)
#define RCC_RSR_BORRSTF     (1u << 21)
#define RESET_FLAGS_REG     RCC_RSR
#define RESET_FLAGS_CLEAR   RCC_RSR_RMVF
#define RESET_FLAG_WATCHDOG RCC_RSR_IWDG1RSTF
#define RESET_FLAG_SOFTWARE RCC_RSR_SFTRSTF
#define RESET_FLAG_PIN      RCC_RSR_PINRSTF
#define RESET_FLAGS_POWER   (RCC_RSR_PORRSTF | RCC_RSR_BORRSTF)
#define IWDG_BASE           0x58004800u

#endif
