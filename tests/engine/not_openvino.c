/* A library that is not OpenVINO's. */
int not_openvino(void);

int not_openvino(void)
{
    return 0;
}
