/* Tells the thread sanitizer about an ordering that it cannot see, because it is made by assembly
 * (Concurrency Kit). Nothing in other builds. */
#ifndef VRS_BASE_TSAN_H
#define VRS_BASE_TSAN_H

#if defined(__SANITIZE_THREAD__)
#define VRS_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define VRS_TSAN 1
#endif
#endif

#ifdef VRS_TSAN

void __tsan_acquire(void *address);
void __tsan_release(void *address);

static inline void vrs_tsan_acquire(void *address)
{
    __tsan_acquire(address);
}

static inline void vrs_tsan_release(void *address)
{
    __tsan_release(address);
}

#else

static inline void vrs_tsan_acquire(void *address)
{
    (void)address;
}

static inline void vrs_tsan_release(void *address)
{
    (void)address;
}

#endif

#endif
