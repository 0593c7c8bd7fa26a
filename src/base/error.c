#include "holdfast/error.h"

const char *hf_strerror(int error)
{
    switch (error) {
    case 0:
        return "no error";
#define HF_ERROR_TEXT(name, value, text)                                       \
    case name:                                                                 \
        return text;
        HF_ERROR_MAP(HF_ERROR_TEXT)
#undef HF_ERROR_TEXT
    default:
        return "unknown error";
    }
}
