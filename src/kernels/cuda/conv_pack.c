/* Weights in the order that the stem reads them. */
#include "kernels/cuda/conv_launch.h"

/* The operand of 16 channels of a warp in a matrix product: four words of two input channels in
 * each lane, channels lane / 4 and 8 more, inputs 2 (lane % 4) and 8 more. */
void vrs_stem_pack(const uint16_t *weights, uint16_t *packed)
{
    for (int32_t tap = 0; tap < 16; tap++) {
        for (int32_t i = 0; i < 4 * 32 * 8; i++) {
            const int32_t warp = i / 256, lane = i / 8 % 32, word = i / 2 % 4;
            const int32_t k = 16 * warp + lane / 4 + word % 2 * 8;
            const int32_t c = lane % 4 * 2 + word / 2 * 8 + i % 2;
            *packed++ = weights[(k * 16 + tap) * 16 + c];
        }
    }
}
