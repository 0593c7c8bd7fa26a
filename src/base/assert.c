#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

void hf_assert_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "holdfast: assertion failed: %s (%s:%d)\n", condition, file,
            line);
    abort();
}
