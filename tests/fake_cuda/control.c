/* State, environment, counters, failures to order, and what is alive. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_cuda/internal.h"

fake_state fake = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

void fake_die(const char *text)
{
    fprintf(stderr, "fake_cuda (seed %" PRIu64 "): %s\n", fake.seed, text);
    abort();
}

void *fake_take(size_t count, size_t bytes)
{
    void *block = calloc(count > 0 ? count : 1, bytes > 0 ? bytes : 1);
    if (block == NULL)
        fake_die("no memory left for the stand-in itself");
    return block;
}

/* splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014). */
uint64_t fake_random(void)
{
    uint64_t z = fake.random += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static uint64_t number_of(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);
    return text != NULL && *text != '\0' ? strtoull(text, NULL, 10) : otherwise;
}

static void add_failure(const char *name, uint64_t n, int error, bool loses)
{
    if (fake.failure_count == MAX_FAILURES)
        fake_die("more than 16 failures are ordered");
    fake_failure *failure = &fake.failures[fake.failure_count++];
    snprintf(failure->text, sizeof(failure->text), "%s", name);
    char *at = strchr(failure->text, '@');
    failure->device = at != NULL ? (int)strtol(at + 1, NULL, 10) : -1;
    if (at != NULL)
        *at = '\0';
    failure->name = failure->text;
    failure->left = n > 0 ? n : 1;
    failure->error = error;
    failure->loses = loses;
}

/* "name:n:error" or "name@device:n:error", several with commas. */
static void read_failures(const char *variable, bool loses)
{
    const char *text = getenv(variable);
    while (text != NULL && *text != '\0') {
        char name[48];
        unsigned long n = 0;
        int error = 0;
        if (sscanf(text, "%47[^:]:%8lu:%8d", name, &n, &error) != 3)
            fake_die("VRSEG_FAKE_CUDA_FAIL and _LOSE are lists of name:n:error");
        add_failure(name, n, error, loses);
        text = strchr(text, ',');
        text = text != NULL ? text + 1 : NULL;
    }
}

static void read_environment(uint64_t seed)
{
    const char *mode = getenv("VRSEG_FAKE_CUDA_MODE");
    const char *name = getenv("VRSEG_FAKE_CUDA_NAME");
    const char *capability = getenv("VRSEG_FAKE_CUDA_CAPABILITY");
    fake.seed = seed != 0 ? seed : number_of("VRSEG_FAKE_CUDA_SEED", 1);
    fake.random = fake.seed;
    fake.mode = mode != NULL && strcmp(mode, "sync") == 0 ? FAKE_CUDA_SYNC : FAKE_CUDA_THREAD;
    fake.devices = (int)number_of("VRSEG_FAKE_CUDA_DEVICES", 1);
    fake.driver = (int)number_of("VRSEG_FAKE_CUDA_DRIVER", 13000);
    fake.memory = number_of("VRSEG_FAKE_CUDA_MEMORY", (uint64_t)8 << 30);
    fake.other = 0;
    fake.image_error = (int)number_of("VRSEG_FAKE_CUDA_IMAGE_ERROR", 0);
    fake.by_ptx = number_of("CUDA_FORCE_PTX_JIT", 0) != 0;
    snprintf(fake.name, sizeof(fake.name), "%s", name != NULL ? name : "Fake GPU");
    fake.major = 9;
    fake.minor = 0;
    if (capability != NULL && sscanf(capability, "%3d.%3d", &fake.major, &fake.minor) != 2)
        fake_die("VRSEG_FAKE_CUDA_CAPABILITY is MAJOR.MINOR");
    if (fake.devices < 0 || fake.devices > MAX_DEVICES)
        fake_die("VRSEG_FAKE_CUDA_DEVICES is 0 to 8");
    fake.failure_count = 0;
    read_failures("VRSEG_FAKE_CUDA_FAIL", false);
    read_failures("VRSEG_FAKE_CUDA_LOSE", true);
    fake_schedule_init();
}

__attribute__((constructor)) static void load(void)
{
    pthread_mutex_lock(&fake.lock);
    fake_memory_init();
    fake_kernels_init();
    read_environment(0);
    pthread_mutex_unlock(&fake.lock);
}

__attribute__((destructor)) static void unload(void)
{
    char text[256];
    fake_thread_stop();
    if (fake_cuda_leaks(text, sizeof(text)) > 0)
        fprintf(stderr, "fake_cuda: alive at the end: %s\n", text);
}

static void count_call(const char *name)
{
    size_t i = 0;
    while (i < fake.name_count && strcmp(fake.names[i].name, name) != 0)
        i++;
    if (i == fake.name_count) {
        if (i == MAX_NAMES)
            fake_die("more functions than the table of counters holds");
        fake.names[i].name = name;
        fake.names[i].calls = 0;
        fake.name_count++;
    }
    fake.names[i].calls++;
    fake.calls++;
}

cu_result fake_sticky(int device)
{
    if (device >= 0)
        return fake.sticky[device];
    for (int i = 0; i < fake.devices; i++)
        if (fake.sticky[i] == CU_SUCCESS)
            return CU_SUCCESS;
    return fake.sticky[0];
}

/* The error that was ordered for this call, 0: none. Who loses a device in no context loses the
 * first. */
static cu_result ordered(const char *name)
{
    const int device = fake_current_device();
    for (size_t i = 0; i < fake.failure_count; i++) {
        fake_failure *failure = &fake.failures[i];
        if (strcmp(failure->name, "*") != 0 && strcmp(failure->name, name) != 0)
            continue;
        if (failure->device >= 0 && failure->device != device)
            continue;
        if (failure->left == 0 || --failure->left > 0)
            continue;
        fake.failed++;
        snprintf(fake.failed_name, sizeof(fake.failed_name), "%s", name);
        if (failure->loses)
            fake_lose(device >= 0 ? device : 0, failure->error);
        return failure->error;
    }
    return fake_sticky(device);
}

cu_result fake_enter(const char *name, fake_needs needs)
{
    pthread_mutex_lock(&fake.lock);
    count_call(name);
    cu_result result = ordered(name);
    if (result == CU_SUCCESS && fake_in_callback())
        result = CU_NOT_PERMITTED;
    if (result == CU_SUCCESS && needs >= NEEDS_INIT && !fake.initialised)
        result = CU_NOT_INITIALIZED;
    if (result == CU_SUCCESS && needs == NEEDS_CONTEXT && fake_current_device() < 0)
        result = CU_INVALID_CONTEXT;
    if (result != CU_SUCCESS)
        pthread_mutex_unlock(&fake.lock);
    return result;
}

cu_result fake_enter_release(const char *name)
{
    if (fake_in_callback())
        fake_die("a host function called the driver, which may wait for ever");
    pthread_mutex_lock(&fake.lock);
    count_call(name);
    return ordered(name);
}

cu_result fake_leave(cu_result result)
{
    pthread_mutex_unlock(&fake.lock);
    return result;
}

void fake_lose(int device, cu_result error)
{
    if (fake.sticky[device] == CU_SUCCESS)
        fake.sticky[device] = error;
    fake_drop_pending(device);
    pthread_cond_broadcast(&fake.changed);
}

void fake_cuda_reset(uint64_t seed)
{
    fake_thread_stop();
    pthread_mutex_lock(&fake.lock);
    fake_drop_pending(-1);
    fake_drop_graphs();
    fake_drop_streams();
    fake_drop_devices();
    fake_memory_drop();
    fake.name_count = 0;
    fake.calls = fake.failed = fake.ran = 0;
    fake.failed_name[0] = '\0';
    memset(fake.sticky, 0, sizeof(fake.sticky));
    fake.bytes = (fake_cuda_bytes){0, 0, 0};
    read_environment(seed);
    pthread_mutex_unlock(&fake.lock);
}

/* One field under the lock. */
#define SETTER(function, type, field)     \
    void function(type value)             \
    {                                     \
        pthread_mutex_lock(&fake.lock);   \
        fake.field = value;               \
        pthread_mutex_unlock(&fake.lock); \
    }

#define GETTER(function, type, field)     \
    type function(void)                   \
    {                                     \
        pthread_mutex_lock(&fake.lock);   \
        const type value = fake.field;    \
        pthread_mutex_unlock(&fake.lock); \
        return value;                     \
    }

SETTER(fake_cuda_set_mode, fake_cuda_mode, mode)
SETTER(fake_cuda_set_driver, int, driver)
SETTER(fake_cuda_set_image_error, int, image_error)
SETTER(fake_cuda_set_memory, uint64_t, memory)
SETTER(fake_cuda_set_other_memory, uint64_t, other)
GETTER(fake_cuda_seed, uint64_t, seed)
GETTER(fake_cuda_failures, uint64_t, failed)
GETTER(fake_cuda_bytes_copied, fake_cuda_bytes, bytes)
GETTER(fake_cuda_pending, size_t, pending_count)

int fake_cuda_sticky(void)
{
    int sticky = CU_SUCCESS;
    pthread_mutex_lock(&fake.lock);
    for (int i = MAX_DEVICES - 1; i >= 0; i--)
        sticky = fake.sticky[i] != CU_SUCCESS ? fake.sticky[i] : sticky;
    pthread_mutex_unlock(&fake.lock);
    return sticky;
}

void fake_cuda_set_devices(int count)
{
    pthread_mutex_lock(&fake.lock);
    if (count < 0 || count > MAX_DEVICES)
        fake_die("fake_cuda_set_devices() takes 0 to 8");
    fake.devices = count;
    pthread_mutex_unlock(&fake.lock);
}

void fake_cuda_set_name(const char *name)
{
    pthread_mutex_lock(&fake.lock);
    snprintf(fake.name, sizeof(fake.name), "%s", name);
    pthread_mutex_unlock(&fake.lock);
}

void fake_cuda_set_capability(int major, int minor)
{
    pthread_mutex_lock(&fake.lock);
    fake.major = major;
    fake.minor = minor;
    pthread_mutex_unlock(&fake.lock);
}

void fake_cuda_fail_at(const char *name, uint64_t n, int error)
{
    pthread_mutex_lock(&fake.lock);
    add_failure(name, n, error, false);
    pthread_mutex_unlock(&fake.lock);
}

void fake_cuda_lose_at(const char *name, uint64_t n, int error)
{
    pthread_mutex_lock(&fake.lock);
    add_failure(name, n, error, true);
    pthread_mutex_unlock(&fake.lock);
}

const char *fake_cuda_failed_name(void)
{
    return fake.failed_name;
}

uint64_t fake_cuda_calls(const char *name)
{
    pthread_mutex_lock(&fake.lock);
    uint64_t calls = strcmp(name, "*") == 0 ? fake.calls : 0;
    for (size_t i = 0; i < fake.name_count; i++)
        if (strcmp(fake.names[i].name, name) == 0)
            calls = fake.names[i].calls;
    pthread_mutex_unlock(&fake.lock);
    return calls;
}

uint64_t fake_cuda_used(int device)
{
    pthread_mutex_lock(&fake.lock);
    const uint64_t used = device >= 0 && device < MAX_DEVICES ? fake.used[device] : 0;
    pthread_mutex_unlock(&fake.lock);
    return used;
}

uint64_t fake_cuda_peak(int device)
{
    pthread_mutex_lock(&fake.lock);
    const uint64_t peak = device >= 0 && device < MAX_DEVICES ? fake.peak[device] : 0;
    pthread_mutex_unlock(&fake.lock);
    return peak;
}

void *fake_cuda_host(uint64_t address, size_t bytes)
{
    pthread_mutex_lock(&fake.lock);
    void *host = fake_is_device(address) ? fake_resolve(address, bytes) : NULL;
    pthread_mutex_unlock(&fake.lock);
    return host;
}

size_t fake_cuda_leaks(char *text, size_t text_bytes)
{
    static const char *const kinds[] = {"device allocations",
                                        "reservations",
                                        "pinned blocks",
                                        "registered blocks",
                                        "physical blocks",
                                        "streams",
                                        "events",
                                        "graphs",
                                        "modules",
                                        "retained contexts"};
    size_t counts[10] = {0};
    pthread_mutex_lock(&fake.lock);
    fake_memory_live(counts);
    fake_streams_live(counts + 5);
    counts[7] = fake_graphs_live();
    for (const struct fake_module *m = fake.modules; m != NULL; m = m->next)
        counts[8]++;
    for (int i = 0; i < MAX_DEVICES; i++)
        counts[9] += fake.contexts[i].retained;
    pthread_mutex_unlock(&fake.lock);
    size_t all = 0, used = 0;
    for (size_t i = 0; i < 10; i++) {
        all += counts[i];
        if (counts[i] > 0 && text != NULL && used < text_bytes)
            used += (size_t)snprintf(text + used, text_bytes - used, "%s%zu %s",
                                     used > 0 ? ", " : "", counts[i], kinds[i]);
    }
    if (used == 0 && text != NULL && text_bytes > 0)
        text[0] = '\0';
    return all;
}
