/* The resize of the fast preprocess kernels, from rows in shared memory to components of pixels. */
#ifndef VRS_KERNELS_CUDA_PREPROCESS_RESIZE_CUH
#define VRS_KERNELS_CUDA_PREPROCESS_RESIZE_CUH

#include "preprocess.cuh"

/* How a source's rows look: bytes of a sample and bits that count; where the bytes of a plane's
 * components lie in a sample of all of them (U V in turn, R G B, B G R A), or 0 where each
 * component has a plane of its own. */
struct vrs_yuv420p {
    static constexpr int bytes = 1;
    static constexpr bool high = false, packed = false, apart = true;
    __device__ static constexpr int offset(int)
    {
        return 0;
    }
};
struct vrs_nv12 {
    static constexpr int bytes = 1;
    static constexpr bool high = false, packed = false, apart = false;
    __device__ static constexpr int offset(int component)
    {
        return component;
    }
};
struct vrs_yuv420p10 {
    static constexpr int bytes = 2;
    static constexpr bool high = false, packed = false, apart = true;
    __device__ static constexpr int offset(int)
    {
        return 0;
    }
};
struct vrs_p010 {
    static constexpr int bytes = 2;
    static constexpr bool high = true, packed = false, apart = false;
    /* A byte of weights stands for a sample. */
    __device__ static constexpr int offset(int component)
    {
        return component;
    }
};
struct vrs_rgb24 {
    static constexpr int bytes = 1;
    static constexpr bool high = false, packed = true, apart = false;
    __device__ static constexpr int offset(int component)
    {
        return component;
    }
};
struct vrs_bgra {
    static constexpr int bytes = 1;
    static constexpr bool high = false, packed = true, apart = false;
    __device__ static constexpr int offset(int component)
    {
        return 2 - component;
    }
};

template <class SOURCE> __device__ __forceinline__ uint32_t vrs_clean(uint32_t word)
{
    if (SOURCE::bytes == 1)
        return word;
    return SOURCE::high ? word & 0xffc0ffc0u : __vminu2(word, 0x03ff03ffu);
}

/* One lane's window of a row: where it begins and what its samples weigh. */
template <class SOURCE, int WORDS, bool FINE> struct vrs_window {
    static constexpr bool split = SOURCE::bytes == 1 && FINE; /* high bytes in words of their own */
    uint32_t base;                                            /* word of the row */
    uint32_t low[WORDS], high[split ? WORDS : 1];

    __device__ __forceinline__ void load(const vrs_preprocess_view &view, int kind, int column)
    {
        const uint32_t *tables = reinterpret_cast<const uint32_t *>(view.tables);
        uint32_t place = view.integer[kind] + column;
        base = __ldg(tables + place);
#pragma unroll
        for (int w = 0; w < WORDS; w++)
            low[w] = __ldg(tables + (place += view.width));
#pragma unroll
        for (int w = 0; w < (split ? WORDS : 0); w++)
            high[w] = __ldg(tables + (place += view.width));
    }

    /* The weights of a word for samples `offset` bytes on from the first component's. */
    __device__ __forceinline__ uint32_t weights(const uint32_t *from, int w, int offset) const
    {
        return w == 0 || !SOURCE::packed ? from[w] << 8 * offset
                                         : __funnelshift_l(from[w - 1], from[w], 8 * offset);
    }

    /* Weighted sum of a row's window. */
    __device__ __forceinline__ float sum(const uint32_t words[WORDS], int offset) const
    {
        uint32_t total = 0, upper = 0;
#pragma unroll
        for (int w = 0; w < WORDS; w++) {
            if (SOURCE::bytes == 1) {
                total = __dp4a(words[w], weights(low, w, offset), total);
                if (FINE)
                    upper = __dp4a(words[w], weights(high, split ? w : 0, offset), upper);
            } else {
                total = __dp2a_lo(words[w], weights(low, w, offset), total);
                if (FINE)
                    upper = __dp2a_hi(words[w], weights(low, w, offset), upper);
            }
        }
        return (float)(int)(FINE ? total + (upper << 8) : total);
    }
};

/* Where a thread's outputs of luma, of chroma or of packed pixels come from: the windows of its
 * columns in the rows that lie in shared memory, and the sums of the row that the next output may
 * begin with. */
template <class SOURCE, int WORDS, bool FINE, int COMPONENTS> struct vrs_lane {
    vrs_window<SOURCE, WORDS, FINE> window[VRS_PREPROCESS_COLUMNS];
    const uint8_t
        *words[VRS_PREPROCESS_COLUMNS]; /* where the window begins in the first strip's top row */
    int pitch, apart;                   /* bytes from row to row; and to the plane of V */
    int origin; /* bytes from there to row 0 of the source, which need not be there */
    float sums[VRS_PREPROCESS_COLUMNS][COMPONENTS];

    __device__ __forceinline__ void place(const uint32_t *part, int left, int row_bytes,
                                          int to_other)
    {
        pitch = row_bytes;
        apart = to_other;
#pragma unroll
        for (int i = 0; i < VRS_PREPROCESS_COLUMNS; i++) {
            words[i] = reinterpret_cast<const uint8_t *>(part + (window[i].base - left));
#pragma unroll
            for (int c = 0; c < COMPONENTS; c++)
                sums[i][c] = 0.0f;
        }
    }

    __device__ __forceinline__ void sum_row(int i, const uint8_t *row)
    {
        uint32_t word[WORDS];
#pragma unroll
        for (int c = 0; c < COMPONENTS; c++) {
            if (c == 0 || SOURCE::apart) {
                const uint32_t *from = reinterpret_cast<const uint32_t *>(row + c * apart);
#pragma unroll
                for (int w = 0; w < WORDS; w++)
                    word[w] = vrs_clean<SOURCE>(from[w]);
            }
            /* Luma has a plane of its own. */
            sums[i][c] = window[i].sum(word, COMPONENTS == 1 ? 0 : SOURCE::offset(c));
        }
    }

    /* Before a block's first output: the row that the one above it ended with. */
    __device__ __forceinline__ void begin(const uint32_t *span)
    {
        if (span[2] == 0)
            return;
#pragma unroll
        for (int i = 0; i < VRS_PREPROCESS_COLUMNS; i++)
            sum_row(i, words[i] + (origin + ((int)span[0] - 1) * pitch));
    }

    /* Adds a weighted row to `results`, at the components from `from` on. */
    __device__ __forceinline__ void add_row(int offset, float weight, int from,
                                            float results[VRS_PREPROCESS_COLUMNS][3])
    {
#pragma unroll
        for (int i = 0; i < VRS_PREPROCESS_COLUMNS; i++) {
            sum_row(i, words[i] + offset);
#pragma unroll
            for (int c = 0; c < COMPONENTS; c++)
                results[i][from + c] = fmaf(weight, sums[i][c], results[i][from + c]);
        }
    }

    /* The next output of each column: components from `from` on of `results`. */
    __device__ __forceinline__ void resize(const uint32_t *span, int from,
                                           float results[VRS_PREPROCESS_COLUMNS][3])
    {
        constexpr int usual = COMPONENTS == 1 ? 2 : 1; /* new rows where frames are halved */
        const uint4 head = *reinterpret_cast<const uint4 *>(span);
        const int count = (int)head.y;
        int offset = origin + (int)head.x * pitch, tap = 0;
#pragma unroll
        for (int i = 0; i < VRS_PREPROCESS_COLUMNS; i++) {
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

/* In the place of the chroma of packed pixels. */
struct vrs_nothing {
    int origin;

    __device__ __forceinline__ void begin(const uint32_t *)
    {
    }
    __device__ __forceinline__ void resize(const uint32_t *, int, float (*)[3])
    {
    }
};

#endif
