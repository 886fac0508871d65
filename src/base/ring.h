/* Concurrency Kit's ring, for queue.c. The thread sanitizer cannot see the order that its assembly
 * makes. It takes each look into a slot for a race, and to find out that this one is told of in a
 * list of exceptions costs it a thousand times what the look does; so it is not shown these
 * functions at all. The queue tells it the order of the items (tsan.h): races on them are still
 * found. gcc has no way to say this of a header; its sanitizer needs the list
 * (tests/support/tsan.supp). */
#ifndef VRS_BASE_RING_H
#define VRS_BASE_RING_H

#include "base/tsan.h"

#if defined(VRS_TSAN) && defined(__clang__)
#pragma clang attribute push(__attribute__((no_sanitize("thread"))), apply_to = function)
#include <ck_ring.h>
#pragma clang attribute pop
#else
#include <ck_ring.h>
#endif

#endif
