/* Counting the bits in which two rows of words differ; what binary_conv2d_b1_hwc_words is made of. */
#ifndef TINYCONV_BINARY_WORDS_H
#define TINYCONV_BINARY_WORDS_H

#ifndef __ASSEMBLER__

    #include <stdint.h>

/* At most 2^22 bits in all. */
int32_t binary_words_count(const uint32_t *x, const uint32_t *weights, int32_t words);

#endif
#endif
