/* CONV_2D as a matrix product (gemm.h), for the kernels of either form. */
#ifndef TINYCONV_GEMM_CONV_H
#define TINYCONV_GEMM_CONV_H

#include "gemm.h"

/* 1x1, stride 1: pixels follow each other. */
bool gemm_pointwise_supports(const struct conv2d_params *p);
uint32_t gemm_pointwise_scratch_bytes(const struct conv2d_params *p);
uint32_t gemm_pointwise_gap_bytes(const struct conv2d_params *p);
void gemm_pointwise_run(const struct kernel_args *args, enum gemm_form form);

/* Any window, groups or dilated columns: the rows of a window are gathered first (conv2d_s8_hwc_gathered_bytepairs.c). */
bool gemm_gathered_supports(const struct conv2d_params *p);
uint32_t gemm_gathered_scratch_bytes(const struct conv2d_params *p);
uint32_t gemm_gathered_gap_bytes(const struct conv2d_params *p);
void gemm_gathered_run(const struct kernel_args *args, enum gemm_form form);

/* Any window: a tile is gathered from the input, without a copy where the windows' runs of bytes are whole words. */
bool gemm_im2col_supports(const struct conv2d_params *p);
uint32_t gemm_im2col_scratch_bytes(const struct conv2d_params *p);
uint32_t gemm_im2col_gap_bytes(const struct conv2d_params *p);
void gemm_im2col_run(const struct kernel_args *args, enum gemm_form form);

#endif
