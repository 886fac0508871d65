/* A library with the names that vrseg looks for, which says that it is another version. Nothing but
 * the version may be called: the other names are no functions. */
#include "engine/openvino/api.h"

#define ov_get_openvino_version unused_version
#define ov_version_free unused_free
#define NAME(result, name, arguments) int name;
VRS_OV_SYMBOLS(NAME)
#undef ov_get_openvino_version
#undef ov_version_free

vrs_ov_code ov_get_openvino_version(vrs_ov_version *version);
void ov_version_free(vrs_ov_version *version);

vrs_ov_code ov_get_openvino_version(vrs_ov_version *version)
{
    *version = (vrs_ov_version){"2024.1.0-12345-abcdef", "of a test"};
    return 0;
}

void ov_version_free(vrs_ov_version *version)
{
    version->build = NULL;
}
