/* vrseg: segments the people in video. This header is the core library, libvrseg; jobs on files
 * are in "vrseg/job.h", libvrseg-media. */
#ifndef VRSEG_H
#define VRSEG_H

#include "compile.h"
#include "config.h"
#include "image.h"
#include "layout.h"
#include "log.h"
#include "memory.h"
#include "model.h"
#include "monitor.h"
#include "pipeline.h"
#include "profile.h"
#include "status.h"
#include "system.h"
#include "tune.h"

#endif
