/* STM32F405, F407 (RM0090) and F446 (RM0390): what differs from the STM32F7, and limits of the clock at 2.7 to 3.6 V. */
#ifndef TINYCONV_FAMILY_H
#define TINYCONV_FAMILY_H

#include "f4_f7.h"
#include "usart_v1.h"

/* CORE_MAX_HZ with over-drive, NORMAL_MAX_HZ without */
#if defined(BOARD_STM32F405) || defined(BOARD_STM32F407)
    #define CORE_MAX_HZ         168000000u
    #define NORMAL_MAX_HZ       168000000u
    #define APB1_MAX_HZ         42000000u
    #define APB2_MAX_HZ         84000000u
    #define PWR_CR_VOS_MASK     (1u << 14)
    #define PWR_CR_VOS_SCALE1   (1u << 14)
    #define PWR_VOS_FOLLOWS_PLL 0 /* scale 1 is what the chip comes up with */
#elif defined(BOARD_STM32F446)
    #define CORE_MAX_HZ         180000000u
    #define NORMAL_MAX_HZ       168000000u
    #define APB1_MAX_HZ         45000000u
    #define APB2_MAX_HZ         90000000u
    #define PWR_CR_VOS_MASK     (3u << 14)
    #define PWR_CR_VOS_SCALE1   (3u << 14)
    #define PWR_VOS_FOLLOWS_PLL 1
#else
    #error "stm32f4: cmsis_pack must be an STM32F405, F407 or F446"
#endif

#define FLASH_ACR_ICEN   (1u << 9)
#define FLASH_ACR_DCEN   (1u << 10)
#define FLASH_ACR_ICRST  (1u << 11) /* only while ICEN is 0 */
#define FLASH_ACR_DCRST  (1u << 12) /* only while DCEN is 0 */
#define FLASH_ACR_RESET  (FLASH_ACR_ICRST | FLASH_ACR_DCRST)
#define FLASH_ACR_ENABLE (FLASH_ACR_PRFTEN | FLASH_ACR_ICEN | FLASH_ACR_DCEN)

/* Which parts of the flash accelerator are on, as enum port_flag. */
static inline uint32_t accelerator_flags(void) {
    const uint32_t acr = FLASH_ACR;
    return (acr & FLASH_ACR_ICEN ? PORT_ICACHE : 0) | (acr & FLASH_ACR_DCEN ? PORT_DCACHE : 0) |
           (acr & FLASH_ACR_PRFTEN ? PORT_PREFETCH : 0);
}

#endif
