// Instruction sets that Highway files are compiled for: what hosts of the last ten years have, and a plain base.
// Included once for each target, before hwy/foreach_target.h.
#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL)
#endif
