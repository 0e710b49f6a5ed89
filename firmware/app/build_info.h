/* How this firmware was made. Only build_info.c depends on it, so that a new hash compiles one file again. */
#ifndef TINYCONV_BUILD_INFO_H
#define TINYCONV_BUILD_INFO_H

#include <stdint.h>

#define BUILD_HASH_BYTES 8

extern const uint8_t
    build_hash[BUILD_HASH_BYTES]; /* first bytes of the SHA-256 of sources, manifest and flags */
extern const char build_board[];
extern const char build_compiler[];
extern const char build_flags[];

#endif
