/* From scores to probabilities, class by class, for N pixels a thread. */
#ifndef VRS_KERNELS_CUDA_POSTPROCESS_SCORES_CUH
#define VRS_KERNELS_CUDA_POSTPROCESS_SCORES_CUH

#include <cuda_fp16.h>

#include "postprocess.cuh"

#define VRS_LOG2_E 1.4426950408889634f

/* vrs_activation of kernels.h. */
enum { ACTIVATION_NONE = 0, ACTIVATION_SIGMOID = 1, ACTIVATION_SOFTMAX = 2, ACTIVATION_ARGMAX = 3 };

/* The classes that come in: of independent ones those of the person alone. */
template <int ACTIVATION> __device__ constexpr bool vrs_takes_all()
{
    return ACTIVATION == ACTIVATION_SOFTMAX || ACTIVATION == ACTIVATION_ARGMAX;
}

/* A probability, any float, to Q15: NaN gives 0. */
__device__ __forceinline__ int vrs_q15_round(float p)
{
    return __float_as_int(__fmaf_rn(__saturatef(p), VRS_ALPHA_ONE, VRS_ALPHA_BASE)) & 0x7fff;
}

/* What is kept of the classes seen so far. Softmax: the largest, and sums of exp(x - largest).
 * Argmax: the largest person score in `person`, the largest other in `all`. Others: `person`. */
template <int ACTIVATION> struct vrs_score {
    float largest, base, person, all; /* base: the largest in units of a power of 2, rounded once
                                       * for all, or 0 where that is -Inf */

    __device__ __forceinline__ vrs_score()
    {
        largest = -INFINITY;
        base = 0;
        person = all = ACTIVATION == ACTIVATION_ARGMAX ? -INFINITY : 0;
    }

    /* Softmax: before add() of values of which `value` is the largest, NaN apart. While that is
     * -Inf there is nothing in the sums. */
    __device__ __forceinline__ void raise(float value)
    {
        const float next = fmaxf(largest, value);
        base = next == -INFINITY ? 0 : next;
        const float factor = vrs_exp2((largest - base) * VRS_LOG2_E);
        person *= factor;
        all *= factor;
        largest = next;
    }

    __device__ __forceinline__ void add(float value, bool is_person)
    {
        if (ACTIVATION == ACTIVATION_SOFTMAX) {
            const float e = vrs_exp2((value - base) * VRS_LOG2_E);
            all += e;
            if (is_person)
                person += e;
        } else if (ACTIVATION == ACTIVATION_ARGMAX) {
            if (is_person)
                person = fmaxf(person, value);
            else
                all = fmaxf(all, value);
        } else if (ACTIVATION == ACTIVATION_SIGMOID) {
            person += vrs_reciprocal(1 + vrs_exp2(-value * VRS_LOG2_E));
        } else {
            person += value;
        }
    }

    __device__ __forceinline__ int q15() const
    {
        if (ACTIVATION == ACTIVATION_ARGMAX)
            return person > all ? VRS_Q15_ONE : 0;
        if (ACTIVATION == ACTIVATION_SOFTMAX)
            return vrs_q15_round(person * vrs_reciprocal(all));
        return vrs_q15_round(person);
    }
};

/* CHUNK classes of N pixels, the first being class `first`, all of one thread: whether a class is
 * the person's is the same for a whole launch. */
template <int ACTIVATION, int N, int CHUNK>
__device__ __forceinline__ void vrs_add_scores(vrs_score<ACTIVATION> *s, const float (*value)[N],
                                               int first, uint32_t persons)
{
    if (ACTIVATION == ACTIVATION_SOFTMAX) {
#pragma unroll
        for (int i = 0; i < N; i++) {
            float largest = value[0][i];
#pragma unroll
            for (int k = 1; k < CHUNK; k++)
                largest = fmaxf(largest, value[k][i]);
            s[i].raise(largest);
        }
    }
#pragma unroll
    for (int k = 0; k < CHUNK; k++) {
        const bool is_person = (persons >> (first + k) & 1) != 0;
#pragma unroll
        for (int i = 0; i < N; i++)
            s[i].add(value[k][i], is_person);
    }
}

/* COUNT classes of a thread's N pixels, from class `first` on: SCORES is a struct whose
 * load<COUNT>(first, value) gives them. */
template <int ACTIVATION, int N, int COUNT, typename SCORES>
__device__ __forceinline__ void vrs_take_scores(const SCORES &scores, int first, uint32_t persons,
                                                vrs_score<ACTIVATION> *s)
{
    float value[COUNT][N];
    scores.template load<COUNT>(first, value);
    vrs_add_scores<ACTIVATION, N, COUNT>(s, value, first, persons);
}

/* All classes of a thread's N pixels to Q15; CHUNK are loaded together. */
template <int ACTIVATION, int N, int CHUNK, typename SCORES>
__device__ __forceinline__ void vrs_read_scores(const SCORES &scores, int classes, uint32_t persons,
                                                int *q15)
{
    vrs_score<ACTIVATION> s[N];
    int c = 0;
    if (vrs_takes_all<ACTIVATION>()) {
#pragma unroll 1
        for (; c + CHUNK <= classes; c += CHUNK)
            vrs_take_scores<ACTIVATION, N, CHUNK>(scores, c, persons, s);
        if (CHUNK >= 8 && c + CHUNK / 2 <= classes) {
            vrs_take_scores<ACTIVATION, N, CHUNK / 2>(scores, c, persons, s);
            c += CHUNK / 2;
        }
    }
#pragma unroll 1
    for (; c < classes; c++)
        if (vrs_takes_all<ACTIVATION>() || (persons >> c & 1) != 0)
            vrs_take_scores<ACTIVATION, N, 1>(scores, c, persons, s);
#pragma unroll
    for (int i = 0; i < N; i++)
        q15[i] = s[i].q15();
}

#endif
