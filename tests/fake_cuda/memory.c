/* Device and pinned memory. Device addresses lie in a region that can never be read or written
 * here; behind each of them stands an alias in a second region of the same size, which only work
 * on the device uses. Addresses are handed out in one direction, so that a freed one does not come
 * back soon. */
#define _GNU_SOURCE /* memfd_create() and two flags of mmap() */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fake_cuda/internal.h"

static uint64_t round_up(uint64_t value, uint64_t to)
{
    return (value + to - 1) / to * to;
}

static uint64_t map_region(void)
{
    void *region =
        mmap(NULL, REGION_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (region == MAP_FAILED)
        fake_die("the address space has no 256 GB left");
    return round_up((uint64_t)(uintptr_t)region, GRANULARITY);
}

void fake_memory_init(void)
{
    fake.device_base = map_region();
    fake.alias_base = map_region();
    fake.cursor = fake.device_base;
}

bool fake_is_device(uint64_t address)
{
    return address >= fake.device_base && address - fake.device_base < REGION_BYTES;
}

static void *alias_of(uint64_t address)
{
    return (void *)(uintptr_t)(address - fake.device_base + fake.alias_base);
}

/* Makes the alias of a range unreadable again; its memory is given back. */
static void close_alias(uint64_t address, uint64_t bytes)
{
    if (mmap(alias_of(address), bytes, PROT_NONE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
        fake_die("a range cannot be closed");
}

/* A free stretch of device addresses, 0: none. Goes around the region once. */
static uint64_t find_addresses(uint64_t bytes, uint64_t alignment)
{
    const uint64_t end = fake.device_base + REGION_BYTES - GRANULARITY;
    if (bytes > REGION_BYTES / 2)
        return 0;
    uint64_t at = round_up(fake.cursor, alignment);
    for (int turn = 0; turn < 2;) {
        if (at + bytes > end) {
            at = round_up(fake.device_base, alignment);
            turn++;
            continue;
        }
        const fake_range *r = fake.ranges;
        while (r != NULL && (r->outer >= at + bytes || r->outer + r->outer_bytes <= at))
            r = r->next;
        if (r == NULL) {
            fake.cursor = at + bytes;
            return at;
        }
        at = round_up(r->outer + r->outer_bytes, alignment);
    }
    return 0;
}

static fake_range *add_range(fake_range_kind kind, uint64_t base, uint64_t bytes)
{
    fake_range *r = fake_take(1, sizeof(*r));
    r->kind = kind;
    r->base = r->outer = base;
    r->bytes = r->outer_bytes = bytes;
    r->device = fake_current_device();
    r->next = fake.ranges;
    fake.ranges = r;
    return r;
}

static void drop_range(fake_range *range)
{
    fake_range **at = &fake.ranges;
    while (*at != range)
        at = &(*at)->next;
    *at = range->next;
    free(range->pages);
    free(range);
}

static fake_range *range_at(uint64_t address, fake_range_kind kind)
{
    fake_range *r = fake.ranges;
    while (r != NULL && (r->base != address || r->kind != kind))
        r = r->next;
    return r;
}

/* The range that an address is in, its end included. */
static fake_range *range_around(uint64_t address)
{
    fake_range *end = NULL;
    for (fake_range *r = fake.ranges; r != NULL; r = r->next) {
        if (address >= r->base && address - r->base < r->bytes)
            return r;
        if (address == r->base + r->bytes)
            end = r;
    }
    return end;
}

static bool all_mapped(const fake_range *r, uint64_t offset, uint64_t bytes)
{
    if (r->kind != RANGE_RESERVED)
        return true;
    for (uint64_t page = offset / GRANULARITY; page * GRANULARITY < offset + bytes; page++)
        if (r->pages[page].physical == NULL || !r->pages[page].access)
            return false;
    return true;
}

void *fake_resolve(uint64_t address, size_t bytes)
{
    const fake_range *r = range_around(address);
    if (r == NULL || r->leaving || bytes > r->bytes - (address - r->base) ||
        !all_mapped(r, address - r->base, bytes))
        return NULL;
    return fake_is_device(address) ? alias_of(address) : (void *)(uintptr_t)address;
}

bool fake_is_pinned(const void *host, size_t bytes)
{
    const uint64_t address = (uint64_t)(uintptr_t)host;
    const fake_range *r = range_around(address);
    return r != NULL && (r->kind == RANGE_PINNED || r->kind == RANGE_REGISTERED) &&
           bytes <= r->bytes - (address - r->base);
}

static bool charge(int device, uint64_t bytes)
{
    if (fake.used[device] + fake.other > fake.memory ||
        bytes > fake.memory - fake.other - fake.used[device])
        return false;
    fake.used[device] += bytes;
    if (fake.used[device] > fake.peak[device])
        fake.peak[device] = fake.used[device];
    return true;
}

/* What new memory holds: nothing that a program may count on. The middle of large blocks is left
 * out, as touching it would take real memory. */
static void make_fresh(void *memory, uint64_t bytes)
{
    const uint64_t most = 1 << 20;
    memset(memory, FRESH, bytes < most ? bytes : most);
}

/* The end of the allocation lies at the end of a page, but for its alignment to 256. */
static cu_result allocate(cu_ptr *address, size_t bytes)
{
    const uint64_t inner = round_up(bytes, 256), pages = round_up(inner, PAGE);
    const int device = fake_current_device();
    if (address == NULL || bytes == 0)
        return CU_INVALID_VALUE;
    if (!charge(device, round_up(bytes, 512)))
        return CU_OUT_OF_MEMORY;
    const uint64_t outer = find_addresses(pages + 2 * PAGE, PAGE);
    if (outer == 0) {
        fake.used[device] -= round_up(bytes, 512);
        return CU_OUT_OF_MEMORY;
    }
    const uint64_t base = outer + PAGE + pages - inner;
    if (mmap(alias_of(outer + PAGE), pages, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
        fake_die("device memory cannot be mapped");
    fake_range *r = add_range(RANGE_DEVICE, base, bytes);
    r->outer = outer;
    r->outer_bytes = pages + 2 * PAGE;
    make_fresh(alias_of(base), bytes);
    memset(alias_of(base + bytes), TAIL_MARK, inner - bytes);
    *address = base;
    return CU_SUCCESS;
}

static bool tail_whole(const fake_range *r)
{
    if (r->kind != RANGE_DEVICE)
        return true;
    const uint8_t *tail = alias_of(r->base + r->bytes);
    for (uint64_t i = 0; i < round_up(r->bytes, 256) - r->bytes; i++)
        if (tail[i] != TAIL_MARK)
            return false;
    return true;
}

bool fake_tails_whole(void)
{
    for (const fake_range *r = fake.ranges; r != NULL; r = r->next)
        if (!tail_whole(r))
            return false;
    return true;
}

static void release_device(fake_range *r)
{
    fake.used[r->device] -= round_up(r->bytes, 512);
    close_alias(r->outer, r->outer_bytes);
    drop_range(r);
}

bool fake_free_device(uint64_t address)
{
    fake_range *r = range_at(address, RANGE_DEVICE);
    if (r == NULL)
        return false;
    release_device(r);
    return true;
}

DRIVER(cuMemGetInfo_v2, size_t *free_bytes, size_t *total)
{
    ENTER(NEEDS_CONTEXT);
    const uint64_t gone = fake.used[fake_current_device()] + fake.other;
    *free_bytes = gone < fake.memory ? fake.memory - gone : 0;
    *total = fake.memory;
    return fake_leave(CU_SUCCESS);
}

DRIVER(cuMemAlloc_v2, cu_ptr *address, size_t bytes)
{
    ENTER(NEEDS_CONTEXT);
    return fake_leave(allocate(address, bytes));
}

DRIVER(cuMemAllocPitch_v2, cu_ptr *address, size_t *pitch, size_t width, size_t height,
       unsigned element)
{
    ENTER(NEEDS_CONTEXT);
    if (pitch == NULL || width == 0 || height == 0 ||
        (element != 4 && element != 8 && element != 16))
        return fake_leave(CU_INVALID_VALUE);
    *pitch = round_up(width, 512);
    return fake_leave(allocate(address, *pitch * height));
}

/* A real driver waits for the device here, mostly; whoever counts on that finds his work on freed
 * memory. */
DRIVER(cuMemFree_v2, cu_ptr address)
{
    const cu_result error = fake_enter_release(__func__);
    if (fake_current_device() < 0)
        return fake_leave(CU_INVALID_CONTEXT);
    fake_quiet();
    if (address == 0)
        return fake_leave(error);
    const fake_range *r = range_at(address, RANGE_DEVICE);
    if (r == NULL)
        return fake_leave(error != CU_SUCCESS ? error : CU_INVALID_VALUE);
    if (!tail_whole(r))
        fake_die("a kernel wrote behind the end of an allocation that is being freed");
    fake_free_device(address);
    return fake_leave(error);
}

DRIVER(cuMemAllocAsync, cu_ptr *address, size_t bytes, cu_stream stream)
{
    ENTER(NEEDS_CONTEXT);
    if (fake_stream_find(stream) == NULL)
        return fake_leave(CU_INVALID_HANDLE);
    return fake_leave(allocate(address, bytes));
}

DRIVER(cuMemFreeAsync, cu_ptr address, cu_stream stream)
{
    const cu_result error = fake_enter_release(__func__);
    struct fake_stream *on = fake_stream_find(stream);
    fake_range *r = range_at(address, RANGE_DEVICE);
    if (r == NULL || on == NULL)
        return fake_leave(error != CU_SUCCESS ? error : CU_INVALID_VALUE);
    if (fake_sticky(r->device) != CU_SUCCESS) {
        release_device(r);
        return fake_leave(error);
    }
    fake_op *op = fake_op_new(OP_FREE);
    op->dst = address;
    const cu_result put = fake_put(on, op, false);
    return fake_leave(error != CU_SUCCESS ? error : put);
}

DRIVER(cuMemGetAddressRange_v2, cu_ptr *base, size_t *bytes, cu_ptr address)
{
    ENTER(NEEDS_CONTEXT);
    const fake_range *r = range_around(address);
    if (r == NULL || address == r->base + r->bytes)
        return fake_leave(CU_NOT_FOUND);
    if (base != NULL)
        *base = r->base;
    if (bytes != NULL)
        *bytes = r->bytes;
    return fake_leave(CU_SUCCESS);
}

/* Pinned memory: pages of their own, so that what runs over the end is caught. */
static cu_result allocate_host(void **host, size_t bytes)
{
    if (host == NULL || bytes == 0)
        return CU_INVALID_VALUE;
    const uint64_t pages = round_up(bytes, PAGE);
    void *outer =
        mmap(NULL, pages + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (outer == MAP_FAILED)
        return CU_OUT_OF_MEMORY;
    void *inner = (char *)outer + PAGE;
    if (mprotect(inner, pages, PROT_READ | PROT_WRITE) != 0)
        fake_die("pinned memory cannot be opened");
    make_fresh(inner, bytes);
    fake_range *r = add_range(RANGE_PINNED, (uint64_t)(uintptr_t)inner, bytes);
    r->outer = (uint64_t)(uintptr_t)outer;
    r->outer_bytes = pages + 2 * PAGE;
    *host = inner;
    return CU_SUCCESS;
}

DRIVER(cuMemHostAlloc, void **host, size_t bytes, unsigned flags)
{
    ENTER(NEEDS_CONTEXT);
    return fake_leave(flags > 7 ? CU_INVALID_VALUE : allocate_host(host, bytes));
}

DRIVER(cuMemAllocHost_v2, void **host, size_t bytes)
{
    ENTER(NEEDS_CONTEXT);
    return fake_leave(allocate_host(host, bytes));
}

static void release_host(fake_range *r)
{
    munmap((void *)(uintptr_t)r->outer, r->outer_bytes);
    drop_range(r);
}

DRIVER(cuMemFreeHost, void *host)
{
    const cu_result error = fake_enter_release(__func__);
    if (fake_current_device() < 0)
        return fake_leave(CU_INVALID_CONTEXT);
    fake_quiet();
    fake_range *r = range_at((uint64_t)(uintptr_t)host, RANGE_PINNED);
    if (r == NULL)
        return fake_leave(error != CU_SUCCESS ? error : CU_INVALID_VALUE);
    release_host(r);
    return fake_leave(error);
}

DRIVER(cuMemHostRegister_v2, void *host, size_t bytes, unsigned flags)
{
    ENTER(NEEDS_CONTEXT);
    const uint64_t base = (uint64_t)(uintptr_t)host;
    if (host == NULL || bytes == 0 || flags > 15)
        return fake_leave(CU_INVALID_VALUE);
    for (const fake_range *r = fake.ranges; r != NULL; r = r->next)
        if (r->base < base + bytes && base < r->base + r->bytes)
            return fake_leave(CU_ALREADY_REGISTERED);
    add_range(RANGE_REGISTERED, base, bytes);
    return fake_leave(CU_SUCCESS);
}

DRIVER(cuMemHostUnregister, void *host)
{
    const cu_result error = fake_enter_release(__func__);
    if (fake_current_device() < 0)
        return fake_leave(CU_INVALID_CONTEXT);
    fake_quiet();
    fake_range *r = range_at((uint64_t)(uintptr_t)host, RANGE_REGISTERED);
    if (r == NULL)
        return fake_leave(error != CU_SUCCESS ? error : CU_NOT_REGISTERED);
    drop_range(r);
    return fake_leave(error);
}

DRIVER(cuMemHostGetDevicePointer_v2, cu_ptr *address, void *host, unsigned flags)
{
    ENTER(NEEDS_CONTEXT);
    if (flags != 0 || !fake_is_pinned(host, 1))
        return fake_leave(CU_INVALID_VALUE);
    *address = (uint64_t)(uintptr_t)host;
    return fake_leave(CU_SUCCESS);
}

/* CU_POINTER_ATTRIBUTE_MEMORY_TYPE and _RANGE_START_ADDR. */
DRIVER(cuPointerGetAttribute, void *value, int attribute, cu_ptr address)
{
    ENTER(NEEDS_CONTEXT);
    const fake_range *r = range_around(address);
    if (attribute != 2 && attribute != 11)
        return fake_leave(CU_NOT_SUPPORTED);
    if (r == NULL || address == r->base + r->bytes)
        return fake_leave(CU_INVALID_VALUE);
    if (attribute == 2)
        *(unsigned *)value = fake_is_device(address) ? CU_MEMORY_DEVICE : CU_MEMORY_HOST;
    else
        *(cu_ptr *)value = r->base;
    return fake_leave(CU_SUCCESS);
}

/* The pool of cuMemAllocAsync(), which keeps nothing here. */
DRIVER(cuDeviceGetDefaultMemPool, void **pool, int device)
{
    ENTER(NEEDS_INIT);
    if (pool == NULL || device < 0 || device >= fake.devices)
        return fake_leave(pool == NULL ? CU_INVALID_VALUE : CU_INVALID_DEVICE);
    *pool = &fake.contexts[device];
    return fake_leave(CU_SUCCESS);
}

static bool is_pool(const void *pool)
{
    return pool >= (const void *)&fake.contexts[0] &&
           pool < (const void *)&fake.contexts[fake.devices];
}

DRIVER(cuMemPoolTrimTo, void *pool, size_t kept)
{
    (void)kept;
    ENTER(NEEDS_INIT);
    return fake_leave(is_pool(pool) ? CU_SUCCESS : CU_INVALID_VALUE);
}

DRIVER(cuMemPoolSetAttribute, void *pool, int attribute, void *value)
{
    ENTER(NEEDS_INIT);
    return fake_leave(is_pool(pool) && attribute > 0 && value != NULL ? CU_SUCCESS
                                                                      : CU_INVALID_VALUE);
}

DRIVER(cuMemGetAllocationGranularity, size_t *granularity, const cu_allocation_prop *prop,
       int option)
{
    ENTER(NEEDS_INIT);
    if (granularity == NULL || prop == NULL || prop->type != 1 || option < 0 || option > 1)
        return fake_leave(CU_INVALID_VALUE);
    *granularity = GRANULARITY;
    return fake_leave(CU_SUCCESS);
}

/* Not what the hardware reads: the address, so that a launch with it is checked as one with any
 * address, then marks. */
DRIVER(cuTensorMapEncodeTiled, void *map, int type, uint32_t rank, cu_ptr address,
       const uint64_t *sizes, const uint64_t *strides, const uint32_t *box, const uint32_t *steps,
       int interleave, int swizzle, int promotion, int fill)
{
    ENTER(NEEDS_CONTEXT);
    const uint64_t element = 2;
    bool good = (uintptr_t)map % 64 == 0 && map != NULL && type == CU_TENSOR_MAP_FLOAT16 &&
                rank >= 1 && rank <= 5 && address != 0 && address % 16 == 0 && interleave == 0 &&
                swizzle == CU_TENSOR_MAP_SWIZZLE_128 && promotion >= 0 && promotion <= 3 &&
                (fill == 0 || fill == 1);
    for (uint32_t i = 0; good && i < rank; i++)
        good = sizes[i] >= 1 && sizes[i] <= (uint64_t)1 << 32 && box[i] >= 1 && box[i] <= 256 &&
               steps[i] >= 1 && steps[i] <= 8;
    for (uint32_t i = 0; good && i + 1 < rank; i++)
        good = strides[i] % 16 == 0 && strides[i] < (uint64_t)1 << 40 &&
               strides[i] >= (i == 0 ? sizes[0] * element : strides[i - 1]);
    if (!good || box[0] * element > 128)
        return fake_leave(CU_INVALID_VALUE);
    memset(map, 0x5c, 128);
    memcpy(map, &address, sizeof(address));
    return fake_leave(CU_SUCCESS);
}

DRIVER(cuMemAddressReserve, cu_ptr *address, size_t bytes, size_t alignment, cu_ptr wanted,
       unsigned long long flags)
{
    (void)wanted; /* a wish that a driver need not fulfil */
    ENTER(NEEDS_CONTEXT);
    if (address == NULL || bytes == 0 || bytes % GRANULARITY != 0 || flags != 0 ||
        (alignment & (alignment - 1)) != 0)
        return fake_leave(CU_INVALID_VALUE);
    const uint64_t base = find_addresses(bytes, alignment > GRANULARITY ? alignment : GRANULARITY);
    if (base == 0)
        return fake_leave(CU_OUT_OF_MEMORY);
    add_range(RANGE_RESERVED, base, bytes)->pages =
        fake_take(bytes / GRANULARITY, sizeof(fake_page));
    *address = base;
    return fake_leave(CU_SUCCESS);
}

static void drop_physical(fake_physical *physical)
{
    if (!physical->released || physical->maps > 0)
        return;
    fake_physical **at = &fake.physicals;
    while (*at != physical)
        at = &(*at)->next;
    *at = physical->next;
    fake.used[physical->device] -= physical->bytes;
    close(physical->fd);
    free(physical);
}

static void unmap_page(fake_page *page)
{
    fake_physical *physical = page->physical;
    const bool first = page->first;
    *page = (fake_page){NULL, false, false};
    if (physical != NULL && first) {
        physical->maps--;
        drop_physical(physical);
    }
}

DRIVER(cuMemAddressFree, cu_ptr address, size_t bytes)
{
    const cu_result error = fake_enter_release(__func__);
    fake_quiet();
    fake_range *r = range_at(address, RANGE_RESERVED);
    if (r == NULL || r->bytes != bytes)
        return fake_leave(error != CU_SUCCESS ? error : CU_INVALID_VALUE);
    for (uint64_t i = 0; i < r->bytes / GRANULARITY; i++)
        if (r->pages[i].physical != NULL)
            return fake_leave(error != CU_SUCCESS ? error : CU_INVALID_VALUE);
    drop_range(r);
    return fake_leave(error);
}

static void make_physical_fresh(const fake_physical *physical)
{
    void *view = mmap(NULL, GRANULARITY / 8, PROT_READ | PROT_WRITE, MAP_SHARED, physical->fd, 0);
    if (view == MAP_FAILED)
        fake_die("physical memory cannot be mapped");
    make_fresh(view, GRANULARITY / 8);
    munmap(view, GRANULARITY / 8);
}

DRIVER(cuMemCreate, uint64_t *handle, size_t bytes, const cu_allocation_prop *prop,
       unsigned long long flags)
{
    ENTER(NEEDS_CONTEXT);
    if (handle == NULL || prop == NULL || prop->type != 1 || prop->location.type != 1 ||
        prop->location.id < 0 || prop->location.id >= fake.devices || flags != 0 || bytes == 0 ||
        bytes % GRANULARITY != 0)
        return fake_leave(CU_INVALID_VALUE);
    if (!charge(prop->location.id, bytes))
        return fake_leave(CU_OUT_OF_MEMORY);
    fake_physical *physical = fake_take(1, sizeof(*physical));
    physical->fd = memfd_create("fake_cuda", MFD_CLOEXEC);
    if (physical->fd < 0 || ftruncate(physical->fd, (off_t)bytes) != 0)
        fake_die("no file for physical memory");
    make_physical_fresh(physical);
    physical->id = ++fake.next_handle;
    physical->device = prop->location.id;
    physical->bytes = bytes;
    physical->next = fake.physicals;
    fake.physicals = physical;
    *handle = physical->id;
    return fake_leave(CU_SUCCESS);
}

static fake_physical *physical_of(uint64_t handle)
{
    fake_physical *physical = fake.physicals;
    while (physical != NULL && (physical->id != handle || physical->released))
        physical = physical->next;
    return physical;
}

DRIVER(cuMemRelease, uint64_t handle)
{
    const cu_result error = fake_enter_release(__func__);
    fake_physical *physical = physical_of(handle);
    if (physical == NULL)
        return fake_leave(error != CU_SUCCESS ? error : CU_INVALID_VALUE);
    physical->released = true;
    drop_physical(physical);
    return fake_leave(error);
}

/* The reservation that holds a whole stretch, NULL: none. */
static fake_range *reservation(cu_ptr address, size_t bytes)
{
    fake_range *r = range_around(address);
    if (r == NULL || r->kind != RANGE_RESERVED || bytes == 0 ||
        (address - r->base) % GRANULARITY != 0 || bytes % GRANULARITY != 0 ||
        bytes > r->bytes - (address - r->base))
        return NULL;
    return r;
}

DRIVER(cuMemMap, cu_ptr address, size_t bytes, size_t offset, uint64_t handle,
       unsigned long long flags)
{
    ENTER(NEEDS_CONTEXT);
    fake_range *r = reservation(address, bytes);
    fake_physical *physical = physical_of(handle);
    if (r == NULL || physical == NULL || offset != 0 || bytes != physical->bytes || flags != 0)
        return fake_leave(CU_INVALID_VALUE);
    fake_page *pages = r->pages + (address - r->base) / GRANULARITY;
    for (size_t i = 0; i < bytes / GRANULARITY; i++)
        if (pages[i].physical != NULL)
            return fake_leave(CU_INVALID_VALUE);
    for (size_t i = 0; i < bytes / GRANULARITY; i++)
        pages[i] = (fake_page){physical, i == 0, false};
    physical->maps++;
    return fake_leave(CU_SUCCESS);
}

DRIVER(cuMemUnmap, cu_ptr address, size_t bytes)
{
    const cu_result error = fake_enter_release(__func__);
    fake_quiet();
    fake_range *r = reservation(address, bytes);
    if (r == NULL)
        return fake_leave(error != CU_SUCCESS ? error : CU_INVALID_VALUE);
    fake_page *pages = r->pages + (address - r->base) / GRANULARITY;
    const size_t count = bytes / GRANULARITY, left = r->bytes / GRANULARITY;
    const size_t end = (address - r->base) / GRANULARITY + count;
    /* Whole mappings only. */
    if (!pages[0].first || (end < left && r->pages[end].physical != NULL && !r->pages[end].first))
        return fake_leave(error != CU_SUCCESS ? error : CU_INVALID_VALUE);
    close_alias(address, bytes);
    for (size_t i = 0; i < count; i++)
        unmap_page(&pages[i]);
    return fake_leave(error);
}

/* Opens the mapping that begins at a page; returns its pages. */
static size_t open_mapping(fake_range *r, size_t page)
{
    const fake_physical *physical = r->pages[page].physical;
    const size_t count = physical->bytes / GRANULARITY;
    if (mmap(alias_of(r->base + page * GRANULARITY), physical->bytes, PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_FIXED, physical->fd, 0) == MAP_FAILED)
        fake_die("physical memory cannot be mapped");
    for (size_t i = 0; i < count; i++)
        r->pages[page + i].access = true;
    return count;
}

DRIVER(cuMemSetAccess, cu_ptr address, size_t bytes, const cu_access *access, size_t count)
{
    ENTER(NEEDS_CONTEXT);
    fake_range *r = reservation(address, bytes);
    if (r == NULL || access == NULL || count != 1 || access->flags != 3 ||
        access->location.type != 1)
        return fake_leave(CU_INVALID_VALUE);
    const size_t first = (address - r->base) / GRANULARITY, end = first + bytes / GRANULARITY;
    for (size_t i = first; i < end; i++)
        if (r->pages[i].physical == NULL)
            return fake_leave(CU_INVALID_VALUE);
    if (!r->pages[first].first ||
        (end < r->bytes / GRANULARITY && r->pages[end].physical != NULL && !r->pages[end].first))
        return fake_leave(CU_INVALID_VALUE);
    for (size_t i = first; i < end;)
        i += r->pages[i].access ? 1 : open_mapping(r, i);
    return fake_leave(CU_SUCCESS);
}

size_t fake_memory_live(size_t counts[5])
{
    size_t all = 0;
    for (const fake_range *r = fake.ranges; r != NULL; r = r->next, all++)
        counts[r->kind]++;
    for (const fake_physical *p = fake.physicals; p != NULL; p = p->next, all++)
        counts[4]++;
    return all;
}

void fake_memory_drop(void)
{
    while (fake.ranges != NULL) {
        fake_range *r = fake.ranges;
        for (uint64_t i = 0; r->kind == RANGE_RESERVED && i < r->bytes / GRANULARITY; i++)
            unmap_page(&r->pages[i]);
        if (r->kind == RANGE_RESERVED)
            close_alias(r->base, r->bytes);
        if (r->kind == RANGE_DEVICE)
            release_device(r);
        else if (r->kind == RANGE_PINNED)
            release_host(r);
        else
            drop_range(r);
    }
    while (fake.physicals != NULL) {
        fake.physicals->released = true;
        drop_physical(fake.physicals);
    }
    memset(fake.used, 0, sizeof(fake.used));
    memset(fake.peak, 0, sizeof(fake.peak));
}
