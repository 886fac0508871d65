/* libcuda.so.1 as libav looks for it: fake_cuda, which this library needs, and beside it the
 * functions that libav's loader insists on and that nobody calls on the way to NVDEC. */
#include "fake_cuda/fake_cuda.h"

/* Makes the linker keep fake_cuda. */
FAKE_CUDA_API uint64_t fake_driver_seed(void);
FAKE_CUDA_API uint64_t fake_driver_seed(void)
{
    return fake_cuda_seed();
}

#define UNSUPPORTED 801 /* CUDA_ERROR_NOT_SUPPORTED */

#define NOT_HERE(name)                                    \
    int name(void);                                       \
    __attribute__((visibility("default"))) int name(void) \
    {                                                     \
        return UNSUPPORTED;                               \
    }

NOT_HERE(cuArray3DCreate_v2)
NOT_HERE(cuArrayDestroy)
NOT_HERE(cuCtxCreate_v2)
NOT_HERE(cuCtxSetLimit)
NOT_HERE(cuDeviceComputeCapability)
NOT_HERE(cuDevicePrimaryCtxSetFlags)
NOT_HERE(cuGLGetDevices_v2)
NOT_HERE(cuGraphicsGLRegisterImage)
NOT_HERE(cuGraphicsMapResources)
NOT_HERE(cuGraphicsResourceGetMappedPointer_v2)
NOT_HERE(cuGraphicsSubResourceGetMappedArray)
NOT_HERE(cuGraphicsUnmapResources)
NOT_HERE(cuGraphicsUnregisterResource)
NOT_HERE(cuLinkAddData)
NOT_HERE(cuLinkComplete)
NOT_HERE(cuLinkCreate)
NOT_HERE(cuLinkDestroy)
NOT_HERE(cuMemAllocManaged)
NOT_HERE(cuModuleGetGlobal)
NOT_HERE(cuStreamAddCallback)
NOT_HERE(cuTexObjectCreate)
NOT_HERE(cuTexObjectDestroy)
