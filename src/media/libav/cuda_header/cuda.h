/* Stands in for the toolkit's header of the same name, which libav's hwcontext_cuda.h includes for
 * two handles alone, so that builds without a toolkit know them. In the include path of libav's
 * users only; everything else declares the driver in device/cuda/api.h. */
#ifndef VRS_MEDIA_CUDA_H
#define VRS_MEDIA_CUDA_H

typedef struct CUctx_st *CUcontext;
typedef struct CUstream_st *CUstream;

#endif
