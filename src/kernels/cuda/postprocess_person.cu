/* A network's scores to masks, smoothed over time and summed, for a batch of views in one launch.
 *
 * Bytes: scores once, the mask once, with smoothing the state twice. 512x512, 8 views: one class in
 * FP16 8.4 MB, 2.0 us at 4.28 TB/s (with smoothing 12.6 MB, 2.9 us); 21 classes in FP16 92 MB,
 * 21.6 us, where the 46 M exponentials need 12 us of the special function units. */
#include <cuda_fp16.h>

#include "postprocess.cuh"

/* vrs_activation of kernels.h. */
enum { ACTIVATION_NONE = 0, ACTIVATION_SIGMOID = 1, ACTIVATION_SOFTMAX = 2, ACTIVATION_ARGMAX = 3 };

#define COLUMNS 4
#define CHUNK 8 /* classes that are loaded together */
#define LOG2_E 1.4426950408889634f

/* What is kept of the classes seen so far. Softmax: the largest, and the sums of exp(x - largest).
 * Argmax: the largest person score in `person`, the largest other in `all`. Others: `person`. */
template <int ACTIVATION> struct score {
    float largest, person, all;

    __device__ __forceinline__ score()
    {
        largest = -INFINITY;
        person = all = ACTIVATION == ACTIVATION_ARGMAX ? -INFINITY : 0;
    }

    /* The sums after the largest has become `value`; while it is -Inf there is nothing in them. */
    __device__ __forceinline__ void rescale(float value)
    {
        if (value <= largest)
            return;
        const float factor = largest == -INFINITY ? 0 : vrs_exp2((largest - value) * LOG2_E);
        person *= factor;
        all *= factor;
        largest = value;
    }

    __device__ __forceinline__ void add(float value, bool is_person)
    {
        if (ACTIVATION == ACTIVATION_SOFTMAX) {
            const float base = largest == -INFINITY ? 0 : largest;
            const float e = vrs_exp2((value - base) * LOG2_E);
            all += e;
            person += is_person ? e : 0;
        } else if (ACTIVATION == ACTIVATION_ARGMAX) {
            float &best = is_person ? person : all;
            best = value > best ? value : best;
        } else if (ACTIVATION == ACTIVATION_SIGMOID) {
            person += __fdividef(1, 1 + vrs_exp2(-value * LOG2_E));
        } else {
            person += value;
        }
    }

    __device__ __forceinline__ int q15() const
    {
        if (ACTIVATION == ACTIVATION_ARGMAX)
            return person > all ? VRS_Q15_ONE : 0;
        const float p = ACTIVATION == ACTIVATION_SOFTMAX ? __fdividef(person, all) : person;
        return vrs_q15_of(vrs_alpha_round(p));
    }
};

/* The classes that come in: of independent ones those of the person alone. */
template <int ACTIVATION> __device__ constexpr bool takes_all()
{
    return ACTIVATION == ACTIVATION_SOFTMAX || ACTIVATION == ACTIVATION_ARGMAX;
}

/* `count` classes of COUNT pixels, the first being class `first`. */
template <int ACTIVATION, int COUNT>
__device__ __forceinline__ void add_chunk(score<ACTIVATION> *s, const float (*value)[CHUNK],
                                          int first, int count, uint32_t persons)
{
#pragma unroll
    for (int i = 0; i < COUNT; i++) {
        float largest = s[i].largest;
#pragma unroll
        for (int k = 0; k < CHUNK; k++) /* classes beyond the last repeat it */
            largest = fmaxf(largest, value[i][k]);
        if (ACTIVATION == ACTIVATION_SOFTMAX)
            s[i].rescale(largest);
    }
#pragma unroll
    for (int k = 0; k < CHUNK; k++) {
        if (k >= count)
            break;
        const bool is_person = (persons >> (first + k) & 1) != 0;
#pragma unroll
        for (int i = 0; i < COUNT; i++)
            s[i].add(value[i][k], is_person);
    }
}

template <typename T> __device__ __forceinline__ float load_score(const T *p);
template <> __device__ __forceinline__ float load_score<float>(const float *p)
{
    return __ldg(p);
}
template <> __device__ __forceinline__ float load_score<__half>(const __half *p)
{
    return __half2float(__ldg(p));
}

__device__ __forceinline__ void load_row(const float *p, float *out)
{
    const float4 v = __ldg(reinterpret_cast<const float4 *>(p));
    out[0] = v.x;
    out[1] = v.y;
    out[2] = v.z;
    out[3] = v.w;
}

__device__ __forceinline__ void load_row(const __half *p, float *out)
{
    const uint2 v = __ldg(reinterpret_cast<const uint2 *>(p));
    const float2 a = __half22float2(*reinterpret_cast<const __half2 *>(&v.x));
    const float2 b = __half22float2(*reinterpret_cast<const __half2 *>(&v.y));
    out[0] = a.x;
    out[1] = a.y;
    out[2] = b.x;
    out[3] = b.y;
}

/* COLUMNS values of one class from column x on; those beyond the row repeat its last. */
template <typename T>
__device__ __forceinline__ void load_class(const vrs_person_params &p, const T *row, int x, int c,
                                           float *v)
{
    const T *at = row + c * p.class_stride;
    if (p.vector) {
        load_row(at + x, v);
        return;
    }
#pragma unroll
    for (int i = 0; i < COLUMNS; i++)
        v[i] = load_score(at + min(x + i, p.width - 1) * p.column_stride);
}

/* COLUMNS pixels from column x on, by any strides. */
template <int ACTIVATION, typename T>
__device__ __forceinline__ void read_columns(const vrs_person_params &p, const T *row, int x,
                                             int *q15)
{
    score<ACTIVATION> s[COLUMNS];
    if (!takes_all<ACTIVATION>()) {
        for (int c = 0; c < p.classes; c++) {
            float v[COLUMNS];
            if ((p.person_classes >> c & 1) == 0)
                continue;
            load_class(p, row, x, c, v);
#pragma unroll
            for (int i = 0; i < COLUMNS; i++)
                s[i].add(v[i], true);
        }
    } else {
#pragma unroll 1
        for (int c = 0; c < p.classes; c += CHUNK) {
            const int count = min(CHUNK, p.classes - c);
            float value[COLUMNS][CHUNK];
#pragma unroll
            for (int k = 0; k < CHUNK; k++) {
                float v[COLUMNS];
                load_class(p, row, x, c + min(k, count - 1), v);
#pragma unroll
                for (int i = 0; i < COLUMNS; i++)
                    value[i][k] = v[i];
            }
            add_chunk<ACTIVATION, COLUMNS>(s, value, c, count, p.person_classes);
        }
    }
#pragma unroll
    for (int i = 0; i < COLUMNS; i++)
        q15[i] = s[i].q15();
}

/* The part of a row that a block reads, into shared memory, in words where both are aligned. */
template <typename T>
__device__ __forceinline__ void stage_row(const T *from, int elements, T *stage)
{
    constexpr int group = 16 / sizeof(T);
    const bool aligned = (reinterpret_cast<uint64_t>(from) & 15) == 0;
    const int groups = aligned ? elements / group : 0;
    for (int i = threadIdx.x; i < groups; i += blockDim.x)
        vrs_copy_ahead<16>(stage + i * group, from + i * group);
    for (int i = groups * group + threadIdx.x; i < elements; i += blockDim.x)
        stage[i] = from[i];
    vrs_copy_wait();
}

/* The same of pixels whose classes lie together: the block's part of the row goes through shared
 * memory, so that it is read in whole lines. */
template <int ACTIVATION, typename T>
__device__ __forceinline__ void read_staged(const vrs_person_params &p, const T *row, int first,
                                            T *stage, int *q15)
{
    const int pixels = min((int)blockDim.x * COLUMNS, p.width - first);
    __syncthreads(); /* the last view's pixels are read */
    stage_row(row + (int64_t)first * p.classes, pixels * p.classes, stage);
    __syncthreads();
#pragma unroll
    for (int i = 0; i < COLUMNS; i++) {
        const int pixel = max(min((int)threadIdx.x * COLUMNS + i, pixels - 1), 0);
        const T *at = stage + pixel * p.classes;
        score<ACTIVATION> s;
#pragma unroll 1
        for (int c = 0; c < p.classes; c += CHUNK) {
            const int count = min(CHUNK, p.classes - c);
            float value[1][CHUNK];
#pragma unroll
            for (int k = 0; k < CHUNK; k++)
                value[0][k] = (float)at[c + min(k, count - 1)];
            if (takes_all<ACTIVATION>())
                add_chunk<ACTIVATION, 1>(&s, value, c, count, p.person_classes);
#pragma unroll
            for (int k = 0; k < (takes_all<ACTIVATION>() ? 0 : CHUNK); k++)
                if (k < count && (p.person_classes >> (c + k) & 1) != 0)
                    s.add(value[0][k], true);
        }
        q15[i] = s.q15();
    }
}

/* Adds the content's part of a thread's pixels to the view's sum, one atomic a warp. */
__device__ __forceinline__ void add_sum(const vrs_post_smooth &m, const int *q15, int x, int y,
                                        int count)
{
    if (m.sum == 0)
        return;
    unsigned sum = 0;
    const bool inside = y >= m.y && y < m.y + m.height;
#pragma unroll
    for (int i = 0; i < COLUMNS; i++)
        sum += inside && i < count && x + i >= m.x && x + i < m.x + m.width ? (unsigned)q15[i] : 0u;
    for (int step = 16; step > 0; step /= 2)
        sum += __shfl_xor_sync(0xffffffffu, sum, step);
    if (threadIdx.x % 32 == 0 && sum > 0)
        atomicAdd(vrs_at<unsigned long long>(m.sum), (unsigned long long)sum);
}

/* Rows may begin at odd addresses: vectors only where a row is aligned. */
__device__ __forceinline__ void load_state(const int16_t *p, int count, bool whole, int *q15)
{
    if (whole) {
        const short4 v = *reinterpret_cast<const short4 *>(p);
        q15[0] = v.x;
        q15[1] = v.y;
        q15[2] = v.z;
        q15[3] = v.w;
        return;
    }
#pragma unroll
    for (int i = 0; i < COLUMNS; i++)
        q15[i] = p[max(min(i, count - 1), 0)];
}

__device__ __forceinline__ void store_state(int16_t *p, int count, bool whole, const int *q15)
{
    if (whole) {
        *reinterpret_cast<short4 *>(p) =
            make_short4((short)q15[0], (short)q15[1], (short)q15[2], (short)q15[3]);
        return;
    }
#pragma unroll
    for (int i = 0; i < COLUMNS; i++)
        if (i < count)
            p[i] = (int16_t)q15[i];
}

/* The end of both kernels for one view of a chain: smoothing, the mask, the state, the sum. `past`
 * is the mask before it, `has_past` whether there is one; both become this view's. */
__device__ __forceinline__ void finish(const vrs_post_smooth &m, uint64_t mask, int weight, int x,
                                       int y, int width, int *q15, int *past, bool &has_past)
{
    const int count = max(min(COLUMNS, width - x), 0);
    const int64_t at = (int64_t)y * width + x;
    const bool whole = width % COLUMNS == 0 && count == COLUMNS;
    if (m.restart)
        has_past = false;
    if (m.state_out != 0 && has_past)
#pragma unroll
        for (int i = 0; i < COLUMNS; i++)
            q15[i] = vrs_lerp_q15(past[i], q15[i], weight);
    if (count > 0) {
        store_state(vrs_at<int16_t>(mask) + at, count, whole, q15);
        if (m.state_out != 0 && m.next < 0)
            store_state(vrs_at<int16_t>(m.state_out) + at, count, whole, q15);
    }
    add_sum(m, q15, x, y, count);
#pragma unroll
    for (int i = 0; i < COLUMNS; i++)
        past[i] = q15[i];
    has_past = true;
}

__device__ __forceinline__ bool begin_chain(const vrs_post_smooth &m, int x, int y, int width,
                                            int *past)
{
    if (m.state_out == 0 || m.state_in == 0)
        return false;
    const int count = min(COLUMNS, width - x);
    if (count > 0)
        load_state(vrs_at<const int16_t>(m.state_in) + (int64_t)y * width + x, count,
                   width % COLUMNS == 0 && count == COLUMNS, past);
    return true;
}

template <int ACTIVATION, typename T>
__device__ __forceinline__ void person(const vrs_person_params &p, T *stage)
{
    const int first = blockIdx.x * blockDim.x * COLUMNS;
    const int x = first + threadIdx.x * COLUMNS, y = blockIdx.y;
    int v = p.chain[blockIdx.z];
    int past[COLUMNS] = {};
    bool has_past = begin_chain(p.view[v].smooth, x, y, p.width, past);
    for (; v >= 0; v = p.view[v].smooth.next) {
        const T *row = vrs_at<const T>(p.view[v].scores) + y * p.row_stride;
        int q15[COLUMNS] = {};
        if (p.staged)
            read_staged<ACTIVATION>(p, row, first, stage, q15);
        else if (x < p.width)
            read_columns<ACTIVATION>(p, row, x, q15);
        finish(p.view[v].smooth, p.view[v].mask, p.weight, x, y, p.width, q15, past, has_past);
    }
}

template <typename T>
__device__ __forceinline__ void person_any(const vrs_person_params &p, T *stage)
{
    if (p.activation == ACTIVATION_SOFTMAX)
        person<ACTIVATION_SOFTMAX>(p, stage);
    else if (p.activation == ACTIVATION_ARGMAX)
        person<ACTIVATION_ARGMAX>(p, stage);
    else if (p.activation == ACTIVATION_SIGMOID)
        person<ACTIVATION_SIGMOID>(p, stage);
    else
        person<ACTIVATION_NONE>(p, stage);
}

extern "C" __global__ void __launch_bounds__(128)
    vrs_person(const __grid_constant__ vrs_person_params p)
{
    extern __shared__ __align__(16) unsigned char stage[];
    if (p.half)
        person_any(p, reinterpret_cast<__half *>(stage));
    else
        person_any(p, reinterpret_cast<float *>(stage));
}

/* Bytes: the source once and the mask once, from 256x256 to 512x512 and 8 views 5.2 MB, 1.2 us. */
extern "C" __global__ void __launch_bounds__(128)
    vrs_mask_resize(const __grid_constant__ vrs_mask_resize_params p)
{
    const int x = (blockIdx.x * blockDim.x + threadIdx.x) * COLUMNS, y = blockIdx.y;
    const vrs_tap row = vrs_tap_at(y, p.source_height, p.height);
    const int below = min(row.index + 1, p.source_height - 1);
    vrs_tap column[COLUMNS];
#pragma unroll
    for (int i = 0; i < COLUMNS; i++)
        column[i] = vrs_tap_at(min(x + i, p.width - 1), p.source_width, p.width);
    int v = p.chain[blockIdx.z];
    int past[COLUMNS] = {};
    bool has_past = begin_chain(p.view[v].smooth, x, y, p.width, past);
    for (; v >= 0; v = p.view[v].smooth.next) {
        const int16_t *upper =
            vrs_at<const int16_t>(p.view[v].source) + row.index * p.source_stride;
        const int16_t *lower = vrs_at<const int16_t>(p.view[v].source) + below * p.source_stride;
        int q15[COLUMNS];
#pragma unroll
        for (int i = 0; i < COLUMNS; i++) {
            const int left = column[i].index, right = min(left + 1, p.source_width - 1);
            const int a = vrs_lerp_q15(upper[left], upper[right], column[i].weight);
            const int b = vrs_lerp_q15(lower[left], lower[right], column[i].weight);
            q15[i] = vrs_lerp_q15(a, b, row.weight);
        }
        finish(p.view[v].smooth, p.view[v].mask, p.weight, x, y, p.width, q15, past, has_past);
    }
}
