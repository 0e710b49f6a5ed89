/* What STM32H742/743/750/753 have for themselves: RM0433. Core twice as fast as AXI and AHB. */
#ifndef TINYCONV_H743_H
#define TINYCONV_H743_H

#define LINE_DEV_ID          0x450u
#define RCC_ENABLE           ((struct rcc_enable *)0x580244d4u)
#define AHB_DIVIDER          2u
#define RCC_D1CFGR_HPRE      RCC_D1CFGR_HPRE_DIV2
#define LINE_CORE_MAX_HZ     480000000u
#define LINE_AXI_MAX_HZ      240000000u
#define LINE_APB_MAX_HZ      120000000u
#define LINE_VCO_WIDE_MIN_HZ 192000000u /* DS12110 6.3.11 */
#define LINE_VCO_WIDE_MAX_HZ 960000000u

#endif
