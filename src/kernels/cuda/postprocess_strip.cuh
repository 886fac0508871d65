/* Alphas for strips of rows whose columns all come in whole vectors: what the fast renderers share.
 *
 * A block of 4 warps makes 128 columns of 4 strips, a strip a warp, 4 columns a lane. What a thread
 * reads at full size goes ahead of it into slots of shared memory that it alone touches; the part
 * of the small mask that the block needs lies there for all, prepared: a value and the difference
 * to its right neighbour, so that a source row costs one access and one multiply-add a column. */
#ifndef VRS_KERNELS_CUDA_POSTPROCESS_STRIP_CUH
#define VRS_KERNELS_CUDA_POSTPROCESS_STRIP_CUH

#include "postprocess.cuh"

#define VRS_STRIP_WARPS 4
#define VRS_STRIP_THREADS (32 * VRS_STRIP_WARPS)
#define VRS_STRIP_COLUMNS VRS_POST_STRIP_COLUMNS /* of a thread */
#define VRS_STRIP_WIDTH (32 * VRS_STRIP_COLUMNS)
#define VRS_STRIP_ROWS 64 /* of a block at most */

/* Slots, then the tile. */
extern __shared__ uint4 vrs_strip_memory[];

/* Where a block's columns and rows lie in the tile: bytes (of a column) or rows, and a weight as a
 * float's word: of the right neighbour; of that one of two neighbouring rows which is odd. */
struct vrs_strip_places {
    uint2 column[VRS_STRIP_WIDTH];
    uint2 row[VRS_STRIP_ROWS];
};

/* Keeps a number in a register that the compiler would rather make again in every row: from the
 * parameters that is an access by a view's index, and waits. */
__device__ __forceinline__ int vrs_keep(int number)
{
    asm volatile("" : "+r"(number));
    return number;
}

__device__ __forceinline__ float vrs_keep(float number)
{
    return __int_as_float(vrs_keep(__float_as_int(number)));
}

/* Places in shared memory as the hardware counts them, kept in one register and without a base to
 * add. The loads are volatile so that the branch around them stays one: selecting what each of two
 * gives costs more. */
#if defined(__CUDA_ARCH__)
__device__ __forceinline__ int vrs_shared_place(const void *p)
{
    return (int)__cvta_generic_to_shared(p);
}

__device__ __forceinline__ void vrs_load_shared(int place, float2 &to)
{
    asm volatile("ld.shared.v2.f32 {%0, %1}, [%2];" : "=f"(to.x), "=f"(to.y) : "r"(place));
}

__device__ __forceinline__ void vrs_load_shared(int place, float4 &to)
{
    asm volatile("ld.shared.v4.f32 {%0, %1, %2, %3}, [%4];"
                 : "=f"(to.x), "=f"(to.y), "=f"(to.z), "=f"(to.w)
                 : "r"(place));
}
#else
__device__ __forceinline__ int vrs_shared_place(const void *p)
{
    return (int)(static_cast<const uint8_t *>(p) -
                 reinterpret_cast<const uint8_t *>(vrs_strip_memory));
}

template <typename T> __device__ __forceinline__ void vrs_load_shared(int place, T &to)
{
    to = *reinterpret_cast<const T *>(reinterpret_cast<const uint8_t *>(vrs_strip_memory) + place);
}
#endif

/* What a thread of a strip knows. */
struct vrs_strip {
    const vrs_render_params &p;
    const vrs_render_view &v;
    int first, top;    /* of the block */
    int x, begin, end; /* of the thread, and its rows */

    __device__ __forceinline__ vrs_strip(const vrs_render_params &params)
        : p(params), v(params.view[blockIdx.z])
    {
        first = blockIdx.x * VRS_STRIP_WIDTH;
        top = blockIdx.y * VRS_STRIP_WARPS * p.rows;
        x = min(first + (int)threadIdx.x * VRS_STRIP_COLUMNS, v.width - VRS_STRIP_COLUMNS);
        begin = top + threadIdx.y * p.rows;
        end = min(begin + p.rows, v.height);
    }

    __device__ __forceinline__ bool outside() const
    {
        return first >= v.width || top >= v.height;
    }

    __device__ __forceinline__ vrs_tap column_tap(int column) const
    {
        return vrs_tap_by(min(column, v.width - 1), v.mask_width, v.width, v.column_factor,
                          v.column_shift);
    }

    __device__ __forceinline__ vrs_tap row_tap(int row) const
    {
        return vrs_tap_by(min(row, v.height - 1), v.mask_height, v.height, v.row_factor,
                          v.row_shift);
    }
};

/* Rows of a plane that are written one after the other, from byte `at` of row y on. */
struct vrs_strip_target {
    uint8_t *row;
    int stride;

    __device__ __forceinline__ vrs_strip_target(uint64_t plane, int row_stride, int64_t at, int y)
        : row(vrs_at<uint8_t>(plane) + (int64_t)y * row_stride + at), stride(vrs_keep(row_stride))
    {
    }

    __device__ __forceinline__ void next()
    {
        row += stride;
    }
};

__device__ __forceinline__ int vrs_strip_thread()
{
    return threadIdx.y * 32 + threadIdx.x;
}

/* The thread's slots of BYTES, the first of all beginning `offset` bytes into the memory; from one
 * to the next: */
template <int BYTES> __device__ __forceinline__ uint8_t *vrs_strip_slot(int offset)
{
    return reinterpret_cast<uint8_t *>(vrs_strip_memory) + offset + vrs_strip_thread() * BYTES;
}
#define VRS_STRIP_NEXT(bytes) (VRS_STRIP_THREADS * (bytes))

template <typename T> __device__ __forceinline__ T *vrs_strip_tile(const vrs_strip &s)
{
    return reinterpret_cast<T *>(reinterpret_cast<uint8_t *>(vrs_strip_memory) + s.p.stage_bytes);
}

/* Starts to copy BYTES of each of the strip's rows (every `step`th) into the thread's slots. */
template <int BYTES>
__device__ __forceinline__ void vrs_strip_ahead(const vrs_strip &s, int offset, uint64_t plane,
                                                int stride, int64_t at, int step)
{
    const uint8_t *from = vrs_at<const uint8_t>(plane) + (int64_t)(s.begin / step) * stride + at;
    uint8_t *to = vrs_strip_slot<BYTES>(offset);
    for (int y = s.begin; y < s.end; y += step, to += VRS_STRIP_NEXT(BYTES), from += stride)
        vrs_copy_ahead<BYTES>(to, from);
}

template <int WORDS>
__device__ __forceinline__ void vrs_strip_read(const uint8_t *slot, uint32_t *w)
{
    if (WORDS == 1) {
        w[0] = *reinterpret_cast<const uint32_t *>(slot);
    } else if (WORDS == 2) {
        const uint2 both = *reinterpret_cast<const uint2 *>(slot);
        w[0] = both.x;
        w[1] = both.y;
    } else {
        const uint4 all = *reinterpret_cast<const uint4 *>(slot);
        w[0] = all.x;
        w[1] = all.y;
        w[2] = all.z;
        w[3] = all.w;
    }
}

/* How a small mask lies in the tile, and what is made of it. An `element` is a value with its
 * difference to the right; a `column` has a value of an even row of the tile and one of an odd row,
 * neighbours, so that nothing moves when the next row comes; get() is what lies between the two.
 * Alpha is what get() gives times `scale` plus `bias`, exactly, and its q15 lies in the word's bits
 * from `shift` on. */
template <int KIND> struct vrs_mask_tile;

/* Q15, exactly vrs_upsample_fn: a value is 2^22 + q15 + 1/2, a float with one bit below 1. One
 * multiply-add that rounds down is the whole interpolation but for that bit. */
template <> struct vrs_mask_tile<VRS_POST_MASK_SMALL> {
    typedef float2 element;
    typedef float value;
    static constexpr float scale = 1.0f / 32768.0f, bias = -128.0f;
    static constexpr int shift = 1;
    struct raw {
        int left, right;
    };

    static __device__ __forceinline__ raw load(const vrs_render_view &v, int at, int right)
    {
        const int16_t *p = vrs_at<const int16_t>(v.mask) + at;
        return {__ldg(p), __ldg(p + right)};
    }

    static __device__ __forceinline__ element prepare(raw r, float, float)
    {
        return make_float2((float)r.left + 4194304.5f, (float)(r.right - r.left));
    }

    static __device__ __forceinline__ value across(element e, float weight)
    {
        return __uint_as_float(__float_as_uint(__fmaf_rd(e.y, weight, e.x)) | 1u);
    }

    struct column {
        float even, delta; /* delta: odd - even */

        __device__ __forceinline__ column() : even(0), delta(0)
        {
        }

        __device__ __forceinline__ void put_even(value v)
        {
            const float odd = even + delta;
            even = v;
            delta = odd - v;
        }

        __device__ __forceinline__ void put_odd(value v)
        {
            delta = v - even;
        }

        __device__ __forceinline__ float get(float, float of_odd, float) const
        {
            return __uint_as_float(__float_as_uint(__fmaf_rd(delta, of_odd, even)) & ~1u);
        }
    };
};

/* Slope and offset, made ready for the luma's codes less `origin`. */
template <> struct vrs_mask_tile<VRS_POST_MASK_REFINE> {
    typedef float4 element;
    typedef float2 value;
    static constexpr float scale = 1, bias = -VRS_ALPHA_BASE;
    static constexpr int shift = 0;
    struct raw {
        float2 left, right;
    };

    static __device__ __forceinline__ raw load(const vrs_render_view &v, int at, int right)
    {
        const float2 *p = vrs_at<const float2>(v.mask) + at;
        return {__ldg(p), __ldg(p + right)};
    }

    static __device__ __forceinline__ element prepare(raw r, float luma_scale, float luma_offset)
    {
        const float slope = r.right.x - r.left.x, offset = r.right.y - r.left.y;
        return make_float4(r.left.x * luma_scale, __fmaf_rn(r.left.x, luma_offset, r.left.y),
                           slope * luma_scale, __fmaf_rn(slope, luma_offset, offset));
    }

    static __device__ __forceinline__ value across(element e, float weight)
    {
        return make_float2(__fmaf_rn(e.z, weight, e.x), __fmaf_rn(e.w, weight, e.y));
    }

    struct column {
        float2 even, odd;

        __device__ __forceinline__ void put_even(value v)
        {
            even = v;
        }

        __device__ __forceinline__ void put_odd(value v)
        {
            odd = v;
        }

        __device__ __forceinline__ float get(float of_even, float of_odd, float luma) const
        {
            const float slope = __fmaf_rn(even.x, of_even, odd.x * of_odd);
            const float offset = __fmaf_rn(even.y, of_even, odd.y * of_odd);
            return __fmaf_rn(__saturatef(__fmaf_rn(slope, luma, offset)), VRS_ALPHA_ONE,
                             VRS_ALPHA_BASE);
        }
    };
};

/* Where a column lies in a row of the tile: behind every 128 bytes one element is left out, so that
 * lanes that read about every second one meet no bank conflict. */
template <typename T> __device__ __forceinline__ int vrs_tile_place(int column)
{
    return column + column / (128 / (int)sizeof(T));
}

/* A thread fills every VRS_STRIP_THREADS'th element. INSIDE: they and their right neighbours are
 * all inside of the mask. */
template <int KIND, bool INSIDE>
__device__ __forceinline__ void vrs_fill_tile(const vrs_strip &s, int left, int upper, float origin)
{
    typedef vrs_mask_tile<KIND> tile;
    constexpr int together = 5; /* loads that wait for the memory together */
    const vrs_render_view &v = s.v;
    const int columns = s.p.tile_columns, count = columns * s.p.tile_rows;
    const int pitch = vrs_keep(vrs_tile_place<typename tile::element>(columns));
    const unsigned factor = (unsigned)vrs_keep((int)s.p.tile_factor);
    const int base = upper * v.mask_stride + left, skip = vrs_keep(v.mask_stride - columns);
    const float luma_scale = vrs_keep(v.luma_scale);
    const float luma_offset = vrs_keep(__fmaf_rn(origin, v.luma_scale, v.luma_offset));
    typename tile::element *to = vrs_strip_tile<typename tile::element>(s);
    for (int i = vrs_strip_thread(); i < count; i += together * VRS_STRIP_THREADS) {
        typename tile::raw raw[together];
#pragma unroll
        for (int k = 0; k < together; k++) {
            const int at = min(i + k * VRS_STRIP_THREADS, count - 1);
            const int row = (int)__umulhi((unsigned)at, factor);
            if (INSIDE) {
                raw[k] = tile::load(v, base + at + row * skip, 1);
            } else {
                const int x = min(left + at - row * columns, v.mask_width - 1);
                const int y = min(upper + row, v.mask_height - 1);
                raw[k] = tile::load(v, y * v.mask_stride + x, x + 1 < v.mask_width ? 1 : 0);
            }
        }
#pragma unroll
        for (int k = 0; k < together; k++) {
            const int at = i + k * VRS_STRIP_THREADS;
            const int row = (int)__umulhi((unsigned)at, factor), column = at - row * columns;
            const typename tile::element element = tile::prepare(raw[k], luma_scale, luma_offset);
            if (at < count)
                to[row * pitch + vrs_tile_place<typename tile::element>(column)] = element;
        }
    }
}

/* Alphas of a strip, row by row from its first on: begin() before the copies are waited for, then a
 * barrier, ready(), and move() to each row in turn, to places that two() gives for two rows.
 * `origin` is what the luma that get() takes has less. */
template <int KIND> struct vrs_alphas {
    typedef vrs_mask_tile<KIND> tile;
    static constexpr float scale = tile::scale, bias = tile::bias;
    static constexpr int shift = tile::shift;
    typename tile::column column[VRS_STRIP_COLUMNS];
    int place[VRS_STRIP_COLUMNS]; /* in shared memory, in the tile's first row */
    float weight[VRS_STRIP_COLUMNS];
    int current, row_bytes;
    float of_odd;
    const uint4 *rows;

    /* Places, and p.tile_rows rows of p.tile_columns from the block's first neighbours on; beyond
     * the mask its last ones again. */
    static __device__ __forceinline__ void begin(const vrs_strip &s, vrs_strip_places &places, int,
                                                 float origin)
    {
        constexpr int bytes = sizeof(typename tile::element);
        const int left = s.column_tap(s.first).index, upper = s.row_tap(s.top).index;
        const int thread = vrs_strip_thread();
#pragma unroll
        for (int i = 0; i < VRS_STRIP_WIDTH; i += VRS_STRIP_THREADS) {
            const vrs_tap tap = s.column_tap(s.first + thread + i);
            places.column[thread + i] = make_uint2(
                (unsigned)(vrs_tile_place<typename tile::element>(tap.index - left) * bytes),
                __float_as_uint((float)tap.weight * (1.0f / 32768.0f)));
        }
        if (thread < VRS_STRIP_WARPS * s.p.rows) {
            const vrs_tap tap = s.row_tap(s.top + thread);
            const int row = tap.index - upper;
            const float lower = (float)tap.weight * (1.0f / 32768.0f);
            places.row[thread] =
                make_uint2((unsigned)row, __float_as_uint(row % 2 == 0 ? lower : 1 - lower));
        }
        if (left + s.p.tile_columns < s.v.mask_width && upper + s.p.tile_rows <= s.v.mask_height)
            vrs_fill_tile<KIND, true>(s, left, upper, origin);
        else
            vrs_fill_tile<KIND, false>(s, left, upper, origin);
    }

    __device__ __forceinline__ void ready(const vrs_strip &s, const vrs_strip_places &places, int)
    {
        const uint4 *mine = reinterpret_cast<const uint4 *>(places.column + (s.x - s.first));
        const int tile_place = vrs_shared_place(vrs_strip_tile<uint8_t>(s));
#pragma unroll
        for (int i = 0; i < VRS_STRIP_COLUMNS; i += 2) {
            const uint4 two = mine[i / 2];
            place[i] = vrs_keep(tile_place + (int)two.x);
            weight[i] = vrs_keep(__uint_as_float(two.y));
            place[i + 1] = vrs_keep(tile_place + (int)two.z);
            weight[i + 1] = vrs_keep(__uint_as_float(two.w));
        }
        row_bytes = vrs_keep(vrs_tile_place<typename tile::element>(s.p.tile_columns) *
                             (int)sizeof(typename tile::element));
        current = -2;
        rows = reinterpret_cast<const uint4 *>(places.row + threadIdx.y * s.p.rows);
    }

    template <bool ODD> __device__ __forceinline__ void load_columns(int offset)
    {
#pragma unroll
        for (int i = 0; i < VRS_STRIP_COLUMNS; i++) {
            typename tile::element element;
            vrs_load_shared(place[i] + offset, element);
            const typename tile::value value = tile::across(element, weight[i]);
            if (ODD)
                column[i].put_odd(value);
            else
                column[i].put_even(value);
        }
    }

    /* Brings row `row` of the tile in. */
    __device__ __forceinline__ void load(int row)
    {
        const int offset = vrs_keep(row * row_bytes);
        if (row % 2 == 0)
            load_columns<false>(offset);
        else
            load_columns<true>(offset);
    }

    /* Places of the next two rows. */
    __device__ __forceinline__ uint4 two()
    {
        return *rows++;
    }

    /* To a row. A warp's lanes are in the same one. */
    __device__ __forceinline__ void move(unsigned at, unsigned odd)
    {
        const int row = (int)at;
        of_odd = __uint_as_float(odd);
        if (row == current)
            return;
        if (row != current + 1)
            load(row);
        load(row + 1);
        current = row;
    }

    /* move() is next to the same row. */
    __device__ __forceinline__ void again()
    {
    }

    __device__ __forceinline__ float get(int i, float luma) const
    {
        return column[i].get(1 - of_odd, of_odd, luma);
    }
};

/* A mask at full size: its rows are copied ahead like the source's. */
template <> struct vrs_alphas<VRS_POST_MASK_FULL> {
    static constexpr int bytes = 2 * VRS_STRIP_COLUMNS;
    static constexpr float scale = 1, bias = -VRS_ALPHA_BASE;
    static constexpr int shift = 0;
    uint32_t word[VRS_STRIP_COLUMNS / 2];
    const uint8_t *slot;

    static __device__ __forceinline__ void begin(const vrs_strip &s, vrs_strip_places &, int offset,
                                                 float)
    {
        vrs_strip_ahead<bytes>(s, offset, s.v.mask, 2 * s.v.mask_stride, 2 * (int64_t)s.x, 1);
    }

    __device__ __forceinline__ void ready(const vrs_strip &, const vrs_strip_places &, int offset)
    {
        slot = vrs_strip_slot<bytes>(offset);
    }

    __device__ __forceinline__ uint4 two()
    {
        return make_uint4(0, 0, 0, 0);
    }

    __device__ __forceinline__ void again()
    {
        slot -= VRS_STRIP_NEXT(bytes);
    }

    __device__ __forceinline__ void move(unsigned, unsigned)
    {
        vrs_strip_read<VRS_STRIP_COLUMNS / 2>(slot, word);
        slot += VRS_STRIP_NEXT(bytes);
    }

    __device__ __forceinline__ float get(int i, float) const
    {
        return __uint_as_float(__byte_perm(word[i / 2], 0x43800000u, i % 2 ? 0x7632 : 0x7610));
    }
};

/* A thread's samples of a row as they are stored. get() makes a code less `origin` of one by
 * putting it into the low bits of 2^23; words of 16 bits may have it in their upper 10. */
template <bool DEEP> struct vrs_strip_samples {
    static constexpr int sample = DEEP ? 2 : 1, bytes = VRS_STRIP_COLUMNS * sample;
    uint32_t word[bytes / 4];
    unsigned magic; /* 2^23; in a register, as the places to take bytes from are not */

    __device__ __forceinline__ explicit vrs_strip_samples(unsigned two_23) : magic(two_23)
    {
    }

    __device__ __forceinline__ void read(const uint8_t *slot, bool high)
    {
        vrs_strip_read<bytes / 4>(slot, word);
        if (DEEP && high) {
#pragma unroll
            for (int i = 0; i < bytes / 4; i++)
                word[i] = word[i] >> 6 & 0x03ff03ffu;
        }
    }

    __device__ __forceinline__ float get(int i, float origin) const
    {
        const uint32_t in = word[DEEP ? i / 2 : i / 4];
        const unsigned deep = i % 2 ? 0x7632 : 0x7610, narrow = 0x7650 + i % 4;
        return __uint_as_float(__byte_perm(in, magic, DEEP ? deep : narrow)) -
               (8388608.0f + origin);
    }
};

#endif
