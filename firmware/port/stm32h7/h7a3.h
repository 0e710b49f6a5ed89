/* What STM32H7A3/7B0/7B3 have for themselves: RM0455. Core, AXI and AHB at one clock. */
#ifndef TINYCONV_H7A3_H
#define TINYCONV_H7A3_H

#define LINE_DEV_ID          0x480u
#define RCC_ENABLE           ((struct rcc_enable *)0x58024534u)
#define AHB_DIVIDER          1u
#define RCC_D1CFGR_HPRE      0u
#define LINE_CORE_MAX_HZ     280000000u
#define LINE_AXI_MAX_HZ      280000000u
#define LINE_APB_MAX_HZ      140000000u
#define LINE_VCO_WIDE_MIN_HZ 128000000u /* DS13195 6.3.11 */
#define LINE_VCO_WIDE_MAX_HZ 560000000u

#endif
