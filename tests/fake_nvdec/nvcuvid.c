/* libnvcuvid.so.1 without hardware: as many surfaces as libav asked for, pictures that say who they
 * are in place of decoded ones, drawn on the stream that libav names, and poison in a surface as
 * soon as it is released. It lives on whichever libcuda.so.1 is loaded. */
#include "fake_nvdec/fake_nvdec.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "fake_nvdec/cuvid.h"

#define DRIVER_INVALID 1
#define DRIVER_NO_MEMORY 2
#define DRIVER_UNSUPPORTED 801
#define MAX_SURFACES 64
#define EXPORT __attribute__((visibility("default")))

typedef struct surface {
    uint64_t memory; /* of the device */
    bool mapped;
} surface;

typedef struct decoder {
    cuvid_create made;
    size_t pitch, bytes;
    void *stream;             /* that drawing was queued on */
    int orders[MAX_SURFACES]; /* of the picture in each decode surface */
    surface outputs[MAX_SURFACES];
    uint64_t decoded_into; /* the decode surfaces' memory, one block */
} decoder;

static struct {
    pthread_mutex_t lock;
    fake_nvdec_counts counts;
    unsigned max_width;
    int fail_in, fail_with;
    bool fail_forever;
} fake = {.lock = PTHREAD_MUTEX_INITIALIZER, .max_width = 8192};

/* ---- the driver ----------------------------------------------------------------------------- */

static void *driver(const char *name)
{
    void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
    void *symbol = library ? dlsym(library, name) : NULL;
    if (!symbol)
        abort(); /* libav has loaded it before it came here */
    (void)dlclose(library);
    return symbol;
}

static int driver_alloc(uint64_t *memory, size_t bytes)
{
    int (*call)(uint64_t *, size_t);
    *(void **)(&call) = driver("cuMemAlloc_v2");
    return call(memory, bytes);
}

static void driver_free(uint64_t memory)
{
    int (*call)(uint64_t);
    *(void **)(&call) = driver("cuMemFree_v2");
    (void)call(memory);
}

static int driver_upload(uint64_t to, const void *from, size_t bytes, void *stream)
{
    int (*call)(uint64_t, const void *, size_t, void *);
    *(void **)(&call) = driver("cuMemcpyHtoDAsync_v2");
    return call(to, from, bytes, stream);
}

static void driver_wait(void *stream)
{
    int (*call)(void *);
    *(void **)(&call) = driver("cuStreamSynchronize");
    (void)call(stream);
}

/* Behind the back of all streams, as the decoder's own engine writes. */
static void poison(uint64_t memory, size_t bytes)
{
    void *(*call)(uint64_t, size_t);
    *(void **)(&call) = driver("fake_cuda_host");
    void *seen = call(memory, bytes);
    if (seen)
        memset(seen, FAKE_NVDEC_POISON, bytes);
}

/* ---- what tests see ------------------------------------------------------------------------- */

EXPORT void fake_nvdec_reset(void)
{
    pthread_mutex_lock(&fake.lock);
    fake.counts = (fake_nvdec_counts){0};
    fake.max_width = 8192;
    fake.fail_in = 0;
    pthread_mutex_unlock(&fake.lock);
}

EXPORT fake_nvdec_counts fake_nvdec_read(void)
{
    pthread_mutex_lock(&fake.lock);
    fake_nvdec_counts counts = fake.counts;
    pthread_mutex_unlock(&fake.lock);
    return counts;
}

EXPORT void fake_nvdec_set_max_width(unsigned width)
{
    pthread_mutex_lock(&fake.lock);
    fake.max_width = width;
    pthread_mutex_unlock(&fake.lock);
}

EXPORT void fake_nvdec_fail_picture(int n, int error, bool forever)
{
    pthread_mutex_lock(&fake.lock);
    fake.fail_in = n;
    fake.fail_with = error;
    fake.fail_forever = forever;
    pthread_mutex_unlock(&fake.lock);
}

EXPORT uint8_t fake_nvdec_byte(int order, int plane, int x, int y)
{
    return (uint8_t)((order * 7 + x + 3 * y) ^ (plane * 0x55));
}

/* ---- NVIDIA's functions --------------------------------------------------------------------- */

EXPORT int cuvidGetDecoderCaps(cuvid_caps *caps);
EXPORT int cuvidCreateDecoder(void **out, cuvid_create *made);
EXPORT int cuvidDestroyDecoder(void *handle);
EXPORT int cuvidDecodePicture(void *handle, cuvid_picture *picture);
EXPORT int cuvidMapVideoFrame64(void *handle, int index, uint64_t *memory, unsigned *pitch,
                                cuvid_map *map);
EXPORT int cuvidUnmapVideoFrame64(void *handle, uint64_t memory);

int cuvidGetDecoderCaps(cuvid_caps *caps)
{
    pthread_mutex_lock(&fake.lock);
    unsigned width = fake.max_width;
    pthread_mutex_unlock(&fake.lock);
    caps->supported = width > 0 && caps->chroma == CHROMA_420 &&
                      (caps->codec == CODEC_H264 || caps->codec == CODEC_HEVC);
    caps->engines = 1;
    caps->output_formats = 1U << SURFACE_NV12 | 1U << SURFACE_P016;
    caps->max_width = width;
    caps->max_height = 8192;
    caps->max_macroblocks = 8192 * 8192 / 256;
    caps->min_width = 16;
    caps->min_height = 16;
    return 0;
}

static void free_decoder(decoder *one)
{
    for (int i = 0; i < MAX_SURFACES; i++)
        if (one->outputs[i].memory)
            driver_free(one->outputs[i].memory);
    if (one->decoded_into)
        driver_free(one->decoded_into);
    free(one);
}

/* All surfaces at once, as the real one takes them. */
static int take_surfaces(decoder *one)
{
    int error = driver_alloc(&one->decoded_into, one->bytes * one->made.decode_surfaces);
    for (unsigned long i = 0; i < one->made.output_surfaces && error == 0; i++)
        error = driver_alloc(&one->outputs[i].memory, one->bytes);
    return error;
}

int cuvidCreateDecoder(void **out, cuvid_create *made)
{
    if (made->decode_surfaces > MAX_SURFACES || made->output_surfaces > MAX_SURFACES)
        return DRIVER_INVALID;
    decoder *one = calloc(1, sizeof *one);
    if (!one)
        return DRIVER_NO_MEMORY;
    size_t row = made->target_width * (made->surface == SURFACE_NV12 ? 1 : 2);
    one->made = *made;
    one->pitch = (row + 511) / 512 * 512;
    one->bytes = one->pitch * made->target_height * 3 / 2;
    int error = take_surfaces(one);
    if (error != 0) {
        free_decoder(one);
        return error;
    }
    *out = one;
    pthread_mutex_lock(&fake.lock);
    fake.counts.decoders++;
    pthread_mutex_unlock(&fake.lock);
    return 0;
}

int cuvidDestroyDecoder(void *handle)
{
    decoder *one = handle;
    driver_wait(one->stream); /* as the real one does before it frees its surfaces */
    free_decoder(one);
    pthread_mutex_lock(&fake.lock);
    fake.counts.decoders--;
    pthread_mutex_unlock(&fake.lock);
    return 0;
}

int cuvidDecodePicture(void *handle, cuvid_picture *picture)
{
    decoder *one = handle;
    int error = 0;
    pthread_mutex_lock(&fake.lock);
    if (fake.fail_in > 0 && --fake.fail_in == 0) {
        error = fake.fail_with;
        fake.fail_in = fake.fail_forever ? 1 : 0;
    }
    fake.counts.decoded++;
    pthread_mutex_unlock(&fake.lock);
    if (picture->index < 0 || (unsigned long)picture->index >= one->made.decode_surfaces)
        return DRIVER_INVALID;
    size_t offset = one->made.codec == CODEC_H264 ? H264_ORDER_OFFSET : HEVC_ORDER_OFFSET;
    memcpy(&one->orders[picture->index], picture->codec_specific + offset, sizeof(int));
    return error;
}

static void draw(const decoder *one, uint8_t *into, int order)
{
    int rows = (int)one->made.target_height;
    for (int y = 0; y < rows * 3 / 2; y++) {
        uint8_t *row = into + one->pitch * (size_t)y;
        bool chroma = y >= rows;
        for (int x = 0; x < (int)one->pitch; x++)
            row[x] = fake_nvdec_byte(order, chroma, x, chroma ? y - rows : y);
    }
}

int cuvidMapVideoFrame64(void *handle, int index, uint64_t *memory, unsigned *pitch, cuvid_map *map)
{
    decoder *one = handle;
    surface *found = NULL;
    pthread_mutex_lock(&fake.lock);
    for (unsigned long i = 0; i < one->made.output_surfaces && !found; i++)
        found = one->outputs[i].mapped ? NULL : &one->outputs[i];
    if (found) {
        found->mapped = true;
        fake.counts.mapped++;
        if (fake.counts.mapped > fake.counts.most_mapped)
            fake.counts.most_mapped = fake.counts.mapped;
    }
    pthread_mutex_unlock(&fake.lock);
    if (!found)
        return DRIVER_NO_MEMORY;
    uint8_t *drawing = malloc(one->bytes);
    int error = drawing ? 0 : DRIVER_NO_MEMORY;
    if (error == 0) { /* pageable memory is read during the call */
        draw(one, drawing, one->orders[index]);
        one->stream = map->stream;
        error = driver_upload(found->memory, drawing, one->bytes, map->stream);
    }
    free(drawing);
    if (error != 0) {
        pthread_mutex_lock(&fake.lock);
        found->mapped = false;
        fake.counts.mapped--;
        pthread_mutex_unlock(&fake.lock);
    }
    *memory = found->memory;
    *pitch = (unsigned)one->pitch;
    return error;
}

int cuvidUnmapVideoFrame64(void *handle, uint64_t memory)
{
    decoder *one = handle;
    surface *left = NULL;
    pthread_mutex_lock(&fake.lock);
    for (int i = 0; i < MAX_SURFACES && !left; i++) {
        surface *looked_at = &one->outputs[i];
        left = looked_at->mapped && looked_at->memory == memory ? looked_at : NULL;
    }
    pthread_mutex_unlock(&fake.lock);
    if (!left)
        return DRIVER_INVALID;
    poison(memory, one->bytes); /* what still copies from it shows that */
    pthread_mutex_lock(&fake.lock);
    left->mapped = false;
    fake.counts.mapped--;
    fake.counts.released++;
    pthread_mutex_unlock(&fake.lock);
    return 0;
}

int cuvidCtxLockCreate(void **lock, void *context);
EXPORT int cuvidCtxLockCreate(void **lock, void *context)
{
    *lock = context;
    return 0;
}

/* libav looks for these and does not call them on this way. */
#define NOT_HERE(name)             \
    int name(void);                \
    EXPORT int name(void)          \
    {                              \
        return DRIVER_UNSUPPORTED; \
    }
NOT_HERE(cuvidGetDecodeStatus)
NOT_HERE(cuvidReconfigureDecoder)
NOT_HERE(cuvidCtxLockDestroy)
NOT_HERE(cuvidCtxLock)
NOT_HERE(cuvidCtxUnlock)
NOT_HERE(cuvidCreateVideoSource)
NOT_HERE(cuvidCreateVideoSourceW)
NOT_HERE(cuvidDestroyVideoSource)
NOT_HERE(cuvidSetVideoSourceState)
NOT_HERE(cuvidGetVideoSourceState)
NOT_HERE(cuvidGetSourceVideoFormat)
NOT_HERE(cuvidGetSourceAudioFormat)
NOT_HERE(cuvidCreateVideoParser)
NOT_HERE(cuvidParseVideoData)
NOT_HERE(cuvidDestroyVideoParser)
