/* Fused preprocessing of views that fill the network's picture, into the usual tensors; what is
 * left out here (bars, tones, other tensors, wider networks) preprocess.cu makes.
 *
 * A block makes a few whole rows. All that they need of the source is asked for before anything
 * else, as many bytes at once as shared memory holds, so that memory is busy from the first moment;
 * each row is made when its own have come. On compute capability 9.0 and later a warp asks the
 * copy engine for whole rows, elsewhere all threads copy 16 bytes at a time. There the launch after
 * this one asks for its source already while this one's last rows are made, so that memory is busy
 * between them too; it writes when this one has ended (vrs_device_launch_waiting()).
 *
 * A thread makes two columns side by side: their windows share words, and they are the two halves
 * of a place of space-to-depth or of a word of a plane. The sums are those of preprocess.cu. */
#include <cuda_pipeline.h>

#include "preprocess_resize.cuh"

/* Where a block's things lie in shared memory, and its rows of the network's picture. */
struct vrs_whole {
    uint64_t *arrived; /* a barrier for each row, of the copy engine */
    uint32_t *spans;
    uint8_t *part[3]; /* rows of luma, chroma, V; from `top` on */
    int top[2], pitch[2];
    int begin, end;
};

__device__ __forceinline__ int vrs_whole_top(const vrs_preprocess_view &view, int kind, int y)
{
    const int row = view.origin[kind] + (int)((uint32_t)y * view.step[kind] >> 12);
    return max(row - (view.reach[kind] & 15), 0);
}

__device__ __forceinline__ int vrs_whole_end(const vrs_preprocess_view &view, int kind, int y)
{
    const int row = view.origin[kind] + (int)((uint32_t)y * view.step[kind] >> 12);
    return min(row + (view.reach[kind] >> 4), (int)view.lines[kind]);
}

template <class SOURCE>
__device__ __forceinline__ vrs_whole vrs_whole_of(const vrs_preprocess_params &p,
                                                  const vrs_preprocess_view &view, uint8_t *shared)
{
    vrs_whole whole;
    whole.begin = blockIdx.y * p.rows;
    whole.end = min(whole.begin + p.rows, p.height);
    whole.arrived = reinterpret_cast<uint64_t *>(shared);
    whole.spans = reinterpret_cast<uint32_t *>(shared + VRS_PREPROCESS_WHOLE_HEAD);
    whole.part[0] = shared + (VRS_PREPROCESS_WHOLE_HEAD + 4 * p.rows * view.row_words);
#pragma unroll
    for (int kind = 0; kind < (SOURCE::packed ? 1 : 2); kind++) {
        /* 16 bytes before each row, where a window may begin with a word that weighs nothing. */
        whole.pitch[kind] = 16 * (view.units[kind] + 1);
        whole.top[kind] = vrs_whole_top(view, kind, whole.begin);
        whole.part[kind + 1] = whole.part[kind] + p.slots[kind] * whole.pitch[kind];
    }
    return whole;
}

/* The rows that come with STEP of the block's, the first of them `y`. */
template <class SOURCE, int STEP> struct vrs_whole_rows {
    static constexpr int kinds = SOURCE::packed ? 1 : 2;
    int at[2], count[2];

    __device__ __forceinline__ vrs_whole_rows(const vrs_preprocess_view &view,
                                              const vrs_whole &whole, int y)
    {
        count[1] = 0;
#pragma unroll
        for (int kind = 0; kind < kinds; kind++) {
            at[kind] = y == whole.begin ? whole.top[kind] : vrs_whole_end(view, kind, y);
            count[kind] = max(vrs_whole_end(view, kind, min(y + STEP, whole.end)) - at[kind], 0);
        }
    }
};

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900

__device__ __forceinline__ uint32_t vrs_whole_address(const void *shared)
{
    return (uint32_t)__cvta_generic_to_shared(shared);
}

/* Asks for `rows` rows of a plane, which come to the barrier. */
__device__ __forceinline__ void vrs_whole_copy(const uint8_t *&from, int stride, uint32_t &to,
                                               int pitch, int rows, uint32_t barrier)
{
#pragma unroll 1
    for (; rows > 0; rows--, from += stride, to += pitch)
        asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes "
                     "[%0], [%1], %2, [%3];" ::"r"(to),
                     "l"(from), "r"(pitch - 16), "r"(barrier)
                     : "memory");
}

/* Asks for all that the block needs, in the order in which it needs it: one lane. */
template <class SOURCE>
__device__ __forceinline__ void vrs_whole_ask_all(const vrs_preprocess_view &view,
                                                  const vrs_whole &whole)
{
    constexpr int planes = SOURCE::packed ? 1 : SOURCE::apart ? 3 : 2;
    const uint8_t *from[3];
    uint32_t to[3], barrier = vrs_whole_address(whole.arrived);
#pragma unroll
    for (int plane = 0; plane < planes; plane++) {
        const int kind = plane == 0 ? 0 : 1;
        from[plane] = reinterpret_cast<const uint8_t *>(view.plane[plane]) +
                      ((int64_t)whole.top[kind] * view.stride[plane] + 16 * view.left[kind]);
        to[plane] = vrs_whole_address(whole.part[plane]) + 16;
    }
#pragma unroll 1
    for (int y = whole.begin; y < whole.end; y++, barrier += 8) {
        const vrs_whole_rows<SOURCE, 1> rows(view, whole, y);
        uint32_t bytes = rows.count[0] * (whole.pitch[0] - 16);
        if (!SOURCE::packed)
            bytes += (planes - 1) * rows.count[1] * (whole.pitch[1] - 16);
        asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier),
                     "r"(bytes)
                     : "memory");
#pragma unroll
        for (int plane = 0; plane < planes; plane++) {
            const int kind = plane == 0 ? 0 : 1;
            vrs_whole_copy(from[plane], view.stride[plane], to[plane], whole.pitch[kind],
                           rows.count[kind], barrier);
        }
    }
}

/* A warp of its own, the last one, asks; true for its lanes. The others may go on once they have
 * met at vrs_whole_meet(). */
template <class SOURCE>
__device__ __forceinline__ bool vrs_whole_ask(const vrs_preprocess_view &view,
                                              const vrs_whole &whole)
{
    if (threadIdx.x < blockDim.x - 32)
        return false;
    if (threadIdx.x % 32 == 0) {
        for (int i = 0; i < VRS_PREPROCESS_WHOLE_ROWS; i++)
            asm volatile(
                "mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(vrs_whole_address(whole.arrived + i))
                : "memory");
        asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    }
    __syncwarp();
    asm volatile("bar.arrive 1, %0;" ::"r"(blockDim.x) : "memory");
    if (threadIdx.x % 32 == 0)
        vrs_whole_ask_all<SOURCE>(view, whole);
    __syncwarp();
    /* From here on the launch after this one may begin, on multiprocessors that this one leaves:
     * all before this one have ended, so that it may read whatever this one does not write. */
    asm volatile("griddepcontrol.wait;" ::: "memory");
    asm volatile("griddepcontrol.launch_dependents;");
    return true;
}

/* Threads that make the picture. */
__device__ __forceinline__ int vrs_whole_makers()
{
    return blockDim.x - 32;
}

__device__ __forceinline__ void vrs_whole_meet()
{
    asm volatile("bar.sync 1, %0;" ::"r"(blockDim.x) : "memory");
}

/* Until the launches before this one have ended, whose results it may write over. */
__device__ __forceinline__ void vrs_whole_after_others()
{
    asm volatile("griddepcontrol.wait;" ::: "memory");
}

/* Until what the block's row i needs is there, after those before it. */
__device__ __forceinline__ void vrs_whole_wait(const vrs_whole &whole, int i)
{
    asm volatile("{\n\t"
                 ".reg .pred done;\n\t"
                 "again:\n\t"
                 "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], 0;\n\t"
                 "@done bra over;\n\t"
                 "bra again;\n\t"
                 "over:\n\t"
                 "}\n" ::"r"(vrs_whole_address(whole.arrived + i))
                 : "memory");
}

#else

/* Row `index` of all of `rows`, lane by lane. */
template <int PLANE, int KIND>
__device__ __forceinline__ void vrs_whole_copy(const vrs_preprocess_view &view,
                                               const vrs_whole &whole, int row)
{
    const uint8_t *from = reinterpret_cast<const uint8_t *>(view.plane[PLANE]) +
                          ((int64_t)row * view.stride[PLANE] + 16 * view.left[KIND]);
    uint8_t *to = whole.part[PLANE] + ((row - whole.top[KIND]) * whole.pitch[KIND] + 16);
    const int bytes = whole.pitch[KIND] - 16;
#pragma unroll 1
    for (int at = threadIdx.x % 32 * 16; at < bytes; at += 32 * 16)
        __pipeline_memcpy_async(to + at, from + at, 16);
}

template <class SOURCE>
__device__ __forceinline__ bool vrs_whole_ask(const vrs_preprocess_view &view,
                                              const vrs_whole &whole)
{
    constexpr int last = SOURCE::packed ? 0 : 1;
#pragma unroll 1
    for (int i = 0; i < VRS_PREPROCESS_WHOLE_ROWS / 2; i++) {
        const int y = whole.begin + 2 * i;
        const vrs_whole_rows<SOURCE, 2> rows(view, whole, y);
        const int luma = rows.count[0], both = luma + rows.count[1];
        const int count = y >= whole.end ? 0 : SOURCE::apart ? both + rows.count[1] : both;
#pragma unroll 1
        for (int row = threadIdx.x / 32; row < count; row += blockDim.x / 32) {
            if (SOURCE::packed || row < luma)
                vrs_whole_copy<0, 0>(view, whole, rows.at[0] + row);
            else if (!SOURCE::apart || row < both)
                vrs_whole_copy<1, last>(view, whole, rows.at[last] + row - luma);
            else
                vrs_whole_copy<2, last>(view, whole, rows.at[last] + row - both);
        }
        __pipeline_commit();
    }
    return false;
}

__device__ __forceinline__ int vrs_whole_makers()
{
    return blockDim.x;
}

__device__ __forceinline__ void vrs_whole_meet()
{
    __syncthreads();
}

__device__ __forceinline__ void vrs_whole_after_others()
{
}

__device__ __forceinline__ void vrs_whole_wait(const vrs_whole &, int i)
{
    if (i % 2 != 0)
        return;
    __pipeline_wait_prior(VRS_PREPROCESS_WHOLE_ROWS / 2 - 1 - i / 2);
    __syncthreads();
}

#endif

/* A thread's two columns of luma, of chroma or of packed pixels: what their windows weigh, where
 * they begin in the row 0 of the source, which need not be there, and the sums of the last row. */
template <class SOURCE, int WORDS, int COMPONENTS> struct vrs_pair {
    const uint8_t *words;
    int pitch, apart;
    uint32_t weight[2][SOURCE::apart ? 1 : COMPONENTS][WORDS];
    float sums[2][COMPONENTS];

    __device__ __forceinline__ void load(const vrs_preprocess_params &p,
                                         const vrs_preprocess_view &view, int kind,
                                         const vrs_whole &whole, int pair)
    {
        const int pairs = p.width / 2;
        const uint32_t *table =
            vrs_table<uint32_t>(view, view.pairs + kind * pairs * (1 + 2 * WORDS)) + pair;
        const int base = (int)__ldg(table);
        pitch = whole.pitch[kind];
        words =
            whole.part[kind] + (16 + 4 * (base - 4 * view.left[kind]) - whole.top[kind] * pitch);
        apart = kind == 0 ? 0 : (int)(whole.part[2] - whole.part[1]);
#pragma unroll
        for (int i = 0; i < 2; i++) {
            uint32_t given[WORDS];
#pragma unroll
            for (int w = 0; w < WORDS; w++)
                given[w] = __ldg(table += pairs);
#pragma unroll
            for (int c = 0; c < (SOURCE::apart ? 1 : COMPONENTS); c++) {
                const int shift = COMPONENTS == 1 ? 0 : 8 * SOURCE::offset(c);
#pragma unroll
                for (int w = 0; w < WORDS; w++)
                    weight[i][c][w] = w == 0 || !SOURCE::packed
                                          ? given[w] << shift
                                          : __funnelshift_l(given[w - 1], given[w], shift);
            }
#pragma unroll
            for (int c = 0; c < COMPONENTS; c++)
                sums[i][c] = 0.0f;
        }
    }

    __device__ __forceinline__ void sum_row(const uint8_t *row)
    {
        uint32_t word[2 * WORDS - 1];
#pragma unroll
        for (int c = 0; c < COMPONENTS; c++) {
            if (c == 0 || SOURCE::apart) {
                const uint32_t *from = reinterpret_cast<const uint32_t *>(row + c * apart);
#pragma unroll
                for (int w = 0; w < 2 * WORDS - 1; w++)
                    word[w] = vrs_clean<SOURCE>(from[w]);
            }
#pragma unroll
            for (int i = 0; i < 2; i++) {
                uint32_t total = 0;
#pragma unroll
                for (int w = 0; w < WORDS; w++) {
                    const uint32_t weighs = weight[i][SOURCE::apart ? 0 : c][w];
                    const uint32_t samples = word[i * (WORDS - 1) + w];
                    total = SOURCE::bytes == 1 ? __dp4a(samples, weighs, total)
                                               : __dp2a_lo(samples, weighs, total);
                }
                sums[i][c] = (float)(int)total;
            }
        }
    }

    /* Before the block's first output: the row that the one above it ended with. */
    __device__ __forceinline__ void begin(const uint32_t *span)
    {
        if (span[2] != 0)
            sum_row(words + ((int)span[0] - 1) * pitch);
    }

    __device__ __forceinline__ void add_row(int offset, float weighs, int from, float results[2][3])
    {
        sum_row(words + offset);
#pragma unroll
        for (int i = 0; i < 2; i++) {
#pragma unroll
            for (int c = 0; c < COMPONENTS; c++)
                results[i][from + c] = fmaf(weighs, sums[i][c], results[i][from + c]);
        }
    }

    /* The next output of both columns: components from `from` on of `results`. */
    __device__ __forceinline__ void resize(const uint32_t *span, int from, float results[2][3])
    {
        constexpr int usual = COMPONENTS == 1 ? 2 : 1; /* new rows where frames are halved */
        const uint4 head = *reinterpret_cast<const uint4 *>(span);
        const int count = (int)head.y;
        int offset = (int)head.x * pitch, tap = 0;
#pragma unroll
        for (int i = 0; i < 2; i++) {
#pragma unroll
            for (int c = 0; c < COMPONENTS; c++)
                results[i][from + c] = __uint_as_float(head.z) * sums[i][c];
        }
        if (count >= usual) {
            add_row(offset, __uint_as_float(head.w), from, results);
            offset += pitch;
            tap = usual;
            if (usual == 2) {
                add_row(offset, __uint_as_float(span[4]), from, results);
                offset += pitch;
            }
        }
#pragma unroll 1
        for (; tap < count; tap++, offset += pitch)
            add_row(offset, __uint_as_float(span[3 + tap]), from, results);
    }
};

/* Two integers, cut to -128..127, below the lower half of `rest`. */
__device__ __forceinline__ uint32_t vrs_two_bytes(float low, float high, uint32_t rest)
{
    uint32_t all;
    asm("cvt.pack.sat.s8.s32.b32 %0, %1, %2, %3;"
        : "=r"(all)
        : "r"(__float2int_rn(high)), "r"(__float2int_rn(low)), "r"(rest));
    return all;
}

/* Writes rows of the tensor. `to` is where the thread writes next. All lanes of a warp call; those
 * whose columns are not there write nothing. Where a pixel or a place has two words of 16 bytes,
 * two lanes exchange theirs, so that each writes beside the other. */
template <int STORE> struct vrs_whole_store;

template <> struct vrs_whole_store<VRS_PREPROCESS_STORE_NHWC8> {
    uint4 *to;
    int row;

    __device__ __forceinline__ vrs_whole_store(const vrs_preprocess_params &p, uint64_t tensor,
                                               int begin, int pair)
        : to(reinterpret_cast<uint4 *>(tensor) + (begin * p.width + 2 * pair - (pair & 1))),
          row(p.width)
    {
    }

    __device__ __forceinline__ void put(int, bool there, const float value[2][3])
    {
        const bool odd = (threadIdx.x & 1) != 0;
        const uint2 left =
            make_uint2(vrs_half2(value[0][0], value[0][1]), vrs_half2(value[0][2], 0.0f));
        const uint2 right =
            make_uint2(vrs_half2(value[1][0], value[1][1]), vrs_half2(value[1][2], 0.0f));
        const uint32_t x = __shfl_xor_sync(~0u, odd ? left.x : right.x, 1);
        const uint32_t y = __shfl_xor_sync(~0u, odd ? left.y : right.y, 1);
        if (there) {
            to[0] = make_uint4(odd ? x : left.x, odd ? y : left.y, 0, 0);
            to[2] = make_uint4(odd ? right.x : x, odd ? right.y : y, 0, 0);
        }
        to += row;
    }
};

template <> struct vrs_whole_store<VRS_PREPROCESS_STORE_S2D16> {
    uint4 *to;
    int row;
    uint32_t upper[3];

    __device__ __forceinline__ vrs_whole_store(const vrs_preprocess_params &p, uint64_t tensor,
                                               int begin, int pair)
        : to(reinterpret_cast<uint4 *>(tensor) + (begin / 2 * p.width + 2 * pair - (pair & 1))),
          row(p.width)
    {
    }

    __device__ __forceinline__ void put(int part, bool there, const float value[2][3])
    {
        const bool odd = (threadIdx.x & 1) != 0;
        const uint32_t first = vrs_half2(value[0][0], value[0][1]);
        const uint32_t second = vrs_half2(value[0][2], value[1][0]);
        const uint32_t third = vrs_half2(value[1][1], value[1][2]);
        if (part == 0) {
            upper[0] = first;
            upper[1] = second;
            upper[2] = third;
            return;
        }
        /* An even lane's second word of 16 bytes for the first one of its neighbour. */
        const uint32_t x = __shfl_xor_sync(~0u, odd ? upper[0] : second, 1);
        const uint32_t y = __shfl_xor_sync(~0u, odd ? upper[1] : third, 1);
        const uint32_t z = __shfl_xor_sync(~0u, upper[2], 1);
        const uint32_t w = __shfl_xor_sync(~0u, first, 1);
        if (there) {
            to[0] = make_uint4(odd ? x : upper[0], odd ? y : upper[1], odd ? 0 : upper[2],
                               odd ? 0 : first);
            to[2] = make_uint4(odd ? second : x, odd ? third : y, odd ? 0 : z, odd ? 0 : w);
        }
        to += row;
    }
};

template <> struct vrs_whole_store<VRS_PREPROCESS_STORE_NCHW> {
    uint32_t *to;
    int row, plane;

    __device__ __forceinline__ vrs_whole_store(const vrs_preprocess_params &p, uint64_t tensor,
                                               int begin, int pair)
        : to(reinterpret_cast<uint32_t *>(tensor) + (begin * (p.width / 2) + pair)),
          row(p.width / 2), plane(p.width / 2 * p.height)
    {
    }

    __device__ __forceinline__ void put(int, bool there, const float value[2][3])
    {
#pragma unroll
        for (int c = 0; c < 3; c++) {
            if (there)
                to[c * (size_t)plane] = vrs_half2(value[0][c], value[1][c]);
        }
        to += row;
    }
};

template <> struct vrs_whole_store<VRS_PREPROCESS_STORE_I8> {
    uint4 *to;
    int row;
    uint32_t upper, rest; /* the first row's bytes 0..3; 4 and 5 */

    __device__ __forceinline__ vrs_whole_store(const vrs_preprocess_params &p, uint64_t tensor,
                                               int begin, int pair)
        : to(reinterpret_cast<uint4 *>(tensor) + (begin / 2 * (p.width / 2) + pair)),
          row(p.width / 2)
    {
    }

    __device__ __forceinline__ void put(int part, bool there, const float value[2][3])
    {
        if (part == 0) {
            rest = vrs_two_bytes(value[1][1], value[1][2], 0);
            upper =
                vrs_two_bytes(value[0][0], value[0][1], vrs_two_bytes(value[0][2], value[1][0], 0));
            return;
        }
        const uint32_t last =
            vrs_two_bytes(value[0][2], value[1][0], vrs_two_bytes(value[1][1], value[1][2], 0));
        const uint32_t middle = vrs_two_bytes(value[0][0], value[0][1], 0);
        if (there)
            *to = make_uint4(upper, rest | middle << 16, last, 0);
        to += row;
    }
};

/* All rows of a block. */
template <class SOURCE, int STORE, class WIDE, class HALF>
__device__ __forceinline__ void vrs_whole_make(const vrs_preprocess_params &p,
                                               const vrs_preprocess_view &view,
                                               const vrs_whole &whole, WIDE &wide, HALF &half)
{
    float matrix[3][4], scale[3], bias[3];
#pragma unroll
    for (int c = 0; c < 3; c++) {
#pragma unroll
        for (int i = 0; i < 4; i++)
            matrix[c][i] = view.matrix[c][i];
        scale[c] = p.scale[c];
        bias[c] = p.bias[c];
    }
    const bool there = 2 * threadIdx.x < p.width;
    const int row_words = view.row_words, luma_words = view.luma_words;
    vrs_whole_store<STORE> store(p, view.tensor, whole.begin, threadIdx.x);
    uint16_t *guide =
        reinterpret_cast<uint16_t *>(view.luma) + (whole.begin * (p.width / 2) + threadIdx.x);
    const bool guided = view.luma != 0;
    const uint32_t *span = whole.spans;
#pragma unroll 1
    for (int y = whole.begin; y < whole.end; y += 2) {
#pragma unroll
        for (int part = 0; part < 2; part++) {
            float component[2][3], value[2][3];
            if (y + part == whole.end)
                break;
            vrs_whole_wait(whole, y + part - whole.begin);
            if (part == 0 && y == whole.begin) {
                vrs_whole_after_others();
                wide.begin(span);
                half.begin(span + luma_words);
            }
            wide.resize(span, 0, component);
            half.resize(span + luma_words, 1, component);
            span += row_words;
#pragma unroll
            for (int i = 0; i < 2; i++) {
#pragma unroll
                for (int c = 0; c < 3; c++)
                    value[i][c] =
                        fmaf(__saturatef(vrs_dot(matrix[c], component[i])), scale[c], bias[c]);
            }
            store.put(part, there, value);
            if (guided && there)
                *guide = (uint16_t)(vrs_guide(vrs_dot(view.guide, component[0])) |
                                    vrs_guide(vrs_dot(view.guide, component[1])) << 8);
            guide += p.width / 2;
        }
    }
}

template <class SOURCE, int WORDS, class WIDE, class HALF>
__device__ __forceinline__ void vrs_whole_stores(const vrs_preprocess_params &p,
                                                 const vrs_preprocess_view &view,
                                                 const vrs_whole &whole, WIDE &wide, HALF &half)
{
    if (p.store == VRS_PREPROCESS_STORE_NHWC8)
        vrs_whole_make<SOURCE, VRS_PREPROCESS_STORE_NHWC8>(p, view, whole, wide, half);
    else if (p.store == VRS_PREPROCESS_STORE_S2D16)
        vrs_whole_make<SOURCE, VRS_PREPROCESS_STORE_S2D16>(p, view, whole, wide, half);
    else if (p.store == VRS_PREPROCESS_STORE_NCHW)
        vrs_whole_make<SOURCE, VRS_PREPROCESS_STORE_NCHW>(p, view, whole, wide, half);
    else
        vrs_whole_make<SOURCE, VRS_PREPROCESS_STORE_I8>(p, view, whole, wide, half);
}

template <class SOURCE, int WORDS>
__device__ __forceinline__ void vrs_whole_run(const vrs_preprocess_params &p,
                                              const vrs_preprocess_view &view,
                                              const vrs_whole &whole)
{
    const int pair = min((int)threadIdx.x, p.width / 2 - 1);
    vrs_pair<SOURCE, WORDS, SOURCE::packed ? 3 : 1> wide;
    vrs_pair<SOURCE, WORDS, 2> half;
    vrs_nothing nothing;
    wide.load(p, view, 0, whole, pair);
    if (!SOURCE::packed)
        half.load(p, view, 1, whole, pair);
    vrs_whole_meet(); /* the rows' taps are there, and the barriers */
    if (SOURCE::packed)
        vrs_whole_stores<SOURCE, WORDS>(p, view, whole, wide, nothing);
    else
        vrs_whole_stores<SOURCE, WORDS>(p, view, whole, wide, half);
}

template <class SOURCE>
__device__ __forceinline__ void vrs_whole_view(const vrs_preprocess_params &p)
{
    extern __shared__ uint4 vrs_shared[];
    constexpr int narrow = SOURCE::packed ? 5 : SOURCE::bytes == 1 ? 2 : 3;
    constexpr int wide = SOURCE::bytes == 1 ? 3 : 5;
    const vrs_preprocess_view &view = p.view[blockIdx.z];
    const vrs_whole whole = vrs_whole_of<SOURCE>(p, view, reinterpret_cast<uint8_t *>(vrs_shared));
    if (vrs_whole_ask<SOURCE>(view, whole))
        return;
    const uint32_t *table = vrs_table<uint32_t>(view, view.rows) + whole.begin * view.row_words;
    const int words = (whole.end - whole.begin) * view.row_words;
    for (int i = threadIdx.x; i < words; i += vrs_whole_makers())
        whole.spans[i] = __ldg(table + i);
    if (SOURCE::packed || view.shape == VRS_PREPROCESS_NARROW)
        vrs_whole_run<SOURCE, narrow>(p, view, whole);
    else
        vrs_whole_run<SOURCE, wide>(p, view, whole);
}

/* 112 registers: two blocks of the usual 256 threads and a warp a multiprocessor. */
#define VRS_PREPROCESS_KERNEL(name, source)                                            \
    extern "C" __global__ void __launch_bounds__(VRS_PREPROCESS_WHOLE_THREADS + 64, 1) \
        name(const __grid_constant__ vrs_preprocess_params p)                          \
    {                                                                                  \
        vrs_whole_view<source>(p);                                                     \
    }

VRS_PREPROCESS_KERNEL(vrs_preprocess_yuv420p_whole, vrs_yuv420p)
VRS_PREPROCESS_KERNEL(vrs_preprocess_nv12_whole, vrs_nv12)
VRS_PREPROCESS_KERNEL(vrs_preprocess_yuv420p10_whole, vrs_yuv420p10)
VRS_PREPROCESS_KERNEL(vrs_preprocess_p010_whole, vrs_p010)
VRS_PREPROCESS_KERNEL(vrs_preprocess_rgb24_whole, vrs_rgb24)
VRS_PREPROCESS_KERNEL(vrs_preprocess_bgra_whole, vrs_bgra)
