/* The part of cuDNN's backend (graph) API that vrseg uses, declared here so that building needs no
 * header of NVIDIA's. Names, argument lists and numbers are those of cudnn_graph.h 9, compatible
 * within cuDNN 9. */
#ifndef VRS_ENGINE_CUDA_CUDNN_API_H
#define VRS_ENGINE_CUDA_CUDNN_API_H

#include <stddef.h>
#include <stdint.h>

/* Name that dlopen() is given; VRSEG_CUDNN_LIBRARY in the environment replaces it. */
#define VRS_CUDNN_LIBRARY "libcudnn.so.9"

/* Lowest result of cudnnGetVersion(). */
#define VRS_CUDNN_VERSION_MIN 90000

/* cudnnStatus_t: zero is success; thousands are classes of errors. */
typedef int vrs_dnn_status;
enum {
    VRS_DNN_SUCCESS = 0,
    VRS_DNN_NOT_SUPPORTED = 3000,
    VRS_DNN_INTERNAL_ERROR = 4000,
    VRS_DNN_COMPILATION_FAILED = 4001,
    VRS_DNN_HOST_ALLOCATION_FAILED = 4003,
    VRS_DNN_DEVICE_ALLOCATION_FAILED = 4004,
    VRS_DNN_EXECUTION_FAILED = 5000,
};

typedef struct cudnnContext *vrs_dnn_handle;
typedef void *vrs_dnn_descriptor;

/* cudnnDataType_t */
enum {
    VRS_DNN_FLOAT = 0,
    VRS_DNN_HALF = 2,
    VRS_DNN_INT8 = 3,
    VRS_DNN_INT32 = 4,
};

enum { VRS_DNN_CROSS_CORRELATION = 1 }; /* cudnnConvolutionMode_t */

/* cudnnPointwiseMode_t */
enum {
    VRS_DNN_ADD = 0,
    VRS_DNN_MUL = 1,
    VRS_DNN_RELU = 100,
    VRS_DNN_TANH = 101,
    VRS_DNN_SIGMOID = 102,
    VRS_DNN_ELU = 103,
    VRS_DNN_GELU = 104,
    VRS_DNN_SOFTPLUS = 105,
    VRS_DNN_SWISH = 106,
};

/* cudnnBackendHeurMode_t */
enum { VRS_DNN_HEUR_B = 1, VRS_DNN_HEUR_FALLBACK = 2, VRS_DNN_HEUR_A = 3 };

/* cudnnBackendDescriptorType_t */
enum {
    VRS_DNN_POINTWISE = 0,
    VRS_DNN_CONVOLUTION = 1,
    VRS_DNN_ENGINE = 2,
    VRS_DNN_ENGINECFG = 3,
    VRS_DNN_ENGINEHEUR = 4,
    VRS_DNN_EXECUTION_PLAN = 5,
    VRS_DNN_OPERATION_CONVOLUTION_FORWARD = 10,
    VRS_DNN_OPERATION_POINTWISE = 13,
    VRS_DNN_OPERATIONGRAPH = 15,
    VRS_DNN_VARIANT_PACK = 16,
    VRS_DNN_TENSOR = 17,
};

/* cudnnBackendAttributeName_t */
enum {
    VRS_DNN_POINTWISE_MODE = 0,
    VRS_DNN_POINTWISE_MATH_PREC = 1,
    VRS_DNN_RELU_LOWER_CLIP = 3,
    VRS_DNN_RELU_UPPER_CLIP = 4,
    VRS_DNN_RELU_LOWER_CLIP_SLOPE = 5,
    VRS_DNN_ELU_ALPHA = 6,
    VRS_DNN_SOFTPLUS_BETA = 7,
    VRS_DNN_SWISH_BETA = 8,
    VRS_DNN_CONVOLUTION_COMP_TYPE = 100,
    VRS_DNN_CONVOLUTION_CONV_MODE = 101,
    VRS_DNN_CONVOLUTION_DILATIONS = 102,
    VRS_DNN_CONVOLUTION_STRIDES = 103,
    VRS_DNN_CONVOLUTION_POST_PADDINGS = 104,
    VRS_DNN_CONVOLUTION_PRE_PADDINGS = 105,
    VRS_DNN_CONVOLUTION_SPATIAL_DIMS = 106,
    VRS_DNN_HEUR_MODE = 200,
    VRS_DNN_HEUR_GRAPH = 201,
    VRS_DNN_HEUR_RESULTS = 202,
    VRS_DNN_CFG_ENGINE = 300,
    VRS_DNN_PLAN_HANDLE = 400,
    VRS_DNN_PLAN_CONFIG = 401,
    VRS_DNN_PLAN_WORKSPACE = 402,
    VRS_DNN_PLAN_JSON = 405,
    VRS_DNN_CONV_ALPHA = 700,
    VRS_DNN_CONV_BETA = 701,
    VRS_DNN_CONV_DESC = 702,
    VRS_DNN_CONV_W = 703,
    VRS_DNN_CONV_X = 704,
    VRS_DNN_CONV_Y = 705,
    VRS_DNN_PW_DESC = 750,
    VRS_DNN_PW_X = 751,
    VRS_DNN_PW_B = 752,
    VRS_DNN_PW_Y = 753,
    VRS_DNN_GRAPH_HANDLE = 800,
    VRS_DNN_GRAPH_OPS = 801,
    VRS_DNN_TENSOR_ALIGNMENT = 900,
    VRS_DNN_TENSOR_TYPE = 901,
    VRS_DNN_TENSOR_DIMS = 902,
    VRS_DNN_TENSOR_STRIDES = 903,
    VRS_DNN_TENSOR_ID = 906,
    VRS_DNN_TENSOR_VIRTUAL = 907,
    VRS_DNN_TENSOR_BY_VALUE = 908,
    VRS_DNN_PACK_IDS = 1000,
    VRS_DNN_PACK_POINTERS = 1001,
    VRS_DNN_PACK_WORKSPACE = 1003,
    VRS_DNN_ENGINE_INDEX = 1301,
    VRS_DNN_ENGINE_NUMERICAL_NOTE = 1303,
    VRS_DNN_ENGINE_BEHAVIOR_NOTE = 1305,
};

/* cudnnBackendAttributeType_t */
enum {
    VRS_DNN_TYPE_HANDLE = 0,
    VRS_DNN_TYPE_DATA_TYPE = 1,
    VRS_DNN_TYPE_BOOLEAN = 2, /* bool */
    VRS_DNN_TYPE_INT64 = 3,
    VRS_DNN_TYPE_FLOAT = 4,
    VRS_DNN_TYPE_DOUBLE = 5,
    VRS_DNN_TYPE_VOID_PTR = 6,
    VRS_DNN_TYPE_CONVOLUTION_MODE = 7,
    VRS_DNN_TYPE_HEUR_MODE = 8,
    VRS_DNN_TYPE_NUMERICAL_NOTE = 11,
    VRS_DNN_TYPE_POINTWISE_MODE = 14,
    VRS_DNN_TYPE_DESCRIPTOR = 15,
    VRS_DNN_TYPE_BEHAVIOR_NOTE = 19,
    VRS_DNN_TYPE_CHAR = 24,
};

/* cudnnBackendNumericalNote_t */
enum {
    VRS_DNN_NOTE_TENSOR_CORE = 0,
    VRS_DNN_NOTE_DOWN_CONVERT = 1, /* inputs are rounded: TF32 */
    VRS_DNN_NOTE_REDUCED = 2,      /* adds up in FP16 */
    VRS_DNN_NOTE_FFT = 3,
    VRS_DNN_NOTE_NONDETERMINISTIC = 4,
    VRS_DNN_NOTE_WINOGRAD = 5, /* 5 to 8 */
    VRS_DNN_NOTE_WINOGRAD_LAST = 8,
    VRS_DNN_NOTES = 16, /* asked for at most */
};

/* cudnnBackendBehaviorNote_t */
enum { VRS_DNN_BEHAVIOR_RUNTIME_COMPILATION = 0 };

/* X(name, symbol, arguments): all return vrs_dnn_status; `name` is the member of vrs_dnn_api. */
#define VRS_CUDNN_FUNCTIONS(X)                                                                     \
    X(create, cudnnCreate, (vrs_dnn_handle *))                                                     \
    X(destroy, cudnnDestroy, (vrs_dnn_handle))                                                     \
    X(set_stream, cudnnSetStream, (vrs_dnn_handle, void *stream))                                  \
    X(make, cudnnBackendCreateDescriptor, (int type, vrs_dnn_descriptor *))                        \
    X(unmake, cudnnBackendDestroyDescriptor, (vrs_dnn_descriptor))                                 \
    X(finalize, cudnnBackendFinalize, (vrs_dnn_descriptor))                                        \
    X(set, cudnnBackendSetAttribute,                                                               \
      (vrs_dnn_descriptor, int attribute, int type, int64_t count, const void *values))            \
    X(get, cudnnBackendGetAttribute,                                                               \
      (vrs_dnn_descriptor, int attribute, int type, int64_t wanted, int64_t *count, void *values)) \
    X(execute, cudnnBackendExecute,                                                                \
      (vrs_dnn_handle, vrs_dnn_descriptor plan, vrs_dnn_descriptor pack))

typedef struct vrs_dnn_api {
#define VRS_DNN_FIELD(name, symbol, arguments) vrs_dnn_status(*name) arguments;
    VRS_CUDNN_FUNCTIONS(VRS_DNN_FIELD)
#undef VRS_DNN_FIELD
    size_t (*version)(void);
    const char *(*error_text)(vrs_dnn_status);
    void (*last_error)(char *text, size_t size);
} vrs_dnn_api;

#endif
