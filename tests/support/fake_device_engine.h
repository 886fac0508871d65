/* fake_engine's network as an engine of the GPU, on fake_cuda: its memory is the device's, it reads
 * and writes there by a kernel that the stand-in runs when its stream comes to it. */
#ifndef TESTS_SUPPORT_FAKE_DEVICE_ENGINE_H
#define TESTS_SUPPORT_FAKE_DEVICE_ENGINE_H

#include "engine/backend.h"
#include "support/fake_engine.h" /* fake_plan: fail_every (of enqueue), counts_frames */

extern const vrs_engine_ops fake_device_engine_ops;

/* F16 in pixels of eight channels and F16 scores; else bytes and floats. Set before the engine is
 * created. */
extern bool fake_device_half;

/* Tells fake_cuda the kernel; once, at the start of the program. */
void fake_device_engine_register(void);

#endif
