/* STM32F746 (RM0385) and F767 (RM0410): what differs from the STM32F4, and limits of the clock at 2.7 to 3.6 V. */
#ifndef TINYCONV_FAMILY_H
#define TINYCONV_FAMILY_H

#include "f4_f7.h"

/* Its clock is that of its bus until RCC_DCKCFGR2 says otherwise. */
#define PORT_UART_FIFO   0
#define PORT_UART_LPUART 0
#include "usart_v2.h"

#if !defined(BOARD_STM32F746) && !defined(BOARD_STM32F767)
    #error "stm32f7: cmsis_pack must be an STM32F746 or F767"
#endif

/* CORE_MAX_HZ with over-drive, NORMAL_MAX_HZ without */
#define CORE_MAX_HZ         216000000u
#define NORMAL_MAX_HZ       180000000u
#define APB1_MAX_HZ         54000000u
#define APB2_MAX_HZ         108000000u
#define PWR_CR_VOS_MASK     (3u << 14)
#define PWR_CR_VOS_SCALE1   (3u << 14)
#define PWR_VOS_FOLLOWS_PLL 1

/* ART and prefetch serve the flash at its ITCM address (0x00200000); at 0x08000000 the core's own caches do. */
#define FLASH_ACR_ARTEN  (1u << 9)
#define FLASH_ACR_ARTRST (1u << 11) /* only while ARTEN is 0 */
#define FLASH_ACR_RESET  FLASH_ACR_ARTRST
#define FLASH_ACR_ENABLE (FLASH_ACR_PRFTEN | FLASH_ACR_ARTEN)

/* Which parts of the flash accelerator are on, as enum port_flag. The caches are the core's and reported by it. */
static inline uint32_t accelerator_flags(void) {
    return FLASH_ACR & FLASH_ACR_PRFTEN ? PORT_PREFETCH : 0;
}

#endif
