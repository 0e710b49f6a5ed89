/* The depthwise convolution that two kernels share: see depthwise_s8_hwc_rows.c. */
#ifndef TINYCONV_DEPTHWISE_ROWS_H
#define TINYCONV_DEPTHWISE_ROWS_H

#include "../kernel.h"

bool depthwise_rows_supports(const struct depthwise_params *p);
uint32_t depthwise_rows_scratch_bytes(const struct depthwise_params *p);
void depthwise_rows(const struct kernel_args *args);

#endif
