/* What a test has the stand-in do; found by dlsym(). */
#ifndef TESTS_FAKE_CUPTI_H
#define TESTS_FAKE_CUPTI_H

#include <stdint.h>

/* A node of a graph is made, or with `original` copied from that one when a graph is instantiated.
 */
void fake_cupti_node(uint64_t id, uint64_t original);
/* A kernel ran; `node` 0: by itself. On GPU 0 and stream 7, or others. */
void fake_cupti_kernel(const char *name, uint64_t start, uint64_t end, uint64_t node);
void fake_cupti_kernel_on(const char *name, uint64_t start, uint64_t end, uint64_t node,
                          uint32_t device, uint32_t stream);
/* What CUPTI does when the process ends: a buffer goes back, with a kernel in it. */
void fake_cupti_end(void);
/* What its clock shows until the next call; 0: the time of day. */
void fake_cupti_time(uint64_t ns);
/* Subscribers, kinds that are on, buffers and parts of the range profiler that were not given back.
 */
int fake_cupti_left(void);

#endif
