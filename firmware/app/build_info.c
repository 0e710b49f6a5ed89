#include "build_info.h"

#include "build_generated.h" /* by firmware/platform/builder/generate.py */

const uint8_t build_hash[BUILD_HASH_BYTES] = BUILD_HASH;
const char build_board[] = BUILD_BOARD;
const char build_compiler[] = "gcc " __VERSION__;
const char build_flags[] = BUILD_FLAGS;
