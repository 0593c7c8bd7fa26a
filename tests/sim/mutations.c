#include "sim/mutations.h"

#include <stdio.h>
#include <string.h>

enum hf_mutation hf_mutation = HF_MUTATION_NONE;

struct mutation {
    const char *name;
    unsigned seed;
    unsigned limit;
    const char *text;
};

static const struct mutation mutations[] = {{"NONE", 1, 1, ""},
#define MUTATION_ROW(name, seed, limit, text) {#name, seed, limit, text},
                                            MUTATIONS(MUTATION_ROW)
#undef MUTATION_ROW
};

#define MUTATION_COUNT (sizeof(mutations) / sizeof(mutations[0]))

bool mutation_choose(const char *name)
{
    for (size_t i = 1; i < MUTATION_COUNT; i++) {
        if (strcmp(mutations[i].name, name) == 0) {
            hf_mutation = (enum hf_mutation)i;
            return true;
        }
    }
    return false;
}

void mutations_print(void)
{
    for (size_t i = 1; i < MUTATION_COUNT; i++) {
        (void)printf("%s\t%u\t%u\t%s\n", mutations[i].name, mutations[i].seed,
                     mutations[i].limit, mutations[i].text);
    }
}
